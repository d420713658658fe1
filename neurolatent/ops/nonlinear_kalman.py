r"""Kalman filters of nonlinear states and observations: a Gaussian belief is pushed through a function.

By the function's slope at the mean (extended Kalman filter), or by the :math:`2d` points
:math:`\mu \pm \sqrt d\, L_{\cdot i}` of equal weight, :math:`\Sigma = L L^T` (unscented Kalman filter; the transform
with :math:`\alpha = 1, \beta = 0, \kappa = 0`, whose centre weighs nothing). Both are exact where the function is
linear.

The state moves by :math:`z_t = g(z_{t-1}) + N(0, \Gamma)`. An observation is :math:`x_t = h(z_t) + N(0, \Lambda)`, or
already information on the state, as of a discriminative filter.

References: Julier and Uhlmann (1997), SPIE 3068 (the points); Burkhart et al. (2020), Neural Computation
32(5):969-1017 (their constants, and the nonlinear state of a discriminative filter).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve, solve_triangular
from jaxtyping import Array, Bool, Float

from neurolatent.ops.kalman import Filtered, Information, symmetric, update
from neurolatent.ops.kalman_smoother import smooth_by

Function = Callable[[Array], Array]  # of one state


class Pushed(NamedTuple):
    """A belief after a function."""

    mean: Float[Array, " outputs"]
    cov: Float[Array, "outputs outputs"]
    cross: Float[Array, "latent outputs"]  # covariance of the state with the outputs


Push = Callable[[Function, Array, Array], Pushed]


class Moving(NamedTuple):
    """A nonlinear state model, and the law of the first state before its observation."""

    move: Function  # g
    innovation: Float[Array, "latent latent"]  # Gamma
    mean: Float[Array, " latent"]
    cov: Float[Array, "latent latent"]


class Observing(NamedTuple):
    """A nonlinear observation."""

    emission: Function  # h
    noise: Float[Array, "features features"]  # Lambda


def linearised(function: Function, mean: Float[Array, " latent"], cov: Float[Array, "latent latent"]) -> Pushed:
    """The belief after the function's tangent at the mean."""
    slope = jax.jacfwd(function)(mean)
    cross = cov @ slope.T
    return Pushed(function(mean), symmetric(slope @ cross), cross)


def unscented(function: Function, mean: Float[Array, " latent"], cov: Float[Array, "latent latent"]) -> Pushed:
    """Mean and covariance of the function at the 2d points of the belief."""
    arms = jnp.linalg.cholesky(len(mean) * cov).T
    values = jax.vmap(function)(jnp.concatenate([mean + arms, mean - arms]))
    centre = jnp.mean(values, axis=0)
    off = values - centre
    cross = jnp.concatenate([arms, -arms]).T @ off / len(off)
    return Pushed(centre, symmetric(off.T @ off / len(off)), cross)


def filter_observed(
    state: Moving,
    observing: Observing,
    x: Float[Array, "time features"],
    heard: Bool[Array, " time"],
    *,
    push: Push,
) -> Filtered:
    """The extended or the unscented Kalman filter; log increments are log p(x_t | x_<t), nats, and 0 in silent bins."""

    def look(mean: Array, cov: Array, bin_: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        after = observe(mean, cov, bin_[0], observing, push=push)
        return jax.tree.map(lambda a, b: jnp.where(bin_[1], a, b), after, (mean, cov, jnp.zeros_like(after[2])))

    return _filter(state, look, (x, heard), push)


def filter_told(state: Moving, seen: Information, *, push: Push) -> Filtered:
    """As :func:`neurolatent.ops.kalman.kalman_filter` of a state that moves nonlinearly."""
    return _filter(state, lambda mean, cov, bin_: update(mean, cov, bin_), seen, push)


def smooth_told(
    state: Moving, filtered: Filtered, *, push: Push
) -> tuple[Float[Array, "time latent"], Float[Array, "time latent latent"]]:
    r"""Means and covariances given all bins: the gain of a bin is :math:`Cov(z_t, z_{t+1}) M_{t+1}^{-1}`."""

    def gain(bin_: tuple[Array, Array, Array]) -> Array:
        mean, cov, ahead = bin_
        return cho_solve(cho_factor(ahead, lower=True), push(state.move, mean, cov).cross.T).T

    # Bin by bin: with jaxlib 0.10.2 two batches of Cholesky roots at once can stop for ever on two cores (see ops.spd).
    gains = jax.lax.map(gain, (filtered.mean[:-1], filtered.cov[:-1], filtered.predicted_cov[1:]))
    whole = smooth_by(filtered, gains, (filtered.mean[-1], filtered.cov[-1]))
    return whole.mean, whole.cov


def observe(
    mean: Float[Array, " latent"],
    cov: Float[Array, "latent latent"],
    x: Float[Array, " features"],
    observing: Observing,
    *,
    push: Push,
) -> tuple[Float[Array, " latent"], Float[Array, "latent latent"], Float[Array, ""]]:
    """The belief after one observation, and the observation's log density under the belief before it."""
    pushed = push(observing.emission, mean, cov)
    root = jnp.linalg.cholesky(pushed.cov + observing.noise)
    weight = solve_triangular(root, pushed.cross.T, lower=True)
    surprise = solve_triangular(root, x - pushed.mean, lower=True)
    half_log_det = jnp.sum(jnp.log(jnp.diagonal(root))) + 0.5 * len(x) * jnp.log(2 * jnp.pi).astype(x.dtype)
    gain = -0.5 * jnp.sum(surprise**2) - half_log_det
    return mean + weight.T @ surprise, symmetric(cov - weight.T @ weight), gain


def _filter(state: Moving, look: Callable[..., tuple[Array, Array, Array]], bins: Any, push: Push) -> Filtered:
    def step(carry: tuple[Array, Array], bin_: Any) -> tuple[tuple[Array, Array], Filtered]:
        mean, cov, gain = look(*carry, bin_)
        moved = push(state.move, mean, cov)
        return (moved.mean, symmetric(moved.cov + state.innovation)), Filtered(mean, cov, *carry, gain)

    return jax.lax.scan(step, (state.mean, state.cov), bins)[1]
