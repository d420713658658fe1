r"""Kalman filter where every bin has the same precision: the covariance settles, then only the mean moves.

The covariance does not depend on what is observed. Under a constant :math:`J` it converges geometrically; from the bin
on where it has, :math:`\mu_t = (I - \Sigma J) A \mu_{t-1} + \Sigma h_t` is all that is left to compute.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurolatent.ops.kalman import Dynamics, Filtered, Information, kalman_filter, predict, update

SETTLED = 1e-14  # relative change of the covariance in one bin that counts as none
MOST_STEPS = 2_000


def steady_filter(
    dynamics: Dynamics,
    precision: Float[Array, "latent latent"],
    shift: Float[Array, "time latent"],
    *,
    settle: int,
    first: Information | None = None,
) -> Filtered:
    """As :func:`neurolatent.ops.kalman.kalman_filter` with one precision for all bins, none of them missing.

    Args:
        settle: Bins filtered in full, those of :func:`settling_time`; after them the covariance is kept.
        first: What the first bin says, where its precision is another one.
    """
    time, latent = shift.shape
    settle = min(settle, time)
    seen = Information(jnp.broadcast_to(precision, (settle, latent, latent)), shift[:settle])
    if first is not None:
        seen = Information(seen.precision.at[0].set(first.precision), seen.shift.at[0].set(first.shift))
    early = kalman_filter(dynamics, seen)
    mean, cov = predict(early.mean[-1], early.cov[-1], dynamics)
    _, posterior, _ = update(mean, cov, Information(precision, jnp.zeros_like(mean)))
    keep = jnp.eye(latent, dtype=shift.dtype) - posterior @ precision

    def step(predicted: Array, push: Array) -> tuple[Array, tuple[Array, Array]]:
        filtered = keep @ predicted + push
        return dynamics.transition @ filtered, (filtered, predicted)

    _, (means, predictions) = jax.lax.scan(step, mean, shift[settle:] @ posterior)
    late = _late(means, predictions, posterior, cov, precision, shift[settle:])
    return Filtered(*(jnp.concatenate(pair) for pair in zip(early, late, strict=True)))


def _late(means: Array, predictions: Array, posterior: Array, cov: Array, precision: Array, shift: Array) -> Filtered:
    """The bins after settling; their covariances are one matrix each, repeated."""
    surprise = shift - predictions @ precision
    inner = jnp.eye(len(cov), dtype=cov.dtype) + precision @ cov
    log_mean = (
        0.5 * jnp.sum((shift + surprise) * predictions, axis=1)
        + 0.5 * jnp.sum(surprise * (means - predictions), axis=1)
        - 0.5 * jnp.linalg.slogdet(inner)[1]
    )
    many = lambda matrix: jnp.broadcast_to(matrix, (len(shift), *matrix.shape))  # noqa: E731
    return Filtered(means, many(posterior), predictions, many(cov), log_mean)


def settling_time(dynamics: Dynamics, precision: Float[Array, "latent latent"]) -> Array:
    """Bins until the covariance has settled under one precision; at most ``MOST_STEPS``."""
    nothing = Information(precision, jnp.zeros_like(dynamics.mean))

    def moves(state: tuple[Array, Array, Array]) -> Array:
        count, cov, change = state
        return (change > SETTLED) & (count < MOST_STEPS)

    def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        count, cov, _ = state
        after = predict(*update(dynamics.mean, cov, nothing)[:2], dynamics)[1]
        return count + 1, after, jnp.max(jnp.abs(after - cov)) / jnp.max(jnp.abs(after))

    return jax.lax.while_loop(moves, step, (jnp.zeros((), int), dynamics.cov, jnp.ones((), dynamics.cov.dtype)))[0]
