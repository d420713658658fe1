r"""Labels neuron by neuron, number and weights of the clusters integrated out: the sampler of the published kind.

Neurons take their turns in an order at random. With t clusters of the others, of sizes :math:`n_c`, a neuron meets each
of them with weight :math:`n_c + \gamma` and one empty cluster, its own if it was alone, with weight
:math:`\gamma V_N(t + 1) / V_N(t)`; label and loadings move together (:func:`labels.choose`). Given that one cluster
each move leaves the posterior as it is, and it is drawn anew each time from its law (algorithm 8 of Neal, 2000, Journal
of Computational and Graphical Statistics 9(2):249-265, with one auxiliary component; coefficients
:math:`V_N` of Miller and Harrison, 2018, here of a number of clusters up to the bound).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster import laplace
from neurolatent.models.bicluster.dynamics import Dynamics, draw_prior, with_cluster
from neurolatent.models.bicluster.labels import choose, log_coefficients
from neurolatent.models.bicluster.newcomers import newcomers
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, occupancy


class _Turn(NamedTuple):
    """What is carried from neuron to neuron."""

    params: BiclusterParams
    proposals: laplace.Proposal  # (cluster, neuron); without meaning for clusters without neurons


class _Place(NamedTuple):
    """Where a neuron stands before its turn."""

    others: Int[Array, " cluster"]  # sizes without it
    slot: Int[Array, ""]  # the empty cluster that it meets
    is_free: Array  # whether there is room for one
    is_alone: Array


def draw_labels(
    model: Any, params: BiclusterParams, data: BiclusterData, key: PRNGKeyArray
) -> tuple[BiclusterParams, Float[Array, ""]]:
    """Labels and loadings of all neurons, and the share of proposals that were accepted."""
    key_order, key_laws, key_turns = jax.random.split(key, 3)
    neurons, sizes = len(params.label), occupancy(params.label, params.trajectories.shape[0])
    order, spare = jax.random.permutation(key_order, neurons), _spare(model, params, key_laws)
    proposals = laplace.propose_all(model.family, data, params, params.trajectories, sizes > 0)

    def turn(carry: _Turn, number: Array) -> tuple[_Turn, Array]:
        laws = jax.tree.map(lambda part: part[number], spare)
        return _turn(model, carry, data, order[number], laws, jax.random.fold_in(key_turns, number))

    last, accepted = jax.lax.scan(turn, _Turn(params, proposals), jnp.arange(neurons))
    return last.params, accepted.mean()


def _spare(model: Any, params: BiclusterParams, key: PRNGKeyArray) -> Dynamics:
    """Laws of the prior for one cluster at each turn: (turn, state, 1, ...)."""
    (states, _, size), neurons = params.shift.shape, len(params.label)
    wanted = None if model.birth == "prior" else 0  # heuristic clusters have laws of their own
    flat = draw_prior(model, key, neurons * states, size, params.offset.dtype, wanted=wanted)
    return jax.tree.map(lambda part: part.reshape(neurons, states, 1, *part.shape[1:]), flat)


def _turn(
    model: Any, carry: _Turn, data: BiclusterData, i: Int[Array, ""], laws: Dynamics, key: PRNGKeyArray
) -> tuple[_Turn, Float[Array, ""]]:
    """One neuron's turn."""
    key_path, key_move = jax.random.split(key)
    params, proposals = carry
    at = _place_of(params, i)
    weights = _weights(model, at, len(params.label))
    is_new = at.is_free & ~at.is_alone
    laws, paths = newcomers(model, laws, params.state, key_path)
    met = with_cluster(params, at.slot, laws, paths[0])
    params = jax.tree.map(lambda a, b: jnp.where(is_new, a, b), met, params)
    one = lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, i, 1)  # noqa: E731
    single, path = jax.tree.map(one, data), params.trajectories[at.slot]
    parts = ("label", "offset", "loadings", "dispersion")
    here = params._replace(**{name: one(getattr(params, name)) for name in parts})
    fresh = laplace.propose(model.family, single, here.offset, here.dispersion, path)
    own = jax.tree.map(
        lambda all_, new: all_[:, i][:, None].at[at.slot].set(jnp.where(is_new, new, all_[at.slot, i])),
        proposals,
        fresh,
    )
    label, loadings, accepted = choose(model, here, single, params.trajectories, own, weights, key_move)
    params = params._replace(label=params.label.at[i].set(label[0]), loadings=params.loadings.at[i].set(loadings[0]))

    def with_row() -> laplace.Proposal:
        row = laplace.propose(model.family, data, params.offset, params.dispersion, path)
        return jax.tree.map(lambda all_, new: all_.at[at.slot].set(new), proposals, row)

    is_born = is_new & (label[0] == at.slot)
    return _Turn(params, jax.lax.cond(is_born, with_row, lambda: proposals)), accepted


def _place_of(params: BiclusterParams, i: Int[Array, ""]) -> _Place:
    own = params.label[i]
    others = occupancy(params.label, params.trajectories.shape[0]).at[own].add(-1)
    is_alone = others[own] == 0
    slot = jnp.where(is_alone, own, jnp.argmin(others))
    return _Place(others, slot, others[slot] == 0, is_alone)


def _weights(model: Any, at: _Place, neurons: int) -> Float[Array, " cluster"]:
    """Logarithms of the weights of all clusters; -inf of empty ones but that in the slot."""
    gamma, clusters = float(model.concentration), len(at.others)
    logs = jnp.asarray(log_coefficients(model, neurons, clusters))
    t = (at.others > 0).sum()
    there = jnp.where(at.others > 0, jnp.log(at.others + gamma), -jnp.inf)
    return there.at[at.slot].set(jnp.where(at.is_free, jnp.log(gamma) + logs[t + 1] - logs[t], there[at.slot]))
