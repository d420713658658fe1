"""The recursions in the log domain, one step after the other: right for any input, several times slower than linear."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from neurolatent.ops.hmm_common import (
    Filtered,
    Path,
    Posterior,
    as_filtered,
    as_posterior,
    finite_max,
    is_within,
    log_sum,
    pick,
    shifted,
)


class Forward(NamedTuple):
    """The forward pass: the log filter less its maximum in each step, which keeps the loop short."""

    belief: Float[Array, "time sequences states"]  # log p(s_t | y_1:t) up to a constant, maximum 0
    mass: Float[Array, "time sequences"]  # sum of exp(belief); 0 from the impossible step on
    increments: Float[Array, "time sequences"]  # log p(y_t | y_<t), nats


def forward(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Forward:
    """The forward pass; it runs on after the end of a sequence."""
    scores, shift = shifted(log_emission, lengths)
    moves = jnp.log(transition)

    def step(belief: Array, score: Array) -> tuple[Array, tuple[Array, Array]]:
        joint = log_sum(belief[:, :, None] + moves, axis=1) + score
        top = finite_max(joint, axis=1)
        return joint - top, (joint - top, top[:, 0])

    joint = jnp.log(initial) + scores[0]
    top = finite_max(joint, axis=1)
    _, (beliefs, tops) = jax.lax.scan(step, joint - top, scores[1:])
    belief = jnp.concatenate([(joint - top)[None], beliefs])
    mass = jnp.exp(belief).sum(axis=2)
    log_mass = jnp.log(mass)
    before = jnp.concatenate([jnp.zeros_like(log_mass[:1]), log_mass[:-1]])
    gain = log_mass - jnp.where(jnp.isneginf(before), 0.0, before)
    return Forward(belief, mass, gain + jnp.concatenate([top.T, tops]) + shift)


def as_filter(passed: Forward, lengths: Int[Array, " sequences"]) -> Filtered:
    """The filter, from a forward pass."""
    filtered = jnp.exp(passed.belief) / jnp.where(passed.mass > 0, passed.mass, 1.0)[:, :, None]
    return as_filtered(passed.increments.T, jnp.swapaxes(filtered, 0, 1), lengths)


def filter_states(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Filtered:
    """The filter."""
    return as_filter(forward(initial, transition, log_emission, lengths), lengths)


def smooth_states(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Posterior:
    """The smoother; its backward pass holds log p(y_t+1:T | s_t) up to a constant, maximum 0.

    Pairs of states are scaled to sum to one in each step, whatever the constants.
    """
    passed = forward(initial, transition, log_emission, lengths)
    scores, _ = shifted(log_emission, lengths)
    moves = jnp.log(transition)
    inside = is_within(lengths, len(scores)).T

    def step(carry: tuple[Array, Array], inputs: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], Array]:
        after, jumps = carry
        score, belief, within = inputs
        pairs = moves + (score + after)[:, None]
        tops = finite_max(pairs, axis=2)
        weights = jnp.exp(pairs - tops)
        sums = weights.sum(axis=2)
        rows = jnp.where(sums > 0, belief + tops[:, :, 0], -jnp.inf)
        rows = jnp.exp(rows - finite_max(rows, axis=1))
        total = (rows * sums).sum(axis=1)
        share = jnp.where(within & (total > 0), 1 / total, 0.0)
        jumps = jumps + (rows * share[:, None])[:, :, None] * weights
        after = jnp.log(sums) + tops[:, :, 0]
        after = jnp.where(within[:, None], after - finite_max(after, axis=1), 0.0)
        return (after, jumps), after

    start = (jnp.zeros_like(passed.belief[0]), jnp.zeros((*initial.shape, initial.shape[1]), initial.dtype))
    (_, jumps), after = jax.lax.scan(step, start, (scores[1:], passed.belief[:-1], inside[1:]), reverse=True)
    joint = passed.belief + jnp.concatenate([after, start[0][None]])
    smoothed = jnp.exp(joint - finite_max(joint, axis=2))
    smoothed = smoothed / smoothed.sum(axis=2, keepdims=True)
    return as_posterior(as_filter(passed, lengths), jnp.swapaxes(smoothed, 0, 1), jumps, lengths)


def viterbi(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Path:
    r"""The most probable path: :math:`\delta_t(j) = \max_i (\delta_{t-1}(i) + \log A_{ij}) + l_t(j)`, less its maximum.

    The way back asks each state anew where its maximum came from: the forward loop stays small.
    """
    scores, shift = shifted(log_emission, lengths)
    moves = jnp.log(transition)
    inside = is_within(lengths, len(scores)).T

    def advance(delta: Array, score: Array) -> tuple[Array, tuple[Array, Array]]:
        joint = (delta[:, :, None] + moves).max(axis=1) + score
        top = joint.max(axis=1)
        delta = joint - jnp.where(jnp.isneginf(top), 0.0, top)[:, None]
        return delta, (top, delta)

    def trace(state: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        delta, within_next = inputs
        into = jnp.where(within_next[:, None], moves.T[state], 0.0)
        state = jnp.argmax(delta + into, axis=1).astype(jnp.int32)
        return state, state

    joint = jnp.log(initial) + scores[0]
    first = joint - finite_max(joint, axis=1)
    last, (tops, deltas) = jax.lax.scan(advance, first, scores[1:])
    tops = jnp.where(inside, jnp.concatenate([joint.max(axis=1)[None], tops]) + shift, 0.0)
    deltas = jnp.concatenate([first[None], deltas])
    follows = jnp.concatenate([inside[1:], jnp.zeros_like(inside[:1])])
    _, states = jax.lax.scan(trace, jnp.zeros(last.shape[0], jnp.int32), (deltas, follows), reverse=True)
    log_score = tops.sum(axis=0)
    return Path(jnp.where(inside & ~jnp.isneginf(log_score), states, -1).T, log_score)


def sample_states(
    uniform: Float[Array, "time sequences"],
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Int[Array, "sequences time"]:
    """A draw of all states given the data, from the last step back to the first."""
    passed = forward(initial, transition, log_emission, lengths)
    moves = jnp.log(transition)
    inside = is_within(lengths, len(passed.mass)).T
    follows = jnp.concatenate([inside[1:], jnp.zeros_like(inside[:1])])

    def step(state: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        belief, within_next, u = inputs
        joint = belief + jnp.where(within_next[:, None], moves.T[state], 0.0)
        state = pick(jnp.exp(joint - finite_max(joint, axis=1)), u)
        return state, state

    start = jnp.zeros(lengths.shape, jnp.int32)
    _, states = jax.lax.scan(step, start, (passed.belief, follows, uniform), reverse=True)
    possible = ~((passed.mass == 0) & inside).any(axis=0)
    return jnp.where(inside & possible, states, -1).T
