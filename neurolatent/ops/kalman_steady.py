r"""Kalman filter where every bin has the same precision: the covariance settles, then only the mean moves.

The covariance does not depend on what is observed. Under a constant :math:`J` it converges geometrically; from the bin
on where it has, :math:`\mu_t = (I - \Sigma J) A \mu_{t-1} + \Sigma h_t` is all that is left to compute,
a linear recurrence. Going back, the covariance of the smoother settles in the same way.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurolatent.ops.kalman import Dynamics, Filtered, Information, kalman_filter, predict, symmetric, update
from neurolatent.ops.kalman_smoother import Smoothed, smooth, smooth_back, smoother_gains
from neurolatent.ops.recurrence import linear_recurrence

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
    settle = settle if settle < time - 1 else time
    seen = Information(jnp.broadcast_to(precision, (settle, latent, latent)), shift[:settle])
    if first is not None:
        seen = Information(seen.precision.at[0].set(first.precision), seen.shift.at[0].set(first.shift))
    early = kalman_filter(dynamics, seen)
    if settle == time:
        return early
    mean, cov = predict(early.mean[-1], early.cov[-1], dynamics)
    _, posterior, _ = update(mean, cov, Information(precision, jnp.zeros_like(mean)))
    keep = jnp.eye(latent, dtype=shift.dtype) - posterior @ precision

    push, moves = shift[settle:] @ posterior, dynamics.transition
    following = linear_recurrence(moves @ keep, mean, push[:-1] @ moves.T)
    predictions = jnp.concatenate([mean[None], following])
    means = predictions @ keep.T + push
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


def steady_smooth(filtered: Filtered, transition: Float[Array, "latent latent"], *, settle: int) -> Smoothed:
    """As :func:`neurolatent.ops.kalman_smoother.smooth`, of what :func:`steady_filter` gave with the same ``settle``.

    Between the first and the last ``settle`` bins the covariance does not change, and the mean is a linear recurrence.
    """
    time = len(filtered.mean)
    if time < 3 * settle + 2:
        return smooth(filtered, transition)
    gain = smoother_gains(jax.tree.map(lambda leaf: leaf[-2:], filtered), transition)[0]
    push = filtered.mean[settle:-1] - filtered.predicted_mean[settle + 1 :] @ gain.T
    means = jnp.concatenate([linear_recurrence(gain, filtered.mean[-1], push[::-1])[::-1], filtered.mean[-1:]])

    def back(later: Array, _: None) -> tuple[Array, Array]:
        cov = symmetric(filtered.cov[-1] + gain @ (later - filtered.predicted_cov[-1]) @ gain.T)
        return cov, cov

    kept, covs = jax.lax.scan(back, filtered.cov[-1], None, length=settle)
    middle = jnp.broadcast_to(kept, (time - 2 * settle - 1, *kept.shape))
    late = jnp.concatenate([middle, covs[::-1], filtered.cov[-1:]])
    first = jax.tree.map(lambda leaf: leaf[: settle + 1], filtered)
    early = smooth_back(first, transition, (means[0], late[0]))
    lagged = jnp.concatenate([early.lagged_cov, late[1:] @ gain.T])
    return Smoothed(jnp.concatenate([early.mean[:-1], means]), jnp.concatenate([early.cov[:-1], late]), lagged)


def settling_time(dynamics: Dynamics, precision: Float[Array, "latent latent"]) -> Array:
    """Bins until the covariance has settled under one precision, forwards and back; at most ``MOST_STEPS``."""
    nothing = Information(precision, jnp.zeros_like(dynamics.mean))
    forwards, predicted = _settled(
        lambda cov: predict(*update(dynamics.mean, cov, nothing)[:2], dynamics)[1], dynamics.cov
    )
    filtered = update(dynamics.mean, predicted, nothing)[1]
    gain = jnp.linalg.solve(predicted, dynamics.transition @ filtered).T
    back, _ = _settled(lambda cov: symmetric(filtered + gain @ (cov - predicted) @ gain.T), filtered)
    return jnp.maximum(forwards, back)


def _settled(move: Callable[[Array], Array], start: Array) -> tuple[Array, Array]:
    """Steps until a covariance does not change any more, and that covariance."""

    def moves(state: tuple[Array, Array, Array]) -> Array:
        count, cov, change = state
        return (change > SETTLED) & (count < MOST_STEPS)

    def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        count, cov, _ = state
        after = move(cov)
        return count + 1, after, jnp.max(jnp.abs(after - cov)) / jnp.max(jnp.abs(after))

    count, cov, _ = jax.lax.while_loop(moves, step, (jnp.zeros((), int), start, jnp.ones((), start.dtype)))
    return count, cov
