r"""Trajectories of all clusters given everything else, and a move along the direction that the data cannot tell.

Given the auxiliary variables the likelihood is Gaussian in the log rate, so that each bin says of its state
:math:`J_t = \sum_{i: z_i = j} \omega_{it} h_i h_i^T,\ h_t = \sum_i h_i (\kappa_{it} - \omega_{it} d_i)`, and the states
are drawn forwards and backwards. The law of motion into a bin is always that of the bin's own state.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster.dynamics import chain_of, dynamics_of
from neurolatent.models.bicluster.likelihood import Gaussian
from neurolatent.models.bicluster.params import BiclusterParams, design, occupancy
from neurolatent.ops import small, switching
from neurolatent.ops.kalman import Information
from neurolatent.ops.kalman_draw import draw_states

TINY = 1e-300  # a probability of a jump that counts as none


def information(params: BiclusterParams, told: Gaussian) -> Information:
    """What the counts of each bin say of the state of each cluster."""
    h = design(params.loadings)
    bins, (neurons, size), clusters = told.weight.shape[1], h.shape, params.trajectories.shape[0]
    member = (params.label[:, None] == jnp.arange(clusters)).astype(h.dtype)
    pairs = (member[:, :, None, None] * small.product(h[:, :, None], h[:, None, :])[:, None]).reshape(neurons, -1)
    single = (member[:, :, None] * h[:, None]).reshape(neurons, -1)
    pull = told.pull - told.weight * params.offset[:, None]
    return Information(
        (told.weight.T @ pairs).reshape(bins, clusters, size, size), (pull.T @ single).reshape(bins, clusters, size)
    )


def draw_trajectories(
    params: BiclusterParams, told: Gaussian, key: PRNGKeyArray
) -> Float[Array, "cluster bin coordinate"]:
    """The trajectories of all clusters; 0 where a cluster has no neurons, since its law may let it grow for ever."""
    chain = chain_of(dynamics_of(params), params.state)
    clusters, bins, size = params.trajectories.shape
    white = jax.random.normal(key, (bins, clusters, size), told.weight.dtype)
    drawn = jnp.swapaxes(draw_states(white, chain, information(params, told)).states, 0, 1)
    return jnp.where((occupancy(params.label, clusters) > 0)[:, None, None], drawn, 0.0)


def draw_bin_by_bin(params: BiclusterParams, told: Gaussian, key: PRNGKeyArray) -> Int[Array, " bin"]:
    """The states, each given all others, with the trajectories integrated out; those must be drawn anew after it.

    Clusters without neurons take no part: their laws may let a covariance grow beyond all bounds.
    """
    states, dtype = params.weights.shape[0], told.weight.dtype
    noise = jax.random.gumbel(key, (len(params.state) - 1, states), dtype)
    initial = jnp.full(states, -jnp.log(jnp.asarray(float(states), dtype)))
    jumps = jnp.log(jnp.maximum(params.jumps, TINY))
    occupied = occupancy(params.label, params.trajectories.shape[0]) > 0
    still = jnp.eye(params.innovation.shape[-1], dtype=dtype)
    laws = switching.Laws(
        jnp.where(occupied[:, None, None], params.transition, 0.0),
        jnp.where(occupied[:, None], params.shift, 0.0),
        jnp.where(occupied[:, None, None], params.innovation, still),
    )
    drawn = switching.draw_bin_by_bin(noise, laws, information(params, told), params.state[1:], initial, jumps)
    return jnp.concatenate([drawn[:1], drawn])


def translate(model: Any, params: BiclusterParams, key: PRNGKeyArray) -> BiclusterParams:
    r"""Move every trajectory by a constant v and its neurons' offsets against it: the rates stay, the priors draw v.

    .. math::
        \Lambda = \sum_i \frac{h_i h_i^T}{\sigma_d^2} + V_0^{-1} + \sum_{t \ge 2} (I - A)^T Q^{-1} (I - A), \quad
        \zeta = -\sum_i \frac{h_i d_i}{\sigma_d^2} + V_0^{-1} x_1
        + \sum_{t \ge 2} (I - A)^T Q^{-1} (x_t - A x_{t-1} - b),

    :math:`v \sim N(\Lambda^{-1} \zeta, \Lambda^{-1})`: a draw from the law along an orbit of translations, whose
    Jacobian is 1 (Liu and Sabatti, 2000, Biometrika 87(2):353-369).
    """
    chain, h = chain_of(dynamics_of(params), params.state), design(params.loadings)
    clusters, _, size = params.trajectories.shape
    x = jnp.swapaxes(params.trajectories, 0, 1)
    eye = jnp.eye(size, dtype=x.dtype)
    apart = small.transposed(eye - chain.transition)
    weighted = small.product(apart, chain.innovation)
    left = x[1:] - small.applied(chain.transition, x[:-1]) - chain.shift
    member = (params.label[:, None] == jnp.arange(clusters)).astype(x.dtype)
    precision = jnp.einsum("nj,na,nb->jab", member, h, h) / model.offset_sd**2 + eye
    precision = precision + small.product(weighted, small.transposed(apart)).sum(axis=0)
    linear = x[0] - jnp.einsum("nj,na,n->ja", member, h, params.offset) / model.offset_sd**2
    linear = linear + small.applied(weighted, left).sum(axis=0)
    inverse = small.lower_inverse(small.cholesky(precision))
    white = small.applied(inverse, linear) + jax.random.normal(key, linear.shape, x.dtype)
    move = small.applied(small.transposed(inverse), white)
    offset = params.offset + (h * move[params.label]).sum(axis=1)
    return params._replace(trajectories=params.trajectories - move[:, None], offset=offset)
