r"""Moves along the scales and shears of a cluster's coordinates, which the counts cannot tell.

With :math:`x \to M x, \ h \to h M^{-1}, \ A \to M A M^{-1}, \ b \to M b, \ Q \to M Q M^T` every rate stays, and so does
the law of the steps but for :math:`|M|`. Trajectories and loadings drawn in turn hardly move along such an orbit: a
scale takes hundreds of sweeps. Here small :math:`M` are tried, the mean's loading staying 1, and accepted by the
priors and the Jacobian. With laws of motion given, of which steps tell, the target at :math:`M` is

.. math:: -\tfrac12 tr(W W^T (\sum_i h_i h_i^T + s \sum_l Q_l^{-1} + k \sum_l R_l^T Q_l^{-1} R_l))
    - \tfrac12 |M x_1|^2 + c \log |M|, \quad W = M^{-1}, \ R_l = A_l - I,

where :math:`c = 1 - n + m (D + 2) - m (\nu + 2 D + 2)` for n neurons and m laws, :math:`IW(\nu, s I)` and precision k.

Reference: Liu and Sabatti (2000), Biometrika 87(2):353-369 (moves along orbits). Ours.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from neurolatent.models.bicluster.dynamics import dynamics_of, prior_family
from neurolatent.models.bicluster.params import BiclusterParams, design, occupancy
from neurolatent.ops import small

TRIES = 12
STEPS = (0.4, 0.15, 0.05)  # standard deviations of a try, in turn; ours


class Orbit(NamedTuple):
    """What the target along the orbit of each cluster is made of."""

    pull: Float[Array, "cluster coordinate coordinate"]  # holds M back from growing small: of W W^T
    first: Float[Array, "cluster coordinate"]  # x_1
    power: Float[Array, " cluster"]  # of |M|
    occupied: Bool[Array, " cluster"]


class Shape(NamedTuple):
    """A map of each cluster's coordinates."""

    onward: Float[Array, "cluster coordinate coordinate"]  # M
    back: Float[Array, "cluster coordinate coordinate"]  # its inverse
    log_size: Float[Array, " cluster"]  # log |M|


def reshape(model: Any, params: BiclusterParams, key: PRNGKeyArray) -> BiclusterParams:
    """The draw on another place of its orbit, after some tries.

    Laws of motion of which no step tells are integrated out: they must be drawn anew next.
    """
    orbit = orbit_of(model, params)
    clusters, size = orbit.first.shape
    eye = jnp.broadcast_to(jnp.eye(size, dtype=orbit.pull.dtype), orbit.pull.shape)

    def one(number: Array, shape: Shape) -> Shape:
        key_step, key_accept = jax.random.split(jax.random.fold_in(key, number))
        sizes = jnp.asarray(STEPS, eye.dtype)[number % len(STEPS)]
        tried = _elementary(shape, sizes, key_step)
        change = log_target(orbit, tried) - log_target(orbit, shape)
        uniform = jax.random.uniform(key_accept, (clusters,), eye.dtype)
        accept = (jnp.log1p(-uniform) < change) & orbit.occupied
        return jax.tree.map(lambda a, b: jnp.where(accept.reshape(-1, *(1,) * (a.ndim - 1)), a, b), tried, shape)

    nowhere = Shape(eye, eye, jnp.zeros(clusters, eye.dtype))
    return reshaped(params, jax.lax.fori_loop(0, TRIES, one, nowhere))


def orbit_of(model: Any, params: BiclusterParams) -> Orbit:
    """The target along the orbits of a draw."""
    (states, clusters, size), laws = params.shift.shape, dynamics_of(params)
    family, dtype = prior_family(model, size), params.offset.dtype
    sizes = occupancy(params.label, clusters)
    h, member = design(params.loadings), (params.label[:, None] == jnp.arange(clusters)).astype(dtype)
    precision = small.from_entries(small.inverse(small.entries(laws.innovation)))
    apart = laws.transition - jnp.eye(size, dtype=dtype)
    told = (params.state[1:, None] == jnp.arange(states)).any(axis=0).astype(dtype)
    pull = jnp.einsum("nj,na,nb->jab", member, h, h) + family.scale[0, 0] * jnp.einsum("l,ljab->jab", told, precision)
    pull = pull + model.law_precision * jnp.einsum("l,ljca,ljcd,ljdb->jab", told, apart, precision, apart)
    power = 1.0 - sizes + told.sum() * (size + 2 - family.freedom - 2 * size - 2)
    return Orbit(pull, params.trajectories[:, 0], power.astype(dtype), sizes > 0)


def log_target(orbit: Orbit, shape: Shape) -> Float[Array, " cluster"]:
    """Log density, Jacobian included, of each cluster in another shape, up to what no shape changes."""
    weight = shape.back @ jnp.swapaxes(shape.back, -1, -2)
    first = (shape.onward * orbit.first[:, None]).sum(axis=-1)
    return -0.5 * ((weight * orbit.pull).sum(axis=(-2, -1)) + (first**2).sum(axis=-1)) + orbit.power * shape.log_size


def _elementary(shape: Shape, step: Float[Array, ""], key: PRNGKeyArray) -> Shape:
    """A factor stretched, or a multiple of one added to another coordinate: minus the step undoes it."""
    key_row, key_column, key_size = jax.random.split(key, 3)
    clusters, size, _ = shape.onward.shape
    row = jax.random.randint(key_row, (clusters,), 0, size)
    column = jax.random.randint(key_column, (clusters,), 1, size)
    drawn = step * jax.random.normal(key_size, (clusters,), step.dtype)
    stretches, number = row == column, jnp.arange(size)
    place = ((row[:, None] == number)[:, :, None] & (column[:, None] == number)[:, None]).astype(step.dtype)
    onward, back = (jnp.where(stretches, jnp.expm1(e), e)[:, None, None] * place for e in (drawn, -drawn))
    return Shape(
        shape.onward + onward @ shape.onward,
        shape.back + shape.back @ back,
        shape.log_size + jnp.where(stretches, drawn, 0.0),
    )


def reshaped(params: BiclusterParams, shape: Shape) -> BiclusterParams:
    """The draw with coordinates, loadings and laws of motion of each cluster mapped."""
    onward, back = shape.onward, shape.back
    loadings = jnp.einsum("na,nab->nb", design(params.loadings), back[params.label])[:, 1:]
    innovation = jnp.einsum("jab,ljbc,jdc->ljad", onward, params.innovation, onward)
    return params._replace(
        loadings=loadings,
        trajectories=jnp.einsum("jab,jtb->jta", onward, params.trajectories),
        transition=jnp.einsum("jab,ljbc,jcd->ljad", onward, params.transition, back),
        shift=jnp.einsum("jab,ljb->lja", onward, params.shift),
        innovation=0.5 * (innovation + jnp.swapaxes(innovation, -1, -2)),
    )
