"""One sweep of the sampler: each update leaves the posterior as it is.

With a dispersion the same auxiliary variables serve states, trajectories and coefficients: given them these are
conditionals of one joint law, and nothing in between changes what they depend on. The states come first, bin by bin
with the trajectories integrated out, which are then drawn; later once more, in one block given them. Updates with the
variables integrated out (innovations, dispersion, labels, births) follow, and the next sweep draws them anew. Scales
and shears of a cluster's coordinates move before the laws of motion are drawn. The Poisson family has no such
variables: its states move in one block alone, and its trajectories and coefficients are drawn as if the counts had a
large dispersion, and accepted, cluster by cluster and neuron by neuron, by the ratio of the two likelihoods. That is
exact because the draw is reversible for the posterior with the dispersion.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, PRNGKeyArray

from neurolatent.models.bicluster import collapsed
from neurolatent.models.bicluster.births import births
from neurolatent.models.bicluster.dynamics import Dynamics, draw_dynamics
from neurolatent.models.bicluster.innovate import innovate
from neurolatent.models.bicluster.labels import Components, draw_components, draw_labels
from neurolatent.models.bicluster.likelihood import Gaussian, augmented, kernel, log_rate
from neurolatent.models.bicluster.neurons import draw_coefficients, draw_dispersion
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, Moves, occupancy
from neurolatent.models.bicluster.reshape import reshape
from neurolatent.models.bicluster.states import draw_states, draw_weights
from neurolatent.models.bicluster.trajectories import draw_bin_by_bin, draw_trajectories, translate

UPDATES = 12


class Course(NamedTuple):
    """A sweep after what moves in time has been drawn."""

    params: BiclusterParams
    components: Components
    spare: Dynamics  # laws of the prior for each try to give a neuron a cluster of its own: (try, state, 1, ...)
    taken: tuple[Array, Array]  # shares of trajectories and of neurons that moved
    stuck: Float[Array, ""]


def sweep(
    model: Any,
    params: BiclusterParams,
    data: BiclusterData,
    key: PRNGKeyArray,
    held: Bool[Array, ""] | bool = False,
) -> tuple[BiclusterParams, Moves]:
    """The next draw.

    Args:
        held: States stay as they are; for the first sweeps of warm-up.
    """
    keys = jax.random.split(key, UPDATES)
    return partition(model, courses(model, params, data, keys, held), data, keys)


def courses(
    model: Any, params: BiclusterParams, data: BiclusterData, keys: Key[Array, " update"], held: Bool[Array, ""] | bool
) -> Course:
    """Trajectories, coefficients, laws and states, each cluster with laws of its own."""
    if model.family == "nb":
        params, taken = augmented_draws(model, params, data, keys[0], held=held), (jnp.ones(()), jnp.ones(()))
    else:
        params, taken = _poisson_draws(model, params, data, keys[0])
    params = innovate(model, params, data, keys[11])
    params = reshape(model, translate(model, params, keys[1]), keys[10])
    components, concerned = components_of(model, params, keys)
    params, spare, stuck = draw_dynamics(model, params, concerned, keys[2])
    state = jax.lax.cond(held, lambda: params.state, lambda: draw_states(params, keys[3]))
    return Course(params._replace(state=state), components, spare, taken, stuck)


def components_of(
    model: Any, params: BiclusterParams, keys: Key[Array, " update"]
) -> tuple[Components, Bool[Array, " cluster"]]:
    """The components of the sweep, and which of them must have laws: no empty ones where labels are drawn by turns."""
    sizes = occupancy(params.label, params.trajectories.shape[0])
    components = draw_components(model, sizes, keys[8])
    return components, sizes > 0 if model.labels == "collapsed" else components.active


def partition(
    model: Any, course: Course, data: BiclusterData, keys: Key[Array, " update"]
) -> tuple[BiclusterParams, Moves]:
    """Weights of states, dispersions, labels and births given trajectories and the laws of single clusters."""
    params = draw_weights(model, course.params, keys[4])
    if model.family == "nb":
        params = params._replace(dispersion=draw_dispersion(model, params, data, log_rate(params), keys[5]))
    if model.labels == "collapsed":
        params, labels = collapsed.draw_labels(model, params, data, keys[6])
    else:
        params, labels = draw_labels(model, params, data, course.components, keys[6])
    params, born = births(model, params, data, course.spare, keys[7])
    return params, Moves(labels, born, *course.taken, course.stuck)


def augmented_draws(
    model: Any,
    params: BiclusterParams,
    data: BiclusterData,
    key: PRNGKeyArray,
    *,
    held: Bool[Array, ""] | bool,
    draw: Callable[..., Array] = draw_trajectories,
) -> BiclusterParams:
    """States bin by bin, trajectories and coefficients given one set of auxiliary variables.

    Args:
        draw: What draws trajectories where states are held throughout.
    """
    key_omega, key_paths, key_neurons = jax.random.split(key, 3)
    told = augmented(key_omega, data, log_rate(params), params.dispersion)
    if held is True:
        params = params._replace(trajectories=draw(params, told, key_paths))
    else:
        params = draw_bin_by_bin(params, told, key_paths, held=held)
    offset, loadings = draw_coefficients(model, params, told, key_neurons)
    return params._replace(offset=offset, loadings=loadings)


def _poisson_draws(
    model: Any, params: BiclusterParams, data: BiclusterData, key: PRNGKeyArray
) -> tuple[BiclusterParams, tuple[Array, Array]]:
    """The same for Poisson counts, with acceptance; returns the shares of clusters and neurons that moved."""
    key_omega, key_paths, key_accept, key_neurons = jax.random.split(key, 4)
    clusters = params.trajectories.shape[0]
    told, eta = _pretended(model, params, data, key_omega)
    tried = params._replace(trajectories=draw_trajectories(params, told, key_paths))
    change = _log_ratio(model, data, log_rate(tried)) - _log_ratio(model, data, eta)
    member = (params.label[:, None] == jnp.arange(clusters)).astype(change.dtype)
    uniform = jax.random.uniform(key_accept, (clusters,), change.dtype)
    accept = jnp.log1p(-uniform) < change @ member
    paths = jnp.where(accept[:, None, None], tried.trajectories, params.trajectories)
    params = params._replace(trajectories=paths)
    occupied = occupancy(params.label, clusters) > 0
    moved = (accept & occupied).sum() / occupied.sum()

    key_omega, key_draw, key_accept = jax.random.split(key_neurons, 3)
    told, eta = _pretended(model, params, data, key_omega)
    offset, loadings = draw_coefficients(model, params, told, key_draw)
    tried = params._replace(offset=offset, loadings=loadings)
    change = _log_ratio(model, data, log_rate(tried)) - _log_ratio(model, data, eta)
    accept = jnp.log1p(-jax.random.uniform(key_accept, change.shape, change.dtype)) < change
    params = params._replace(
        offset=jnp.where(accept, offset, params.offset),
        loadings=jnp.where(accept[:, None], loadings, params.loadings),
    )
    return params, (moved, accept.mean())


def _pretended(
    model: Any, params: BiclusterParams, data: BiclusterData, key: PRNGKeyArray
) -> tuple[Gaussian, Float[Array, "neuron bin"]]:
    """Auxiliary variables as if the counts had the dispersion of the proposals, and the log rates."""
    eta = log_rate(params)
    return augmented(key, data, eta, jnp.full_like(params.offset, model.proposal_dispersion)), eta


def _log_ratio(model: Any, data: BiclusterData, eta: Float[Array, "neuron bin"]) -> Float[Array, " neuron"]:
    """Log of the Poisson likelihood over that of the proposals."""
    r = jnp.asarray(float(model.proposal_dispersion), eta.dtype)
    each = kernel("poisson", data.counts, eta, r) - kernel("nb", data.counts, eta, r)
    return (each * data.seen).sum(axis=1)
