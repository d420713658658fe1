r"""The recursions in parallel over time, log domain: for accelerators, where a step costs a launch (slower on a CPU).

A step is the matrix :math:`M_t(i, j) = \log A_{ij} + l_t(j)`; products of steps, in the semiring of (logsumexp, +) or
(max, +), are associative, so all prefixes and suffixes come from ``jax.lax.associative_scan`` in O(log T) rounds and
O(T K^3) work. Products are kept with a maximum of zero: only their direction is needed, and increments come from single
steps, so that long sequences lose no digits.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

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

Reduce = Callable[[Float[Array, "..."], int], Float[Array, "..."]]


def steps(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    scores: Float[Array, "time sequences states"],
    lengths: Int[Array, " sequences"],
) -> Float[Array, "time sequences states states"]:
    """One matrix per step: the first has equal rows (start), those on padding are the identity."""
    first = jnp.broadcast_to((jnp.log(initial) + scores[0])[:, None], (*initial.shape, initial.shape[1]))
    rest = jnp.log(transition) + scores[1:, :, None]
    identity = jnp.log(jnp.eye(len(transition), dtype=transition.dtype))
    within = is_within(lengths, len(scores)).T[1:, :, None, None]
    return jnp.concatenate([first[None], jnp.where(within, rest, identity)])


def product(reduce: Reduce, left: Float[Array, "*n k k"], right: Float[Array, "*n k k"]) -> Float[Array, "*n k k"]:
    """Product of two steps in the semiring of ``reduce``, with a maximum of zero."""
    joined = reduce(left[..., :, :, None] + right[..., None, :, :], -2)
    return joined - finite_max(joined, axis=(-2, -1))


def prefixes(
    reduce: Reduce, matrices: Float[Array, "time sequences states states"]
) -> tuple[Float[Array, "time sequences"], Float[Array, "time sequences states"]]:
    """Increments and normalised log beliefs (or scores) from the start up to each step."""
    joint = jax.lax.associative_scan(partial(product, reduce), matrices)[:, :, 0]
    belief = joint - _finite(reduce(joint, -1))[..., None]
    increments = reduce(reduce(belief[:-1, :, :, None] + matrices[1:], -2), -1)
    return jnp.concatenate([reduce(matrices[:1, :, 0], -1), increments]), belief


def filter_states(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Filtered:
    """The filter."""
    scores, shift = shifted(log_emission, lengths)
    increments, belief = prefixes(log_sum, steps(initial, transition, scores, lengths))
    return as_filtered((increments + shift).T, jnp.swapaxes(jnp.exp(belief), 0, 1), lengths)


def smooth_states(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Posterior:
    """The smoother: prefixes and suffixes of the same steps."""
    scores, shift = shifted(log_emission, lengths)
    matrices = steps(initial, transition, scores, lengths)
    increments, belief = prefixes(log_sum, matrices)
    ahead = jax.lax.associative_scan(lambda a, b: product(log_sum, b, a), matrices[1:], reverse=True)
    after = jnp.concatenate([log_sum(ahead, -1), jnp.zeros_like(belief[:1])])
    joint = belief + after
    smoothed = jnp.exp(joint - _finite(log_sum(joint, -1))[..., None])
    pairs = belief[:-1, :, :, None] + matrices[1:] + after[1:, :, None]
    within = is_within(lengths, len(matrices)).T[1:, :, None, None]
    norm = _finite(log_sum(log_sum(pairs, -1), -1))[..., None, None]
    jumps = jnp.where(within, jnp.exp(pairs - norm), 0.0).sum(axis=0)
    filtered = as_filtered((increments + shift).T, jnp.swapaxes(jnp.exp(belief), 0, 1), lengths)
    return as_posterior(filtered, jnp.swapaxes(smoothed, 0, 1), jumps, lengths)


def viterbi(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Path:
    """The most probable path: scores by (max, +) prefixes, the way back by composing "where from" maps."""
    scores, shift = shifted(log_emission, lengths)
    tops, delta = prefixes(_max, steps(initial, transition, scores, lengths))
    inside = is_within(lengths, len(tops)).T
    origin = jnp.argmax(delta[:-1, :, :, None] + jnp.log(transition), axis=2).astype(jnp.int32)
    log_score = jnp.where(inside, tops + shift, 0.0).sum(axis=0)
    states = trace_back(jnp.argmax(delta[-1], axis=1).astype(jnp.int32), origin, inside)
    return Path(jnp.where(inside & ~jnp.isneginf(log_score), states, -1).T, log_score)


def sample_states(
    uniform: Float[Array, "time sequences"],
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Int[Array, "sequences time"]:
    """A draw of all states given the data: every step draws its state for each state that could follow."""
    scores, _ = shifted(log_emission, lengths)
    increments, belief = prefixes(log_sum, steps(initial, transition, scores, lengths))
    inside = is_within(lengths, len(increments)).T
    joint = belief[:-1, :, None] + jnp.log(transition).T
    weights = jnp.exp(joint - finite_max(joint, axis=-1))
    origin = pick(weights, jnp.broadcast_to(uniform[:-1, :, None], weights.shape[:-1]))
    final = jnp.minimum(jnp.maximum(lengths - 1, 0), len(increments) - 1)[None]
    last = pick(jnp.exp(belief[-1]), jnp.take_along_axis(uniform, final, axis=0)[0])
    possible = ~(jnp.isneginf(increments) & inside).any(axis=0)
    return jnp.where(inside & possible, trace_back(last, origin, inside), -1).T


def trace_back(
    last: Int[Array, " sequences"],
    origin: Int[Array, "time_minus_1 sequences states"],
    inside: Bool[Array, "time sequences"],
) -> Int[Array, "time sequences"]:
    """States from the last one and, for each step, the state that each next state comes from; padding changes none."""
    same = jnp.arange(origin.shape[2], dtype=jnp.int32)
    maps = jnp.where(inside[1:, :, None], origin, same)

    def compose(later: Array, earlier: Array) -> Array:
        return jnp.take_along_axis(earlier, later, axis=-1)

    back = jax.lax.associative_scan(compose, maps, reverse=True)
    picked = jnp.broadcast_to(last[None, :, None], (*back.shape[:2], 1))
    states = jnp.take_along_axis(back, picked, axis=-1)[..., 0]
    return jnp.concatenate([states, last[None]])


def _max(x: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
    return x.max(axis=axis)


def _finite(x: Float[Array, "..."]) -> Float[Array, "..."]:
    return jnp.where(jnp.isneginf(x), 0.0, x)
