"""Which transitions between ordered states are allowed, and how a state is split into tied sub-states."""

from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from neurolatent.checks import InputError

Transitions = Literal["ergodic", "left_right", "bidiagonal", "left_right_skip"]


def allowed_transitions(transitions: Transitions, n_states: int, skip: int = 1) -> Bool[np.ndarray, "states states"]:
    """Mask [from, to] of a preset.

    ``ergodic`` allows all; ``left_right`` staying and any later state; ``bidiagonal`` staying and the next;
    ``left_right_skip`` staying and up to ``1 + skip`` states ahead.
    """
    step = np.arange(n_states)[None, :] - np.arange(n_states)[:, None]
    if transitions == "ergodic":
        return np.ones((n_states, n_states), bool)
    if transitions == "left_right":
        return step >= 0
    reach = 1 if transitions == "bidiagonal" else 1 + skip
    return (step >= 0) & (step <= reach)


def refuse_unreachable(allowed: Bool[np.ndarray, "states states"], first: Bool[np.ndarray, " states"]) -> None:
    """Refuse a mask under which some state can never be reached from the possible first states."""
    reached = first.copy()
    for _ in range(len(first)):
        reached = reached | (reached @ allowed)
    if not reached.all():
        raise InputError(
            f"state {int(np.argmin(reached))} can never be reached with these transitions. Allow a way to it."
        )


def chain_mask(allowed: Bool[np.ndarray, "states states"], n_substates: int) -> Bool[np.ndarray, "chain chain"]:
    """Which places of the chain with tied sub-states connect, given which states do."""
    inside = np.eye(n_substates, dtype=bool) | np.eye(n_substates, k=1, dtype=bool)
    mask = np.kron(np.eye(len(allowed), dtype=bool), inside)
    for state, other in np.argwhere(allowed & ~np.eye(len(allowed), dtype=bool)):
        mask[(state + 1) * n_substates - 1, other * n_substates] = True
    return mask


class ChainJumps(NamedTuple):
    """Expected transitions of the expanded chain, pooled over the tied sub-states of each state."""

    inner_stays: Float[Array, " states"]  # kept in one of the first sub-states
    last_stays: Float[Array, " states"]  # kept in the last sub-state
    advances: Float[Array, " states"]  # from a sub-state to the next one of the same state
    leaves: Float[Array, "states states"]  # from the last sub-state to another state; zero diagonal


def expand_transition(
    transition: Float[Array, "states states"], advance: Float[Array, " states"], n_substates: int
) -> Float[Array, "chain chain"]:
    """Transitions of the chain in which each state is a row of ``n_substates`` tied sub-states.

    A sub-state is left with probability ``advance``: the first ones for the next sub-state, the last one for the first
    sub-state of another state. The stay is then negative binomial, with coefficient of variation near
    1 / sqrt(n_substates), where a single state has a geometric one. A state that is never left ends in its last
    sub-state.
    """
    if n_substates == 1:
        return transition
    n_states, r = transition.shape[0], n_substates
    same = np.eye(n_states, dtype=transition.dtype)
    stay, ahead, last = (np.zeros((r, r), transition.dtype) for _ in range(3))
    stay[range(r - 1), range(r - 1)] = ahead[range(r - 1), range(1, r)] = last[-1, -1] = 1.0
    within = (1 - advance)[:, None, None] * stay + advance[:, None, None] * ahead
    within = within + jnp.diagonal(transition)[:, None, None] * last
    to_first = last[:, ::-1]  # from the last sub-state to a first one
    leave = (transition * (1 - same))[:, None, :, None] * to_first[None, :, None, :]
    chain = within[:, :, None, :] * same[:, None, :, None] + leave
    return chain.reshape(n_states * r, n_states * r)


def expand_initial(initial: Float[Array, "*batch states"], n_substates: int) -> Float[Array, "*batch chain"]:
    """The first step is in the first sub-state of a state."""
    first = jnp.zeros(n_substates, initial.dtype).at[0].set(1.0)
    return (initial[..., None] * first).reshape(*initial.shape[:-1], initial.shape[-1] * n_substates)


def pool(chain: Float[Array, "*batch chain"], n_substates: int) -> Float[Array, "*batch states"]:
    """Sums over the sub-states of each state."""
    return chain.reshape(*chain.shape[:-1], chain.shape[-1] // n_substates, n_substates).sum(axis=-1)


def pooled_jumps(jumps: Float[Array, "chain chain"], n_substates: int) -> ChainJumps:
    """Expected transitions of the chain, pooled over tied sub-states."""
    n_states, r = jumps.shape[0] // n_substates, n_substates
    parts, states = jumps.reshape(n_states, r, n_states, r), jnp.arange(n_states)
    inside = parts[states, :, states, :]
    last = inside[:, r - 1, r - 1]
    off = 1 - jnp.eye(n_states, dtype=jumps.dtype)
    return ChainJumps(
        jnp.trace(inside, axis1=1, axis2=2) - last,
        last,
        jnp.trace(inside, offset=1, axis1=1, axis2=2) if r > 1 else jnp.zeros(n_states, jumps.dtype),
        parts[:, r - 1, :, 0] * off,
    )
