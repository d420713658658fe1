r"""Clusters merged and divided anew, and states joined, in the first part of the warm-up.

Chains may start from too many of both. Neurons leave a cluster one by one only, and every trajectory has been fitted to
its own: two clusters of one kind stay apart for thousands of sweeps, and two kinds in one cluster together. Two states
of one kind stay apart for hundreds. A new arrangement is taken where the evidence grows, trajectories being integrated
out. That is no move of the sampler, and ends before draws are kept. Ours.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster import evidence, laplace
from neurolatent.models.bicluster.dynamics import draw_told, dynamics_of
from neurolatent.models.bicluster.labels import move
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, Moves, occupancy
from neurolatent.models.bicluster.statistics import of_partition, of_states
from neurolatent.models.bicluster.sweep import augmented_draws, sweep

SHARE = 0.4  # of the sweeps in which something is tried; ours
DIVISIONS = 0.6  # share of divisions in what is tried of clusters, once states move, and of splits in divisions half
OF_STATES = 0.25  # share of joined states in what is tried, once states move; ours
HELD = 0.5  # of the settling is left when states are let go; ours
PRICE = 0.25  # of the cost of the laws of one cluster in one state, for a cluster or a state; ours, see the card
SETTLE, FIRM = 20, 10  # draws that a division is given, and those in which labels stay: all that others are given; ours
MERGE, DIVIDE, JOIN = range(3)  # what is tried: two clusters merged, one or two divided anew, two states joined


class _Tried(NamedTuple):
    """Another arrangement of the neurons of some clusters, or of the bins."""

    params: BiclusterParams
    concerned: Bool[Array, " neuron"]
    open: Bool[Array, " cluster"]  # clusters that these neurons have now


def settling_sweep(
    model: Any, params: BiclusterParams, data: BiclusterData, key: PRNGKeyArray, settling: Float[Array, ""]
) -> tuple[BiclusterParams, Moves]:
    """The next draw, and in the first part of the warm-up then another arrangement, if one is found.

    Args:
        settling: From 1 at the first sweep of warm-up to 0 where nothing is arranged anew any more.
    """
    key_sweep, key_merge = jax.random.split(key)
    params, moves = sweep(model, params, data, key_sweep, held=are_held(settling))
    params = jax.lax.cond(settling > 0, lambda: rearranged(model, params, data, key_merge, settling), lambda: params)
    return params, moves


def rearranged(
    model: Any, params: BiclusterParams, data: BiclusterData, key: PRNGKeyArray, settling: Float[Array, ""]
) -> BiclusterParams:
    """The draw after something was tried: clusters merged or divided, or states joined; or after nothing was.

    Args:
        settling: From 1 at the first sweep to 0 at the last: what laws cost is counted by and by, since trajectories
            that have not found their shape yet look alike. Only merges are tried before states move.
    """
    key_coin, key_kind, key_move = jax.random.split(key, 3)
    former, sizes = params.dispersion, occupancy(params.label, params.trajectories.shape[0])
    if model.family == "poisson":
        params = params._replace(dispersion=jnp.full_like(former, model.proposal_dispersion))
    coin = jax.random.uniform(key_kind)
    of_clusters = jnp.where(coin < OF_STATES + (1 - OF_STATES) * DIVISIONS, DIVIDE, MERGE)
    kind = jnp.where(are_held(settling), MERGE, jnp.where(coin < OF_STATES, JOIN, of_clusters))
    merges, divides, joins = (sizes > 0).sum() > 1, (sizes > 1).any() & (len(sizes) > 1), (_bins(params) > 0).sum() > 1
    tries = jnp.stack([merges, divides, joins])[kind] & (jax.random.uniform(key_coin) < SHARE)
    moved = functools.partial(arranged, model, params, data, key_move, 1 - settling, kind=kind)
    return jax.lax.cond(tries, moved, lambda: params)._replace(dispersion=former)


def are_held(settling: Float[Array, ""]) -> Bool[Array, ""]:
    """Whether states stay as they are: in the first half, while trajectories find their shape."""
    return settling > HELD


def arranged(
    model: Any,
    params: BiclusterParams,
    data: BiclusterData,
    key: PRNGKeyArray,
    counted: Float[Array, ""] | float,
    *,
    kind: Int[Array, ""] | int,
) -> BiclusterParams:
    """Another arrangement, if the evidence says so once it has had a few draws of its own."""
    key_try, key_settle = jax.random.split(key)
    tries = (lambda: _merged(data, params, key_try), lambda: _parted(data, params, key_try))
    tried = jax.lax.switch(kind, (*tries, lambda: _joined(params, key_try)))
    even = jnp.where(tried.open, 0.0, -jnp.inf)

    def draw(number: Array, params: BiclusterParams) -> BiclusterParams:
        key_draws, key_laws, key_labels = jax.random.split(jax.random.fold_in(key_settle, number), 3)
        now = augmented_draws(model, params, data, key_draws, held=True)
        now = now._replace(**draw_told(model, now, key_laws)[0]._asdict())
        label, loadings, _ = move(model, now, data, now.trajectories, tried.open, even, key_labels)
        free = tried.concerned & (number >= FIRM)
        return now._replace(
            label=jnp.where(free, label, now.label), loadings=jnp.where(free[:, None], loadings, now.loadings)
        )

    settled = jax.lax.fori_loop(0, jnp.where(kind == DIVIDE, SETTLE, FIRM), draw, tried.params)
    return _better(model, params, settled, data, tried.concerned, counted)


def _better(
    model: Any,
    params: BiclusterParams,
    tried: BiclusterParams,
    data: BiclusterData,
    concerned: Bool[Array, " neuron"],
    counted: Float[Array, ""] | float,
) -> BiclusterParams:
    """The one with more evidence of the neurons concerned; clusters and states pay for laws, which are not averaged."""
    pair = jax.tree.map(lambda *parts: jnp.stack(parts), params, tried)
    found = jax.lax.map(lambda one: evidence.log_evidence(model, one, data, concerned), pair)
    before, after = (of_partition(model, one) + of_states(model, one) for one in (params, tried))
    number, states = _clusters(tried), (_bins(tried) > 0).sum() - (_bins(params) > 0).sum()
    more = number - _clusters(params) + number * states
    change = after - before + found[1] - found[0] - counted * more * PRICE * evidence.cost_of_laws(params)
    return jax.tree.map(lambda a, b: jnp.where(change > 0, a, b), tried, params)


def _clusters(params: BiclusterParams) -> Int[Array, ""]:
    return (occupancy(params.label, params.trajectories.shape[0]) > 0).sum()


def _bins(params: BiclusterParams) -> Int[Array, " state"]:
    """How many steps lead into each state."""
    return occupancy(params.state[1:], len(params.weights))


def _joined(params: BiclusterParams, key: PRNGKeyArray) -> _Tried:
    """Two states at random in one."""
    noise = jnp.where(_bins(params) > 0, jax.random.uniform(key, params.weights.shape), -1.0)
    order = jnp.argsort(-noise).astype(params.state.dtype)
    kept, gone = order[0], order[min(1, len(order) - 1)]
    joined = params._replace(state=jnp.where(params.state == gone, kept, params.state))
    everywhere = occupancy(params.label, params.trajectories.shape[0]) > 0
    return _Tried(joined, jnp.ones(params.label.shape, bool), everywhere)


def _merged(data: BiclusterData, params: BiclusterParams, key: PRNGKeyArray) -> _Tried:
    """A cluster at random in the one that suits its neurons best, their loadings drawn anew."""
    key_gone, key_loadings = jax.random.split(key)
    sizes = occupancy(params.label, params.trajectories.shape[0])
    gone = jax.random.categorical(key_gone, jnp.where(sizes > 0, 0.0, -jnp.inf))
    others = (sizes > 0) & (jnp.arange(len(sizes)) != gone)
    proposals = laplace.propose_all("nb", data, params, params.trajectories, others)
    moving = params.label == gone
    kept = jnp.where(others, jnp.where(moving, proposals.log_marginal, 0.0).sum(axis=1), -jnp.inf).argmax()
    drawn = laplace.draw(jax.tree.map(lambda leaf: leaf[kept], proposals), key_loadings, data.counts.shape[1])
    merged = params._replace(
        label=jnp.where(moving, kept, params.label).astype(params.label.dtype),
        loadings=jnp.where(moving[:, None], drawn, params.loadings),
    )
    return _Tried(merged, moving | (params.label == kept), jnp.arange(len(sizes)) == kept)


def _parted(data: BiclusterData, params: BiclusterParams, key: PRNGKeyArray) -> _Tried:
    """The neurons of a cluster in two, or those of two clusters divided anew.

    Two of the neurons at random part, and each other goes with the one to which its smoothed counts are more
    correlated. A cluster that is new starts with the trajectory and the laws of the one that was there.
    """
    key_old, key_coin, key_new, key_pair = jax.random.split(key, 4)
    sizes = occupancy(params.label, params.trajectories.shape[0])
    number, is_free = jnp.arange(len(sizes)), sizes == 0
    old = jax.random.categorical(key_old, jnp.where(sizes > 1, 0.0, -jnp.inf))
    others = ~is_free & (number != old)
    splits = is_free.any() & ((jax.random.uniform(key_coin) < 0.5) | ~others.any())
    new = jax.random.categorical(key_new, jnp.where(jnp.where(splits, is_free, others), 0.0, -jnp.inf))
    concerned, both = (params.label == old) | (params.label == new), (number == old) | (number == new)
    pair = jnp.argsort(jnp.where(concerned, jax.random.uniform(key_pair, concerned.shape), 2.0))[:2]
    unit = data.level / jnp.maximum(jnp.linalg.norm(data.level, axis=1, keepdims=True), 1e-9)
    near = jnp.abs(unit @ unit[pair].T)
    label = jnp.where(concerned, jnp.where(near[:, 1] > near[:, 0], new, old), params.label)
    source = jnp.where(splits & (number == new), old, number)
    laws = jax.tree.map(lambda part: part[:, source], dynamics_of(params))
    parted = params._replace(label=label.astype(params.label.dtype), trajectories=params.trajectories[source])
    return _Tried(parted._replace(**laws._asdict()), concerned, both)
