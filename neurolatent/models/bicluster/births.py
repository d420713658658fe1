r"""Birth of a cluster of one neuron from the neuron's own counts, and its reverse.

A trajectory from the prior hardly ever suits a neuron. A birth draws laws of motion from the prior and then a
trajectory from :math:`q(X) = p(X \mid \theta, \xi) g(X) / Z(\theta)`, where :math:`g = \prod_t N(\ell_t; x_{t0},
s_t^2)` holds the neuron's smoothed log counts, which depend on the data alone. With number and weights of the
components integrated out (:math:`V_N` of :mod:`neurolatent.ops.partitions`) it is accepted with probability
:math:`\min(1, R)`,

.. math:: R = \frac{\gamma V_N(t + 1)}{V_N(t)} \frac{1}{N - 1 + \gamma t} \frac{Z(\theta^*)}{g(X^*)}
    \frac{p(y \mid X^*, c^*) N(c^*) / q^*(c^*)}{p(y \mid X, c) N(c) / q(c)},

t the clusters of the other neurons. A neuron that is alone proposes to join cluster c with probability
:math:`(n_c + \gamma) / (N - 1 + \gamma t)`, accepted with the inverse ratio. Ours.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster import laplace
from neurolatent.models.bicluster.dynamics import Dynamics, chain_of, dynamics_of, with_cluster
from neurolatent.models.bicluster.labels import log_coefficients
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, occupancy
from neurolatent.ops.kalman import Information
from neurolatent.ops.kalman_draw import draw_states


class _Alone(NamedTuple):
    """A neuron that is a cluster by itself: its laws of motion, its trajectory, and what they cost."""

    laws: Dynamics
    path: Float[Array, "bin coordinate"]
    log_gain: Float[Array, ""]  # of log (Z(theta) / g(X)), nats


def births(
    model: Any, params: BiclusterParams, data: BiclusterData, spare: Dynamics, key: PRNGKeyArray
) -> tuple[BiclusterParams, Float[Array, ""]]:
    """So many tries as the model says, each for a neuron at random, and how many were accepted.

    Args:
        spare: Fresh laws of motion of the prior for each try: (try, state, 1, ...).
    """

    def one(number: Array, carry: tuple[BiclusterParams, Array]) -> tuple[BiclusterParams, Array]:
        params, accepted = carry
        laws = jax.tree.map(lambda part: part[number], spare)
        anew, taken = _try(model, params, data, laws, jax.random.fold_in(key, number))
        return anew, accepted + taken

    if model.births == 0:
        return params, jnp.zeros((), params.offset.dtype)
    return jax.lax.fori_loop(0, model.births, one, (params, jnp.zeros((), params.offset.dtype)))


def _try(
    model: Any, params: BiclusterParams, data: BiclusterData, fresh: Dynamics, key: PRNGKeyArray
) -> tuple[BiclusterParams, Float[Array, ""]]:
    """A birth, or a death where the neuron is alone: it by itself against it in a cluster of others."""
    key_neuron, key_alone, key_target, key_loadings, key_accept = jax.random.split(key, 5)
    clusters, neurons = params.trajectories.shape[0], len(params.label)
    i = jax.random.randint(key_neuron, (), 0, neurons)
    own, sizes = params.label[i], occupancy(params.label, clusters)
    is_alone, others = sizes[own] == 1, sizes.at[own].add(-1)
    t = (others > 0).sum()
    single = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, i, 1), data)
    alone = _alone(params, single, fresh, own, is_alone, key_alone)
    weight = jnp.where(others > 0, jnp.log(others + model.concentration), -jnp.inf)
    target = jnp.where(is_alone, jax.random.categorical(key_target, weight), own)
    paths = jnp.stack([alone.path, params.trajectories[target]])
    loadings, scores = _places(model, params, single, i, paths, is_alone, key_loadings)
    gain = _log_prior_ratio(model, neurons, clusters, t) + alone.log_gain + scores[0] - scores[1]
    gain = jnp.where(is_alone, -gain, gain)
    accept = (jnp.log1p(-jax.random.uniform(key_accept, (), gain.dtype)) < gain) & (t > 0)
    moved = _born(params, i, alone, jnp.argmin(sizes), loadings[0])
    gone = params._replace(
        label=params.label.at[i].set(target.astype(params.label.dtype)), loadings=params.loadings.at[i].set(loadings[1])
    )
    tried = jax.tree.map(lambda a, b: jnp.where(is_alone, a, b), gone, moved)
    return jax.tree.map(lambda a, b: jnp.where(accept, a, b), tried, params), accept.astype(gain.dtype)


def _born(params: BiclusterParams, i: Array, alone: _Alone, slot: Array, loadings: Array) -> BiclusterParams:
    """The draw with a neuron moved to a free cluster."""
    label = params.label.at[i].set(slot.astype(params.label.dtype))
    placed = with_cluster(params, slot, alone.laws, alone.path)
    return placed._replace(label=label, loadings=params.loadings.at[i].set(loadings))


def _alone(
    params: BiclusterParams, single: BiclusterData, fresh: Dynamics, own: Array, is_alone: Array, key: PRNGKeyArray
) -> _Alone:
    """What the neuron by itself has, or would have."""
    size = params.shift.shape[-1]
    mine = Dynamics(*(jax.lax.dynamic_slice_in_dim(part, own, 1, axis=1) for part in dynamics_of(params)))
    laws = jax.tree.map(lambda a, b: jnp.where(is_alone, a, b), mine, fresh)
    white = jax.random.normal(key, (len(params.state), 1, size), params.offset.dtype)
    drawn = draw_states(white, chain_of(laws, params.state), _pull(single, size))
    path = jnp.where(is_alone, params.trajectories[own], drawn.states[:, 0])
    level, worth = single.level[0], single.worth[0]
    log_pull = (worth * (level * path[:, 0] - 0.5 * path[:, 0] ** 2)).sum()
    return _Alone(laws, path, drawn.log_normaliser[0] - log_pull)


def _pull(single: BiclusterData, size: int) -> Information:
    """The pseudo-likelihood of the mean coordinate, as information and up to what does not depend on it."""
    level, worth = single.level[0], single.worth[0]
    first = (jnp.arange(size) == 0).astype(level.dtype)
    return Information(worth[:, None, None, None] * (first[:, None] * first), (worth * level)[:, None, None] * first)


def _places(
    model: Any,
    params: BiclusterParams,
    single: BiclusterData,
    i: Int[Array, ""],
    paths: Float[Array, "2 bin coordinate"],
    is_alone: Array,
    key: PRNGKeyArray,
) -> tuple[Float[Array, "2 factor"], Float[Array, " 2"]]:
    """Loadings by itself and in the cluster, and the log of target over proposal of each.

    The neuron keeps its loadings where it is; where it would go they come from the Gaussian at the mode.
    """
    here = params._replace(offset=params.offset[i][None], dispersion=params.dispersion[i][None])
    propose = functools.partial(laplace.propose, model.family, single, here.offset, here.dispersion)
    proposals = jax.vmap(propose)(paths)
    is_here = jnp.stack([is_alone, ~is_alone])[:, None, None]
    loadings = jnp.where(is_here, params.loadings[i], laplace.draw(proposals, key, paths.shape[1]))
    target = jax.vmap(lambda path, c: laplace.log_target(model.family, single, here, path[None], c))
    return loadings[:, 0], (target(paths, loadings) - laplace.log_density(proposals, loadings, paths.shape[1]))[:, 0]


def _log_prior_ratio(model: Any, neurons: int, clusters: int, t: Int[Array, ""]) -> Float[Array, ""]:
    r""":math:`\log (\gamma V_N(t + 1) / V_N(t)) - \log (N - 1 + \gamma t)`; -inf where no cluster is free."""
    logs, gamma = jnp.asarray(log_coefficients(model, neurons, clusters)), model.concentration
    ratio = jnp.log(gamma) + logs[t + 1] - logs[t] - jnp.log(neurons - 1 + gamma * t)
    return jnp.where(t > 0, ratio, 0.0)
