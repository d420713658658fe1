"""What the forms of the hidden-Markov recursions share: containers, masking, guarded logarithms.

All forms read the same arguments: ``initial`` and ``transition`` ([from, to]) are probabilities, ``log_emission`` is in
nats, sequences are padded at their end and ``lengths`` says where.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

EXCLUDED = -1e29  # a log-emission at or below it means: this state is impossible at this step


class Filtered(NamedTuple):
    """Beliefs that use the past and the present only."""

    log_evidence: Float[Array, " sequences"]  # log p(y_1:T), nats; -inf if the data are impossible
    log_increments: Float[Array, "sequences time"]  # log p(y_t | y_<t); 0 on padding; -inf from the impossible step on
    filtered: Float[Array, "sequences time states"]  # p(s_t | y_1:t); 0 on padding and from the impossible step on


class Smoothed(NamedTuple):
    """Beliefs that use the whole sequence; a sequence of impossible data has no posterior and counts nowhere."""

    log_evidence: Float[Array, " sequences"]  # as in Filtered
    log_increments: Float[Array, "sequences time"]
    filtered: Float[Array, "sequences time states"]
    smoothed: Float[Array, "sequences time states"]  # p(s_t | y_1:T); 0 on padding and for impossible data
    jumps: Float[Array, "states states"]  # expected i -> j transitions, summed over sequences and time


class Path(NamedTuple):
    """The most probable states."""

    states: Int[Array, "sequences time"]  # ties to the lowest index; -1 on padding and for impossible data
    log_score: Float[Array, " sequences"]  # log p(y, s) of that path, nats; -inf for impossible data


class Posterior(NamedTuple):
    """What each form of the smoother returns: as Smoothed, with the jumps of every sequence apart."""

    filtered: Filtered
    smoothed: Float[Array, "sequences time states"]
    jumps: Float[Array, "sequences states states"]


def is_within(lengths: Int[Array, " sequences"], time: int) -> Bool[Array, "sequences time"]:
    """True on data, false on padding."""
    return jnp.arange(time, dtype=lengths.dtype) < lengths[:, None]


def shifted(
    log_emission: Float[Array, "sequences time states"], lengths: Int[Array, " sequences"]
) -> tuple[Float[Array, "time sequences states"], Float[Array, "time sequences"]]:
    """Log-emissions less their maximum over states, time first, and that maximum (0 where no state is possible).

    Excluded states are -inf and padding is 0, whatever stood there. The shift keeps the digits of the differences.
    """
    within = is_within(lengths, log_emission.shape[1])[:, :, None]
    impossible = jnp.where(jnp.isnan(log_emission), log_emission, -jnp.inf)  # NaN stays visible
    scores = jnp.where(within, jnp.where(log_emission > EXCLUDED, log_emission, impossible), 0.0)
    shift = finite_max(scores, axis=2)
    return jnp.swapaxes(scores - shift, 0, 1), shift[:, :, 0].T


def as_filtered(
    log_increments: Float[Array, "sequences time"],
    filtered: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Filtered:
    """The container, with padding set to zero."""
    within = is_within(lengths, filtered.shape[1])
    increments = jnp.where(within, log_increments, 0.0)
    return Filtered(increments.sum(axis=1), increments, jnp.where(within[:, :, None], filtered, 0.0))


def as_posterior(
    filtered: Filtered,
    smoothed: Float[Array, "sequences time states"],
    jumps: Float[Array, "sequences states states"],
    lengths: Int[Array, " sequences"],
) -> Posterior:
    """The container, with zeros on padding and for impossible sequences."""
    possible = ~jnp.isneginf(filtered.log_evidence)[:, None, None]
    within = is_within(lengths, smoothed.shape[1])[:, :, None]
    return Posterior(filtered, jnp.where(within & possible, smoothed, 0.0), jnp.where(possible, jumps, 0.0))


def finite_max(x: Float[Array, "*shape"], axis: int | tuple[int, ...]) -> Float[Array, "*reduced"]:
    """Maximum along axes, kept as axes of size one; 0 where all values are -inf, so that it can be subtracted."""
    top = x.max(axis=axis, keepdims=True)
    return jnp.where(jnp.isneginf(top), 0.0, top)


def log_sum(x: Float[Array, "*shape"], axis: int) -> Float[Array, "*reduced"]:
    """Log of the sum of exponentials along an axis; -inf where all values are -inf."""
    top = finite_max(x, axis)
    return jnp.log(jnp.exp(x - top).sum(axis=axis)) + top.squeeze(axis)


def pick(weights: Float[Array, "*sequences states"], uniform: Float[Array, "*sequences"]) -> Int[Array, "*sequences"]:
    """One state per sequence, drawn in proportion to its weight by inversion; a weight of zero is never drawn."""
    sums = jnp.cumsum(weights, axis=-1)
    return (sums <= uniform[..., None] * sums[..., -1:]).sum(axis=-1, dtype=jnp.int32)
