r"""Trajectories of all clusters given everything else, and a move along the direction that the data cannot tell.

Given the auxiliary variables the likelihood is Gaussian in the log rate, so that each bin says of its state
:math:`J_t = \sum_{i: z_i = j} \omega_{it} h_i h_i^T,\ h_t = \sum_i h_i (\kappa_{it} - \omega_{it} d_i)`, and the states
are drawn forwards and backwards. The law of motion into a bin is always that of the bin's own state.
"""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster.dynamics import Dynamics, chain_of, dynamics_of
from neurolatent.models.bicluster.likelihood import Gaussian
from neurolatent.models.bicluster.params import BiclusterParams, design, occupancy
from neurolatent.ops import small, switching
from neurolatent.ops.kalman import Information
from neurolatent.ops.kalman_draw import draw_backward, draw_states

NARROW = 8  # clusters for which the narrowest program has room
TINY = 1e-300  # a probability of a jump that counts as none


def information(params: BiclusterParams, told: Gaussian, places: Int[Array, " place"]) -> Information:
    """What the counts of each bin say of the state of some clusters; 0 where a cluster has no neurons."""
    h = design(params.loadings)
    bins, (neurons, size), clusters = told.weight.shape[1], h.shape, len(places)
    member = (params.label[:, None] == places).astype(h.dtype)
    pairs = (member[:, :, None, None] * (h[:, None, :, None] * h[:, None, None, :])).reshape(neurons, -1)
    single = (member[:, :, None] * h[:, None]).reshape(neurons, -1)
    pull = told.pull - told.weight * params.offset[:, None]
    return Information(
        (told.weight.T @ pairs).reshape(bins, clusters, size, size), (pull.T @ single).reshape(bins, clusters, size)
    )


def with_neurons(params: BiclusterParams, told: Gaussian, tell: Callable[[Dynamics, Information, Array], Any]) -> Any:
    """What ``tell`` makes of laws, information and numbers of the clusters with neurons.

    Widths of 8, 16, ... are compiled, and the smallest that suffices is taken. What is left over in it stands still:
    the law of a cluster without neurons may let a covariance grow beyond all bounds.
    """
    clusters, size = params.trajectories.shape[0], params.trajectories.shape[-1]
    occupied = occupancy(params.label, clusters) > 0
    order = jnp.argsort(~occupied)
    widths = [
        *itertools.takewhile(lambda width: width < clusters, (NARROW * 2**n for n in itertools.count())),
        clusters,
    ]
    zero, one = (value.astype(params.transition.dtype) for value in (jnp.zeros((size, size)), jnp.eye(size)))

    def at(width: int) -> Callable[[], Any]:
        def told_there() -> Any:
            places = order[:width]
            used = occupied[places][:, None]
            laws = jax.tree.map(lambda part: part[:, places], dynamics_of(params))
            still = Dynamics(
                jnp.where(used[..., None], laws.transition, zero),
                jnp.where(used, laws.shift, 0.0),
                jnp.where(used[..., None], laws.innovation, one),
            )
            return tell(still, information(params, told, places), places)

        return told_there

    return jax.lax.switch(jnp.searchsorted(jnp.array(widths), occupied.sum()), [at(width) for width in widths])


def draw_trajectories(
    params: BiclusterParams, told: Gaussian, key: PRNGKeyArray
) -> Float[Array, "cluster bin coordinate"]:
    """The trajectories of all clusters; 0 where a cluster has no neurons."""
    clusters, bins, size = params.trajectories.shape

    def draw(laws: Dynamics, seen: Information, places: Array) -> Array:
        white = jax.random.normal(key, (bins, len(places), size), told.weight.dtype)
        drawn = jnp.swapaxes(draw_states(white, chain_of(laws, params.state), seen).states, 0, 1)
        return jnp.zeros((clusters, bins, size), white.dtype).at[places].set(drawn)

    drawn = with_neurons(params, told, draw)
    return jnp.where((occupancy(params.label, clusters) > 0)[:, None, None], drawn, 0.0)


def draw_bin_by_bin(
    params: BiclusterParams, told: Gaussian, key: PRNGKeyArray, *, held: Bool[Array, ""] | bool = False
) -> BiclusterParams:
    """The states, each given all others, with the trajectories integrated out, and then the trajectories.

    Args:
        held: States stay as they are.
    """
    key_noise, key_paths = jax.random.split(key)
    (clusters, bins, size), states, dtype = params.trajectories.shape, params.weights.shape[0], told.weight.dtype
    noise = jax.random.gumbel(key_noise, (bins - 1, states), dtype)
    initial = jnp.full(states, -jnp.log(jnp.asarray(float(states), dtype)))
    jumps = jnp.log(jnp.maximum(params.jumps, TINY))

    white = jax.random.normal(key_paths, (bins, clusters, size), dtype)

    def draw(laws: Dynamics, seen: Information, places: Array) -> tuple[Array, Array]:
        now = params.state[1:]
        drawn, passed = switching.draw_bin_by_bin(noise, switching.Laws(*laws), seen, now, initial, jumps, held)
        state = jnp.concatenate([drawn[:1], drawn])
        paths = jnp.swapaxes(draw_backward(white[:, : len(places)], chain_of(laws, state), passed), 0, 1)
        return state, jnp.zeros((clusters, bins, size), dtype).at[places].set(paths)

    state, paths = with_neurons(params, told, draw)
    paths = jnp.where((occupancy(params.label, clusters) > 0)[:, None, None], paths, 0.0)
    return params._replace(state=state, trajectories=paths)


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
    apart, innovation = small.entries(eye - chain.transition), small.entries(chain.innovation)
    left = small.sums(small.applied(apart, small.parts(x[:-1])), small.parts(x[1:] - x[:-1] - chain.shift))
    pulled = small.applied(small.transposed(apart), small.applied(innovation, left))
    member = (params.label[:, None] == jnp.arange(clusters)).astype(x.dtype)
    precision = jnp.einsum("nj,na,nb->jab", member, h, h) / model.offset_sd**2 + eye
    precision = precision + small.from_entries(small.congruent(apart, innovation)).sum(axis=0)
    linear = x[0] - jnp.einsum("nj,na,n->ja", member, h, params.offset) / model.offset_sd**2
    linear = linear + small.from_parts(pulled).sum(axis=0)
    white = jax.random.normal(key, linear.shape, x.dtype)
    move = small.normal(small.entries(precision), small.parts(linear), white)
    offset = params.offset + (h * move[params.label]).sum(axis=1)
    return params._replace(trajectories=params.trajectories - move[:, None], offset=offset)
