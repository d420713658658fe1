"""All bins or trials end to end, in blocks that fit the cache, and sums over them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurolatent.models.hmmglm.families import AnyFamily

CELLS = 2**21  # numbers of the largest array of a block: 16 megabytes in double


class Rows(NamedTuple):
    """Rows of the regressions, (blocks, rows, ...); rows that only fill the last block have no weight."""

    x: Float[Array, "blocks rows regressors"]  # the last one is 1: the bias
    own: Float[Array, "blocks rows targets lags"]
    y: Float[Array, "blocks rows targets"]
    observed: Float[Array, "blocks rows groups"]  # 1 where a group of targets was observed as a whole
    weight: Float[Array, "blocks rows states"]  # how much a row belongs to each state


def end_to_end(padded: Float[Array, "sequences time *more"]) -> Float[Array, "rows *more"]:
    """(sequences, time, ...) as (rows, ...)."""
    array = jnp.asarray(padded)
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])


def in_blocks(flat: Float[Array, "*any"], size: int) -> Float[Array, "*blocked"]:
    """(rows, ...) as (blocks, size, ...), filled up with zeros."""
    count = -(-flat.shape[0] // size)
    widths = [(0, count * size - flat.shape[0]), *((0, 0) for _ in flat.shape[1:])]
    return jnp.pad(flat, widths).reshape(count, size, *flat.shape[1:])


def block_size(n_rows: int, width: int) -> int:
    """Rows of a block whose widest array has ``width`` numbers a row."""
    count = max(1, -(-n_rows * width // CELLS))
    return max(-(-n_rows // count), 1)


def summed(one: Callable[[Rows], Any], rows: Rows) -> Any:
    """The sum of a function over the blocks."""
    if rows.x.shape[0] == 1:
        return one(jax.tree.map(lambda leaf: leaf[0], rows))
    zero = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(one, jax.tree.map(lambda a: a[0], rows)))
    return jax.lax.scan(lambda total, block: (jax.tree.map(jnp.add, total, one(block)), None), zero, rows)[0]


def predictor(
    beta: Float[Array, "states targets coefficients"],
    x: Float[Array, "rows regressors"],
    own: Float[Array, "rows targets lags"],
) -> Float[Array, "rows states targets"]:
    """The linear predictors; coefficients are ordered as [own lags; regressors; bias]."""
    states, targets, _ = beta.shape
    lags = own.shape[-1]
    shared = beta[..., lags:].reshape(states * targets, -1)
    eta = (x @ shared.T).reshape(x.shape[0], states, targets)
    return eta if lags == 0 else eta + jnp.einsum("tol,sol->tso", own, beta[..., :lags])


def grams(
    x: Float[Array, "rows coefficients"], weight: Float[Array, "rows matrices"]
) -> Float[Array, "matrices coefficients coefficients"]:
    r"""Many weighted Gram matrices :math:`\sum_t d_{tq} x_t x_t^T` as one matrix product with the products of pairs.

    Half the arithmetic of weighing the rows once for each matrix, and nothing of the size rows times matrices times
    coefficients is written.
    """
    first, second = np.triu_indices(x.shape[1])
    place = np.zeros((x.shape[1], x.shape[1]), int)
    place[first, second] = place[second, first] = np.arange(len(first))
    return (weight.T @ (x[:, first] * x[:, second]))[:, place]


class Totals(NamedTuple):
    """What a Newton step needs, summed over rows."""

    value: Float[Array, "states groups"]  # expected log density, less what depends on no parameter
    gradient: Float[Array, "states groups coefficients"]
    information: Float[Array, "states groups coefficients coefficients"]


def totals(family: AnyFamily, beta: Float[Array, "states targets coefficients"], noise: Array, rows: Rows) -> Totals:
    """Value, score and information of every state's regressions."""

    def one(block: Rows) -> Totals:
        eta = predictor(beta, block.x, block.own)
        weight = block.weight[:, :, None] * block.observed[:, None, :]
        score, information = family.slopes(eta, block.y, noise)
        score, information = score * weight[..., None], information * weight[..., None, None]
        value = (family.log_kernel(eta, block.y, noise) * weight).sum(axis=0)
        if block.own.shape[-1]:
            return Totals(value, *_own_sums(block, score[..., 0], information[..., 0, 0]))
        return Totals(value, *_shared_sums(block.x, score, information))

    return summed(one, rows)


def _shared_sums(x: Array, score: Array, information: Array) -> tuple[Array, Array]:
    """All targets have the same regressors."""
    rows, states, groups, size = score.shape
    n = x.shape[1]
    gradient = (score.reshape(rows, -1).T @ x).reshape(states, groups, size * n)
    found = grams(x, information.reshape(rows, -1)).reshape(states, groups, size, size, n, n)
    return gradient, jnp.swapaxes(found, 3, 4).reshape(states, groups, size * n, size * n)


def _own_sums(block: Rows, score: Array, information: Array) -> tuple[Array, Array]:
    """Every target has its own past before the regressors that all share: the blocks of its matrix one by one."""
    rows, states, targets = score.shape
    lags, shared = block.own.shape[-1], block.x.shape[1]
    slope = (score.reshape(rows, -1).T @ block.x).reshape(states, targets, shared)
    gradient = jnp.concatenate([jnp.einsum("tso,tol->sol", score, block.own), slope], axis=-1)
    inner = jax.vmap(grams, (1, 2), 1)(block.own, information)
    bent = (information[..., None] * block.own[:, None]).reshape(rows, -1)
    mixed = (bent.T @ block.x).reshape(states, targets, lags, shared)
    outer = grams(block.x, information.reshape(rows, -1)).reshape(states, targets, shared, shared)
    upper = jnp.concatenate([inner, mixed], axis=-1)
    lower = jnp.concatenate([jnp.swapaxes(mixed, -1, -2), outer], axis=-1)
    return gradient, jnp.concatenate([upper, lower], axis=-2)


def value_of(
    family: AnyFamily, beta: Float[Array, "states targets coefficients"], noise: Array, rows: Rows
) -> Float[Array, "states groups"]:
    """Expected log density of every state's regressions, less what depends on no parameter."""

    def one(block: Rows) -> Array:
        eta = predictor(beta, block.x, block.own)
        weight = block.weight[:, :, None] * block.observed[:, None, :]
        return (family.log_kernel(eta, block.y, noise) * weight).sum(axis=0)

    return summed(one, rows)
