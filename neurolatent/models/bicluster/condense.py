r"""Merges of clusters and of states in the first part of the warm-up, so that chains may start from too many of both.

Neurons leave a cluster one by one only, and every trajectory has been fitted to its own: two clusters of one kind
stay apart for thousands of sweeps. A merge is taken where the evidence grows, trajectories (given auxiliary variables)
or laws of motion being integrated out. It has no reverse and is no move of the sampler: it ends before draws are kept.
Ours.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from neurolatent.models.bicluster import laplace
from neurolatent.models.bicluster.dynamics import chain_of
from neurolatent.models.bicluster.likelihood import Gaussian, augmented, log_rate
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, occupancy
from neurolatent.models.bicluster.statistics import of_partition, of_paths, of_states
from neurolatent.models.bicluster.sweep import augmented_draws
from neurolatent.models.bicluster.trajectories import dynamics_of, information
from neurolatent.ops.kalman_draw import draw_states

SHARE = 0.25  # of the sweeps in which a merge of clusters is tried; ours
SETTLE = 10  # draws that a merged cluster is given; ours


def condensed(model: Any, params: BiclusterParams, data: BiclusterData, key: PRNGKeyArray) -> BiclusterParams:
    """The draw after one try to merge two states at random, and now and then one to merge two clusters."""
    key_coin, key_clusters, key_states = jax.random.split(key, 3)
    tries = (jax.random.uniform(key_coin) < SHARE) & (params.trajectories.shape[0] > 1)
    params = jax.lax.cond(tries, lambda: _clusters(model, params, data, key_clusters), lambda: params)
    return _states(model, params, key_states)


def _pair(sizes: Array, key: PRNGKeyArray) -> Array:
    """Two that are in use, or one twice where there is no other."""
    noise = jax.random.gumbel(key, sizes.shape)
    return jax.lax.top_k(jnp.where(sizes > 0, noise, -jnp.inf), 2)[1]


def _states(model: Any, params: BiclusterParams, key: PRNGKeyArray) -> BiclusterParams:
    bins = (params.state[1:, None] == jnp.arange(params.weights.shape[0])).sum(axis=0)
    if len(bins) < 2:
        return params
    kept, gone = _pair(bins, key)
    tried = params._replace(state=jnp.where(params.state == gone, kept, params.state).astype(params.state.dtype))
    score = lambda draw: of_paths(draw) + of_states(model, draw)  # noqa: E731
    better = (score(tried) > score(params)) & (bins[gone] > 0)
    return jax.tree.map(lambda a, b: jnp.where(better, a, b), tried, params)


def _clusters(model: Any, params: BiclusterParams, data: BiclusterData, key: PRNGKeyArray) -> BiclusterParams:
    """A cluster at random is tried in the one that suits its neurons best.

    Auxiliary variables of one arrangement favour it; so the merged one is first given a few draws of its own, and the
    change of the evidence is the mean of those under the variables of both.
    """
    key_gone, key_loadings, key_settle, key_omega = jax.random.split(key, 4)
    sizes = occupancy(params.label, params.trajectories.shape[0])
    former = params.dispersion
    if model.family == "poisson":
        params = params._replace(dispersion=jnp.full_like(params.offset, model.proposal_dispersion))
    gone = jax.random.categorical(key_gone, jnp.where(sizes > 0, 0.0, -jnp.inf))
    others = (sizes > 0) & (jnp.arange(len(sizes)) != gone)
    proposals = laplace.propose_all("nb", data, params, params.trajectories, others)
    moving = params.label == gone
    kept = jnp.where(others, jnp.where(moving, proposals.log_marginal, 0.0).sum(axis=1), -jnp.inf).argmax()
    drawn = laplace.draw(jax.tree.map(lambda leaf: leaf[kept], proposals), key_loadings, data.counts.shape[1])
    tried = params._replace(
        label=jnp.where(moving, kept, params.label).astype(params.label.dtype),
        loadings=jnp.where(moving[:, None], drawn, params.loadings),
    )
    draw = lambda n, p: augmented_draws(model, p, data, jax.random.fold_in(key_settle, n))  # noqa: E731
    tried = jax.lax.fori_loop(0, SETTLE, draw, tried)
    concerned = moving | (params.label == kept)
    change = of_partition(model, tried) - of_partition(model, params)
    for number, each in enumerate((params, tried)):
        told = augmented(jax.random.fold_in(key_omega, number), data, log_rate(each), each.dispersion)
        found = [_evidence(model, p, data, told, concerned) for p in (tried, params)]
        change = change + 0.5 * (found[0] - found[1])
    better = (change > 0) & others.any()
    merged = jax.tree.map(lambda a, b: jnp.where(better, a, b), tried, params)
    return merged._replace(dispersion=former)


def _evidence(
    model: Any, params: BiclusterParams, data: BiclusterData, told: Gaussian, concerned: Bool[Array, " neuron"]
) -> Float[Array, ""]:
    """Log evidence of some neurons' counts with trajectories integrated out, and loadings by their Gaussians; nats."""
    mask = concerned[:, None].astype(told.weight.dtype)
    told = Gaussian(told.weight * mask, told.pull * mask)
    seen, d = information(params, told), params.offset[:, None]
    white = jnp.zeros_like(seen.shift)
    total = draw_states(white, chain_of(dynamics_of(params), params.state), seen).log_normaliser.sum()
    total = total + (told.pull * d - 0.5 * told.weight * d**2).sum()
    occupied = occupancy(params.label, params.trajectories.shape[0]) > 0
    proposals = laplace.propose_all("nb", data, params, params.trajectories, occupied)
    own, c = laplace.at_neurons(proposals, params.label), params.loadings
    each = -0.5 * (c**2).sum(axis=1) - laplace.log_density(own, c, data.counts.shape[1])
    each = each - 0.5 * (params.offset / model.offset_sd) ** 2
    return total + jnp.where(concerned, each, 0.0).sum()
