"""Hidden Markov recursions whose transitions change from step to step: in the log domain, one step after the other.

The same arguments as in :mod:`~neurolatent.ops.hmm`, but ``log_transition[:, t]`` holds the log probabilities
[from, to] of going from step t to step t + 1. Gradients are those of automatic differentiation; probabilities must be
positive.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from neurolatent.ops.hmm_common import Filtered, Path, Posterior, as_filtered, as_posterior, is_within, log_sum


class Backward(NamedTuple):
    """What one backward step carries and leaves behind."""

    smoothed: Float[Array, "sequences time states"]
    pairs: Float[Array, "sequences steps states states"]  # p(s_t, s_t+1 | y); 0 beyond the end of a sequence


def filter_states(
    initial: Float[Array, "sequences states"],
    log_transition: Float[Array, "sequences steps states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Filtered:
    """Probability of each state given the past and the present, and the log evidence step by step."""
    belief, increments = _forward(initial, log_transition, log_emission)
    return as_filtered(increments, jnp.exp(belief), lengths)


def smooth_states(
    initial: Float[Array, "sequences states"],
    log_transition: Float[Array, "sequences steps states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> tuple[Posterior, Float[Array, "sequences steps states states"]]:
    """The smoother, and the probability of each pair of neighbouring states."""
    belief, increments = _forward(initial, log_transition, log_emission)
    found = _backward(belief, log_transition, lengths)
    filtered = as_filtered(increments, jnp.exp(belief), lengths)
    return as_posterior(filtered, found.smoothed, found.pairs.sum(axis=1), lengths), found.pairs


def viterbi(
    initial: Float[Array, "sequences states"],
    log_transition: Float[Array, "sequences steps states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Path:
    """The most probable path; of equal paths the one whose last state is lowest, then the one before it, and so on."""
    within = is_within(lengths, log_emission.shape[1])

    def ahead(score: Array, step: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        moves, emission, counts = step
        options = score[:, :, None] + moves
        new = options.max(axis=1) + emission
        stays = jnp.broadcast_to(jnp.arange(score.shape[1]), score.shape)
        return jnp.where(counts[:, None], new, score), jnp.where(counts[:, None], options.argmax(axis=1), stays)

    first = jnp.log(initial) + log_emission[:, 0]
    steps = (jnp.swapaxes(log_transition, 0, 1), jnp.swapaxes(log_emission[:, 1:], 0, 1), within[:, 1:].T)
    last, pointers = jax.lax.scan(ahead, first, steps)

    def back(state: Array, pointer: Array) -> tuple[Array, Array]:
        before = jnp.take_along_axis(pointer, state[:, None], axis=1)[:, 0]
        return before, state

    ends = last.argmax(axis=1)
    begin, states = jax.lax.scan(back, ends, pointers, reverse=True)
    path = jnp.concatenate([begin[None], states]).T
    return Path(jnp.where(within, path, -1), last.max(axis=1))


def _forward(
    initial: Float[Array, "sequences states"],
    log_transition: Float[Array, "sequences steps states states"],
    log_emission: Float[Array, "sequences time states"],
) -> tuple[Float[Array, "sequences time states"], Float[Array, "sequences time"]]:
    """Log beliefs and the log evidence of each step."""

    def normalised(joint: Array) -> tuple[Array, Array]:
        gain = log_sum(joint, 1)
        return joint - gain[:, None], gain

    def ahead(belief: Array, step: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        moves, emission = step
        new = normalised(log_sum(belief[:, :, None] + moves, 1) + emission)
        return new[0], new

    first = normalised(jnp.log(initial) + log_emission[:, 0])
    steps = (jnp.swapaxes(log_transition, 0, 1), jnp.swapaxes(log_emission[:, 1:], 0, 1))
    _, (beliefs, gains) = jax.lax.scan(ahead, first[0], steps)
    joined = [jnp.concatenate([a[None], b]) for a, b in zip(first, (beliefs, gains), strict=True)]
    return jnp.swapaxes(joined[0], 0, 1), joined[1].T


def _backward(
    belief: Float[Array, "sequences time states"],
    log_transition: Float[Array, "sequences steps states states"],
    lengths: Int[Array, " sequences"],
) -> Backward:
    r"""Smoothing from the filter alone: p(s_t, s_t+1 | y) = p(s_t | y_1:t) A / p(s_t+1 | y_1:t) * p(s_t+1 | y)."""
    within = is_within(lengths, belief.shape[1])

    def back(after: Array, step: tuple[Array, Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        here, moves, counts = step
        joint = here[:, :, None] + moves
        pairs = jnp.exp(joint - log_sum(joint, 1)[:, None]) * after[:, None]
        pairs = jnp.where(counts[:, None, None], pairs, 0.0)
        smoothed = jnp.where(counts[:, None], pairs.sum(axis=2), jnp.exp(here))
        return smoothed, (smoothed, pairs)

    last = jnp.exp(belief[:, -1])
    steps = (jnp.swapaxes(belief[:, :-1], 0, 1), jnp.swapaxes(log_transition, 0, 1), within[:, 1:].T)
    _, (smoothed, pairs) = jax.lax.scan(back, last, steps, reverse=True)
    whole = jnp.concatenate([jnp.swapaxes(smoothed, 0, 1), last[:, None]], axis=1)
    return Backward(whole, jnp.swapaxes(pairs, 0, 1))
