r"""Merges of clusters and of states in the first part of the warm-up, so that chains may start from too many of both.

Neurons leave a cluster one by one only, and every trajectory has been fitted to its own: two clusters of one kind
stay apart for thousands of sweeps. A merge is taken where the evidence grows, trajectories (given auxiliary variables)
or laws of motion being integrated out. It has no reverse and is no move of the sampler: it ends before draws are kept.
Ours.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.models.bicluster import laplace
from neurolatent.models.bicluster.dynamics import chain_of
from neurolatent.models.bicluster.likelihood import Gaussian, augmented, log_rate
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, occupancy
from neurolatent.models.bicluster.statistics import of_partition, of_paths, of_states
from neurolatent.models.bicluster.trajectories import dynamics_of, information
from neurolatent.ops.kalman_draw import draw_states


def condensed(model: Any, params: BiclusterParams, data: BiclusterData, key: PRNGKeyArray) -> BiclusterParams:
    """The draw after one try to merge two clusters and one to merge two states, all at random."""
    key_clusters, key_states = jax.random.split(key)
    return _states(model, _clusters(model, params, data, key_clusters), key_states)


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
    key_pair, key_omega, key_loadings = jax.random.split(key, 3)
    sizes = occupancy(params.label, params.trajectories.shape[0])
    if len(sizes) < 2:
        return params
    kept, gone = _pair(sizes, key_pair)
    r = params.dispersion if model.family == "nb" else jnp.full_like(params.offset, model.proposal_dispersion)
    told = augmented(key_omega, data, log_rate(params), r)
    moving, bins = params.label == gone, data.counts.shape[1]
    here, there = (
        laplace.propose(model.family, data, params.offset, params.dispersion, params.trajectories[j])
        for j in (gone, kept)
    )
    drawn = laplace.draw(there, key_loadings, bins)
    tried = params._replace(
        label=jnp.where(moving, kept, params.label).astype(params.label.dtype),
        loadings=jnp.where(moving[:, None], drawn, params.loadings),
    )
    change = _evidence(tried, told) - _evidence(params, told) + of_partition(model, tried) - of_partition(model, params)
    cost = [
        -0.5 * (c**2).sum(axis=1) - laplace.log_density(q, c, bins)
        for q, c in ((there, drawn), (here, params.loadings))
    ]
    change = change + jnp.where(moving, cost[0] - cost[1], 0.0).sum()
    better = (change > 0) & (sizes[gone] > 0)
    return jax.tree.map(lambda a, b: jnp.where(better, a, b), tried, params)


def _evidence(params: BiclusterParams, told: Gaussian) -> Float[Array, ""]:
    """Log evidence of all counts with trajectories integrated out, up to what labels and loadings do not change."""
    seen = information(params, told)
    white = jnp.zeros_like(seen.shift)
    return draw_states(white, chain_of(dynamics_of(params), params.state), seen).log_normaliser.sum()
