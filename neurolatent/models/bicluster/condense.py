r"""Merges of clusters in the first part of the warm-up, so that chains may start from too many of them.

Neurons leave a cluster one by one only, and every trajectory has been fitted to its own: two clusters of one kind
stay apart for thousands of sweeps. A merge is taken where the evidence grows, trajectories (given auxiliary variables)
being integrated out. It has no reverse and is no move of the sampler: it ends before draws are kept. Ours.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from neurolatent.models.bicluster import laplace
from neurolatent.models.bicluster.dynamics import chain_of, dynamics_of
from neurolatent.models.bicluster.likelihood import Gaussian, augmented, log_rate
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, occupancy
from neurolatent.models.bicluster.statistics import of_partition
from neurolatent.models.bicluster.sweep import augmented_draws
from neurolatent.models.bicluster.trajectories import information
from neurolatent.ops.kalman_draw import draw_states

SHARE = 0.5  # of the sweeps in which a merge is tried; ours
STATES = 2  # for whose laws a cluster pays; ours
SETTLE = 10  # draws that a merged cluster is given; ours


def condensed(
    model: Any, params: BiclusterParams, data: BiclusterData, key: PRNGKeyArray, settling: Float[Array, ""]
) -> BiclusterParams:
    """The draw after a merge of two clusters was tried, in every second sweep or so.

    Args:
        settling: From 1 at the first sweep to 0 at the last: what laws cost is counted by and by, since trajectories
            that have not found their shape yet look alike.
    """
    key_coin, key_merge = jax.random.split(key)
    former = params.dispersion
    if model.family == "poisson":
        params = params._replace(dispersion=jnp.full_like(former, model.proposal_dispersion))
    several = (occupancy(params.label, params.trajectories.shape[0]) > 0).sum() > 1
    tries = (jax.random.uniform(key_coin) < SHARE) & several
    merged = jax.lax.cond(tries, lambda: _merged(model, params, data, key_merge, 1 - settling), lambda: params)
    return merged._replace(dispersion=former)


def _merged(
    model: Any, params: BiclusterParams, data: BiclusterData, key: PRNGKeyArray, counted: Float[Array, ""] | float
) -> BiclusterParams:
    """A cluster at random in the one that suits its neurons best, if the evidence says so.

    Auxiliary variables of one arrangement favour it; so the merged one is first given a few draws of its own, and the
    change of the evidence is the mean of those under the variables of both. Laws of motion are not integrated out: the
    cluster that goes saves half the logarithm of the bins for each of their numbers (Schwarz, 1978).
    """
    key_try, key_settle, key_omega = jax.random.split(key, 3)
    tried, concerned = _joined(data, params, key_try)
    draw = lambda n, p: augmented_draws(model, p, data, jax.random.fold_in(key_settle, n), held=True)  # noqa: E731
    tried = jax.lax.fori_loop(0, SETTLE, draw, tried)
    both = jax.tree.map(lambda *parts: jnp.stack(parts), params, tried)

    def evidence(number: Array) -> Float[Array, ""]:
        variables, of = (_at(both, at) for at in (number // 2, number % 2))
        told = augmented(jax.random.fold_in(key_omega, number // 2), data, log_rate(variables), variables.dispersion)
        return _evidence(model, of, data, told, concerned)

    found = jax.lax.map(evidence, jnp.arange(4)).reshape(2, 2)
    change = of_partition(model, tried) - of_partition(model, params) + (found[:, 1] - found[:, 0]).mean()
    change = change + counted * _cost_of_laws(params)
    return jax.tree.map(lambda a, b: jnp.where(change > 0, a, b), tried, params)


def _cost_of_laws(params: BiclusterParams) -> Float[Array, ""]:
    """What the laws of one cluster cost, nats: coefficients, shift and innovation in ``STATES`` states."""
    _, bins, size = params.trajectories.shape
    numbers = size * (size + 1) + size * (size + 1) / 2
    return STATES * 0.5 * numbers * jnp.log(jnp.asarray(float(bins), params.offset.dtype))


def _at(stacked: BiclusterParams, number: Array) -> BiclusterParams:
    return jax.tree.map(lambda leaf: leaf[number], stacked)


def _joined(
    data: BiclusterData, params: BiclusterParams, key: PRNGKeyArray
) -> tuple[BiclusterParams, Bool[Array, " neuron"]]:
    """The draw with one cluster in another, loadings drawn anew, and which neurons are in either."""
    key_gone, key_loadings = jax.random.split(key)
    sizes = occupancy(params.label, params.trajectories.shape[0])
    gone = jax.random.categorical(key_gone, jnp.where(sizes > 0, 0.0, -jnp.inf))
    others = (sizes > 0) & (jnp.arange(len(sizes)) != gone)
    proposals = laplace.propose_all("nb", data, params, params.trajectories, others)
    moving = params.label == gone
    kept = jnp.where(others, jnp.where(moving, proposals.log_marginal, 0.0).sum(axis=1), -jnp.inf).argmax()
    drawn = laplace.draw(jax.tree.map(lambda leaf: leaf[kept], proposals), key_loadings, data.counts.shape[1])
    joined = params._replace(
        label=jnp.where(moving, kept, params.label).astype(params.label.dtype),
        loadings=jnp.where(moving[:, None], drawn, params.loadings),
    )
    return joined, moving | (params.label == kept)


def _evidence(
    model: Any, params: BiclusterParams, data: BiclusterData, told: Gaussian, concerned: Bool[Array, " neuron"]
) -> Float[Array, ""]:
    """Log evidence of some neurons' counts with trajectories integrated out, and loadings by their Gaussians; nats."""
    mask = concerned[:, None].astype(told.weight.dtype)
    told = Gaussian(told.weight * mask, told.pull * mask)
    seen, d = information(params, told, jnp.arange(params.trajectories.shape[0])), params.offset[:, None]
    occupied = occupancy(params.label, params.trajectories.shape[0]) > 0
    drawn = draw_states(jnp.zeros_like(seen.shift), chain_of(dynamics_of(params), params.state), seen)
    total = jnp.where(occupied, drawn.log_normaliser, 0.0).sum()
    total = total + (told.pull * d - 0.5 * told.weight * d**2).sum()
    proposals = laplace.propose_all("nb", data, params, params.trajectories, occupied)
    own, c = laplace.at_neurons(proposals, params.label), params.loadings
    each = -0.5 * (c**2).sum(axis=1) - laplace.log_density(own, c, data.counts.shape[1])
    each = each - 0.5 * (params.offset / model.offset_sd) ** 2
    return total + jnp.where(concerned, each, 0.0).sum()
