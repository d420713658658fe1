r"""How trajectories move: one linear law per state and cluster, its conjugate prior, and its draw.

.. math:: x_t = A_{\xi_t} x_{t-1} + b_{\xi_t} + N(0, Q_{\xi_t}), \quad Q \sim IW(D + 2, 0.01 I), \quad
    [A\ b] \mid Q \sim MN([I\ 0], Q, I / k), \quad \rho(A) < 1.02.

The paper has k = 1. With innovations of 0.1 that holds each coefficient within about 0.1 of staying where one is: a
state in which trajectories die out costs dozens of nats in every coordinate, while two states that hardly differ cost
little, and draws cut time into five to eight states where there are two. With k = 0.02, which is ours, they do not.

The restriction to a spectral radius below 1.02 is ours: without it most draws of the prior grow without bound within a
recording, so that no cluster is ever born. The conjugate posterior under it is the usual one, restricted: draws are
made until one is stable, which is exact; where none is among many, the former value stays, which leaves the law as it
is, because whether that happens does not depend on it.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster.params import BiclusterParams, occupancy
from neurolatent.ops import mniw, small
from neurolatent.ops.kalman_draw import Chain

TRIES = 200
LARGEST = 1.02  # spectral radius: ours, a trajectory of 500 bins grows by a factor of 20,000 at most


class Dynamics(NamedTuple):
    """Laws of motion on any leading axes."""

    transition: Float[Array, "*batch coordinate coordinate_from"]
    shift: Float[Array, "*batch coordinate"]
    innovation: Float[Array, "*batch coordinate coordinate_from"]


def prior_family(model: Any, size: int) -> mniw.Family:
    """The prior of coefficients and innovation of ``size`` coordinates."""
    mean = np.c_[np.eye(size), np.zeros(size)]
    return mniw.Family(mean, float(model.law_precision) * np.eye(size + 1), size + 2.0, 0.01 * np.eye(size))


def moments_of(
    trajectories: Float[Array, "cluster bin coordinate"],
    state: Int[Array, " bin"],
    occupied: Bool[Array, " cluster"],
    states: int,
) -> tuple[mniw.Moments, Float[Array, "state cluster coordinate coordinate_from"]]:
    """Moments of steps x_t - x_{t-1} (the prior's mean being to stay) on (x_{t-1}, 1), by state and cluster."""
    into = (state[1:, None] == jnp.arange(states)).astype(trajectories.dtype)
    before = trajectories[:, :-1]
    regressors = jnp.concatenate([before, jnp.ones_like(before[..., :1])], axis=-1)
    moved = trajectories[:, 1:] - before
    both = jnp.where(occupied[:, None, None], jnp.concatenate([moved, regressors], axis=-1), 0.0)
    size, clusters = moved.shape[-1], len(occupied)
    pairs = small.product(both[..., :, None], both[..., None, :]).reshape(clusters, len(into), -1)
    sums = jnp.einsum("tl,jtm->ljm", into, pairs).reshape(states, clusters, 2 * size + 1, 2 * size + 1)
    weight = into.sum(axis=0)[:, None] * occupied
    return mniw.Moments(weight, sums[..., size:, size:], sums[..., :size, size:]), sums[..., :size, :size]


def draw_stable(
    key: PRNGKeyArray, of: mniw.Posterior, former: Dynamics, *, stable: bool
) -> tuple[Dynamics, Float[Array, ""]]:
    """A draw of each law, again and again until all are stable; and the number of those that never were."""

    def once(number: Array) -> Dynamics:
        both, innovation = mniw.draw_posterior(jax.random.fold_in(key, number), of)
        return Dynamics(both[..., :-1], both[..., -1], innovation)

    if not stable:
        return once(jnp.zeros((), jnp.uint32)), jnp.zeros((), of.root.dtype)

    def again(carry: tuple[Dynamics, Array, Array]) -> tuple[Dynamics, Array, Array]:
        kept, done, number = carry
        anew = once(number)
        good = small.is_within_radius(anew.transition, LARGEST) & ~done
        return jax.tree.map(lambda a, b: _where(good, a, b), anew, kept), done | good, number + 1

    start = (former, jnp.zeros(of.freedom.shape, bool), jnp.zeros((), jnp.uint32))
    drawn, done, _ = jax.lax.while_loop(lambda carry: ~carry[1].all() & (carry[2] < TRIES), again, start)
    return drawn, (~done).sum().astype(of.root.dtype)


def _where(condition: Array, first: Array, second: Array) -> Array:
    return jnp.where(condition.reshape(condition.shape + (1,) * (first.ndim - condition.ndim)), first, second)


def draw_dynamics(model: Any, params: BiclusterParams, key: PRNGKeyArray) -> tuple[BiclusterParams, Array]:
    """Laws of all states and clusters given trajectories and states; from the prior where nothing tells of them."""
    occupied = occupancy(params.label, params.trajectories.shape[0]) > 0
    moments, squares = moments_of(params.trajectories, params.state, occupied, params.transition.shape[0])
    of = mniw.posterior(moments, squares, prior_family(model, params.trajectories.shape[-1]))
    former = Dynamics(params.transition, params.shift, params.innovation)
    drawn, stuck = draw_stable(key, of, former, stable=model.stable)
    return params._replace(**drawn._asdict()), stuck


def draw_prior(model: Any, key: PRNGKeyArray, shape: tuple[int, ...], size: int, dtype: Any) -> Dynamics:
    """Laws from the prior."""
    family, zero = prior_family(model, size), jnp.zeros((*shape, size, size), dtype)
    moments = mniw.Moments(
        jnp.zeros(shape, dtype),
        jnp.zeros((*shape, size + 1, size + 1), dtype),
        jnp.zeros((*shape, size, size + 1), dtype),
    )
    former = Dynamics(zero, zero[..., 0], zero + 0.01 * jnp.eye(size, dtype=dtype))
    return draw_stable(key, mniw.posterior(moments, zero, family), former, stable=model.stable)[0]


def chain_of(dynamics: Dynamics, state: Int[Array, " bin"]) -> Chain:
    """The law of all trajectories given the states: laws on the axes (state, cluster)."""
    inverse = small.lower_inverse(small.cholesky(dynamics.innovation))
    precision = small.product(small.transposed(inverse), inverse)
    at = state[1:]
    start = jnp.broadcast_to(jnp.eye(precision.shape[-1], dtype=precision.dtype), precision.shape[1:])
    return Chain(
        jnp.zeros(dynamics.shift.shape[1:], precision.dtype),
        start,
        dynamics.transition[at],
        dynamics.shift[at],
        precision[at],
    )


def roll_out(
    key: PRNGKeyArray, dynamics: Dynamics, state: Int[Array, " bin"]
) -> Float[Array, "cluster bin coordinate"]:
    """Trajectories from the prior given laws and states, started at N(0, I)."""
    white = jax.random.normal(key, (len(state), *dynamics.shift.shape[1:]), dynamics.shift.dtype)
    roots = small.cholesky(dynamics.innovation)

    def step(x: Array, bin_: tuple[Array, Array]) -> tuple[Array, Array]:
        at, noise = bin_
        x = small.applied(dynamics.transition[at], x) + dynamics.shift[at] + small.applied(roots[at], noise)
        return x, x

    _, rest = jax.lax.scan(step, white[0], (state[1:], white[1:]))
    return jnp.swapaxes(jnp.concatenate([white[:1], rest]), 0, 1)
