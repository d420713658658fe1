r"""One Fisher-scoring step of all regressions, with backtracking: the objective of none of them falls.

.. math::
    g = X^T (\gamma \cdot score) - \Lambda (\beta - m), \quad H = X^T diag(\gamma \cdot information) X + \Lambda, \quad
    \beta \leftarrow \beta + step \cdot H^{-1} g, \quad step \in \{1, .5, .1, 0\}.

Coefficients that all states share (a common bias, a common self-coupling) join the states of one target: the
information is an arrow of blocks, and what belongs to single states is eliminated first (Schur complement).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_factor, cho_solve
from jaxtyping import Array, Float, Shaped

from neurolatent.models.hmmglm.families import AnyFamily
from neurolatent.models.hmmglm.layout import Layout
from neurolatent.models.hmmglm.rows import Rows, Totals, totals, value_of

STEPS = (1.0, 0.5, 0.1)  # tried one after the other where the former lowers the objective
JITTER = 1e-10  # relative to the mean curvature

Beta = Float[Array, "states targets coefficients"]


class Quadratic(NamedTuple):
    """A Gaussian prior of the coefficients, each for itself."""

    mean: Beta
    precision: Beta


def fisher_step(family: AnyFamily, beta: Beta, noise: Array, rows: Rows, *, prior: Quadratic, layout: Layout) -> Beta:
    """The coefficients after one step."""
    groups, common = rows.observed.shape[-1], np.asarray(layout.common)
    found = totals(family, beta, noise, rows)
    pull = grouped(prior.precision * (prior.mean - beta), groups)
    move = direction(found, pull, grouped(prior.precision, groups), grouped(layout.free, groups), common)
    penalty = lambda at: grouped(-0.5 * prior.precision * (at - prior.mean) ** 2, groups).sum(axis=-1)  # noqa: E731
    value = lambda at: value_of(family, at, noise, rows) + penalty(at)  # noqa: E731
    return climb(beta, move.reshape(beta.shape), value, found.value + penalty(beta), ties=bool(common.any()))


def grouped(leaf: Array | np.ndarray, groups: int) -> Shaped[Array, "*states groups coefficients"]:
    """(..., targets, coefficients) with the coefficients of the targets of one group side by side."""
    array = jnp.asarray(leaf)
    return array.reshape(*array.shape[:-2], groups, array.shape[-2] // groups * array.shape[-1])


def climb(
    begin: Beta,
    move: Beta,
    value: Callable[[Beta], Float[Array, "states groups"]],
    before: Float[Array, "states groups"],
    *,
    ties: bool,
) -> Beta:
    """The whole move where it does not lower the value of its group, else a part of it that does not, else none.

    Args:
        ties: The states of a group move together, or not at all.
    """
    joined = lambda values: values.sum(axis=0, keepdims=True) if ties else values  # noqa: E731
    size = begin.shape[1] // before.shape[1]
    per_target = lambda choice: jnp.repeat(choice, size, axis=1)[..., None]  # noqa: E731
    rises = lambda at: joined(value(at)) >= joined(before)  # noqa: E731
    steps = jnp.asarray(STEPS, begin.dtype)

    def attempt(state: tuple[Array, Beta, Array]) -> tuple[Array, Beta, Array]:
        number, best, done = state
        at = begin + steps[number] * move
        helps = ~done & rises(at)
        return number + 1, jnp.where(per_target(helps), at, best), done | helps

    start = (jnp.zeros((), int), begin, jnp.zeros(joined(before).shape, bool))
    return jax.lax.while_loop(lambda s: (s[0] < len(STEPS)) & ~s[2].all(), attempt, start)[1]


def direction(found: Totals, pull: Array, precision: Array, free: Array, common: np.ndarray) -> Array:
    """The Newton direction (states, groups, coefficients of the group); zero where a coefficient is not free.

    Args:
        pull: Slope of the log prior.
        common: (targets, coefficients) what all states share.
    """
    keep, shared = free.astype(pull.dtype), np.asarray(common).reshape(pull.shape[1], -1)
    size = pull.shape[-1]
    identity = jnp.eye(size, dtype=pull.dtype)
    scale = jnp.trace(found.information, axis1=-2, axis2=-1)[..., None, None] / size
    full = found.information + precision[..., None] * identity + JITTER * (scale + 1e-12) * identity
    matrix = full * (keep[..., :, None] * keep[..., None, :]) + identity * (1 - keep[..., None])
    slope = (found.gradient + pull) * keep
    return _arrow(matrix, slope, shared[0]) if shared.any() else _solve(matrix, slope)


def _arrow(matrix: Array, slope: Array, common: np.ndarray) -> Array:
    """States tied by common coefficients: those of each state are eliminated, the rest is summed over states."""
    own, tied = np.flatnonzero(~common), np.flatnonzero(common)
    inner, mixed = matrix[..., own[:, None], own], matrix[..., own[:, None], tied]
    outer = matrix[..., tied[:, None], tied].sum(axis=0)
    factor = cho_factor(inner, lower=True)
    through = cho_solve(factor, mixed)
    reduced = outer - jnp.einsum("...ac,...ad->...cd", mixed, through).sum(axis=0)
    right = slope[..., tied].sum(axis=0) - jnp.einsum("...ac,...a->...c", through, slope[..., own]).sum(axis=0)
    shared = jnp.linalg.solve(reduced, right[..., None])[..., 0]
    rest = cho_solve(factor, slope[..., own][..., None])[..., 0] - jnp.einsum("...ac,...c->...a", through, shared)
    out = jnp.zeros_like(slope).at[..., own].set(rest)
    return out.at[..., tied].set(jnp.broadcast_to(shared, (*slope.shape[:-1], len(tied))))


def _solve(matrix: Array, right: Array) -> Array:
    return cho_solve(cho_factor(matrix, lower=True), right[..., None])[..., 0]
