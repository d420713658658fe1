r"""Laws of motion that couple the clusters, as the published model has them: ``coupling="full"``.

.. math:: X_t = A_{\xi_t} X_{t-1} + b_{\xi_t} + N(0, Q_{\xi_t}), \quad Q \sim IW(KD + 2, 0.01 I), \quad
    [A\ b] \mid Q \sim MN([I\ 0], Q, I / k),

X the trajectories of all K clusters with neurons on top of each other. Laws of a draw have the shape (state, cluster,
coordinate, cluster_from, coordinate_from). Clusters without neurons are not in them: they have blocks of their own from
the prior, and 0 elsewhere.

What is born, dies or is drawn given trajectories alone is as it is without coupling, by the blocks on the diagonal
(:func:`blocks_of`, :func:`joined`). A new cluster has cross-blocks of 0, and one that is gone takes its rows and
columns with it, as in the published code. To cross-blocks of 0 the prior gives no probability, and labels and births
weigh a cluster by its own blocks alone, so that draws are not of the posterior; with a fixed partition they would be.
Only laws of clusters without neurons are restricted to stable ones, so that trajectories can be drawn from them; the
paper restricts none.

Reference: Wei (2023), arXiv 2309.02213, and code weigcdsb/bi_clustering.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster.dynamics import Dynamics, dynamics_of, prior_family, with_fresh
from neurolatent.models.bicluster.likelihood import Gaussian
from neurolatent.models.bicluster.params import BiclusterParams, design, occupancy
from neurolatent.models.bicluster.states import LOG_2PI, draw_path
from neurolatent.models.bicluster.trajectories import information
from neurolatent.ops import mniw, mniw_part
from neurolatent.ops.kalman_joint import Laws, block_diagonal, draw_states

# --- dense laws and their blocks ------------------------------------------------------------------------------------


def blocks_of(params: BiclusterParams) -> BiclusterParams:
    """The draw with the blocks on the diagonals of its laws: as if no cluster drove another."""
    own = lambda law: jnp.einsum("ljajb->ljab", law)  # noqa: E731
    return params._replace(transition=own(params.transition), innovation=own(params.innovation))


def uncoupled(blocks: BiclusterParams) -> BiclusterParams:
    """A draw with one law for each cluster, in the shape of coupled ones."""
    own = jnp.eye(blocks.trajectories.shape[0], dtype=blocks.transition.dtype)[:, None, :, None]
    whole = lambda law: law[:, :, :, None, :] * own  # noqa: E731
    return blocks._replace(transition=whole(blocks.transition), innovation=whole(blocks.innovation))


def joined(former: BiclusterParams, blocks: BiclusterParams, kept: Bool[Array, " cluster"]) -> BiclusterParams:
    """A draw whose laws have these blocks on the diagonal and, between clusters that were kept, the former ones."""
    apart, other = uncoupled(blocks), ~jnp.eye(len(kept), dtype=bool)
    both = (kept[:, None] & kept & other)[:, None, :, None]
    return apart._replace(
        transition=jnp.where(both, former.transition, apart.transition),
        innovation=jnp.where(both, former.innovation, apart.innovation),
    )


def are_same(before: BiclusterParams, after: BiclusterParams) -> Bool[Array, " cluster"]:
    """Clusters with neurons whose laws are the former ones; a cluster that was born meanwhile has others."""
    held = occupancy(after.label, after.trajectories.shape[0]) > 0
    return held & (before.transition == after.transition).all(axis=(0, 2, 3))


def laws_of(params: BiclusterParams) -> Laws:
    """The laws as matrices. What has no neurons is white noise of variance 1."""
    states, clusters, size = params.shift.shape
    is_there, flat = _there(params), (states, clusters * size, clusters * size)
    both = is_there[:, None] & is_there
    return Laws(
        jnp.where(both, params.transition.reshape(flat), 0.0),
        jnp.where(is_there, params.shift.reshape(states, -1), 0.0),
        jnp.where(both, params.innovation.reshape(flat), jnp.eye(flat[1], dtype=params.shift.dtype)),
    )


def paths_of(params: BiclusterParams) -> Float[Array, "bin place"]:
    """The trajectories side by side; 0 where a cluster has no neurons."""
    bins = params.trajectories.shape[1]
    return jnp.where(_there(params), jnp.swapaxes(params.trajectories, 0, 1).reshape(bins, -1), 0.0)


def _there(params: BiclusterParams) -> Bool[Array, " place"]:
    """Coordinates of clusters with neurons."""
    clusters, _, size = params.trajectories.shape
    return jnp.repeat(occupancy(params.label, clusters) > 0, size)


# --- updates --------------------------------------------------------------------------------------------------------


def draw_trajectories(
    params: BiclusterParams, told: Gaussian, key: PRNGKeyArray
) -> Float[Array, "cluster bin coordinate"]:
    """The trajectories of all clusters in one block; 0 where a cluster has no neurons."""
    clusters, bins, size = params.trajectories.shape
    white = jax.random.normal(key, (bins, clusters * size), told.weight.dtype)
    seen = information(params, told, jnp.arange(clusters))
    drawn = jnp.where(_there(params), draw_states(white, laws_of(params), params.state[1:], seen), 0.0)
    return jnp.swapaxes(drawn.reshape(bins, clusters, size), 0, 1)


def translate(model: Any, params: BiclusterParams, key: PRNGKeyArray) -> BiclusterParams:
    """The move of :func:`neurolatent.models.bicluster.trajectories.translate`, constants of all clusters together."""
    (clusters, _, size), states = params.trajectories.shape, params.weights.shape[0]
    x, h, laws, is_there = paths_of(params), design(params.loadings), laws_of(params), _there(params)
    into = (params.state[1:, None] == jnp.arange(states)).astype(x.dtype)
    eye = jnp.eye(x.shape[1], dtype=x.dtype)

    def of_state(given: tuple[Laws, Array, Array, Array]) -> tuple[Array, Array]:
        law, count, ends, starts = given
        root = jnp.linalg.cholesky(law.innovation)
        apart = solve_triangular(root, eye - law.transition, lower=True)
        left = solve_triangular(root, ends - law.transition @ starts - count * law.shift, lower=True)
        return count * apart.T @ apart, apart.T @ left

    moved = jax.lax.map(of_state, (laws, into.sum(axis=0), into.T @ x[1:], into.T @ x[:-1]))
    member = (params.label[:, None] == jnp.arange(clusters)).astype(x.dtype)
    own = jnp.einsum("nj,na,nb->jab", member, h, h) / model.offset_sd**2
    pulled = jnp.einsum("nj,na,n->ja", member, h, params.offset) / model.offset_sd**2
    root = jnp.linalg.cholesky(moved[0].sum(axis=0) + block_diagonal(own) + eye)
    linear = x[0] - pulled.reshape(-1) + moved[1].sum(axis=0)
    white = jax.random.normal(key, linear.shape, x.dtype) + solve_triangular(root, linear, lower=True)
    move = jnp.where(is_there, solve_triangular(root.T, white), 0.0).reshape(clusters, size)
    offset = params.offset + (h * move[params.label]).sum(axis=1)
    return params._replace(trajectories=params.trajectories - move[:, None], offset=offset)


def draw_laws(
    model: Any, params: BiclusterParams, active: Bool[Array, " cluster"], key: PRNGKeyArray
) -> tuple[BiclusterParams, Dynamics]:
    """Laws of all states given trajectories and states, and blocks of the prior for active clusters without neurons.

    Returns:
        The draw, and laws of the prior for each try to give a neuron a cluster of its own (try, state, 1).
    """
    key_told, key_prior = jax.random.split(key)
    is_there, states, shape = _there(params), params.weights.shape[0], params.transition.shape
    one = lambda given: mniw_part.draw(given[0], given[1], is_there)  # noqa: E731
    both, innovation = jax.lax.map(one, (jax.random.split(key_told, states), posteriors(model, params)))
    told = params._replace(
        transition=both[..., :-1].reshape(shape),
        shift=both[..., -1].reshape(params.shift.shape),
        innovation=innovation.reshape(shape),
    )
    occupied, blocks = occupancy(params.label, shape[1]) > 0, blocks_of(told)
    untold = jnp.broadcast_to(active & ~occupied, params.shift.shape[:2])
    drawn, spare = with_fresh(model, dynamics_of(blocks), untold, key_prior)
    return joined(told, blocks._replace(**drawn._asdict()), occupied), spare


def posteriors(model: Any, params: BiclusterParams) -> mniw.Posterior:
    """What trajectories and states say of the law of every state."""
    x, is_there = paths_of(params), _there(params)
    prior, places = prior_family(model, x.shape[1]), x.shape[1]
    steps = jnp.concatenate([x[1:] - x[:-1], x[:-1], jnp.ones_like(x[:-1, :1])], axis=1)

    def of_state(number: Int[Array, ""]) -> mniw.Posterior:
        into = (params.state[1:] == number).astype(x.dtype)
        sums = (into[:, None] * steps).T @ steps
        moments = mniw.Moments(into.sum(), sums[places:, places:], sums[:places, places:])
        return mniw_part.posterior(moments, sums[:places, :places], prior, is_there)

    return jax.lax.map(of_state, jnp.arange(params.weights.shape[0]))


def draw_states_given_paths(params: BiclusterParams, key: PRNGKeyArray) -> Int[Array, " bin"]:
    """All states given trajectories and laws."""
    return draw_path(params, emission(params), key).astype(params.state.dtype)


def emission(params: BiclusterParams) -> Float[Array, "step state"]:
    """Log density of every step of all clusters with neurons under the law of every state, nats."""
    x = paths_of(params)
    count = _there(params).sum().astype(x.dtype)

    def of_state(law: Laws) -> Float[Array, " step"]:
        root = jnp.linalg.cholesky(law.innovation)
        left = solve_triangular(root, (x[1:] - x[:-1] @ law.transition.T - law.shift).T, lower=True)
        return -0.5 * (left**2).sum(axis=0) - jnp.log(jnp.diagonal(root)).sum()

    return jax.lax.map(of_state, laws_of(params)).T - 0.5 * count * LOG_2PI


def log_paths(model: Any, params: BiclusterParams) -> Float[Array, ""]:
    """Log density of the trajectories given the states, laws of motion integrated out, nats."""
    is_there, first = _there(params), paths_of(params)[0]
    prior = prior_family(model, len(first))
    each = jax.lax.map(lambda of: mniw_part.log_marginal(of, prior, is_there), posteriors(model, params))
    return each.sum() - 0.5 * (first**2).sum() - 0.5 * is_there.sum().astype(first.dtype) * LOG_2PI
