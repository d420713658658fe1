"""One sample at a time: the filter of the ARPHMM with fixed memory, and the same over many rows at once.

What a later row holds never changes what was said of an earlier one, to the last bit: rows are filtered by one program
of fixed shape, whatever the number and the length of the sequences.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from neurolatent.models.arphmm.emission import log_emission
from neurolatent.models.arphmm.params import ARPHMMParams
from neurolatent.models.arphmm.structure import expand_initial, expand_transition, pool


class StreamState(NamedTuple):
    """What the filter carries from one sample to the next."""

    log_belief: Float[Array, " chain"]  # filtered, log probabilities
    lags: Float[Array, "order features"]  # latest first; zeros where not observed
    known: Bool[Array, " order"]  # which lags were observed
    seen: Int[Array, ""]  # samples so far
    log_evidence: Float[Array, ""]  # log p of the modelled samples so far, nats


class FilteredRows(NamedTuple):
    """What was known at each row, from the rows up to it."""

    belief: Float[np.ndarray, "sequences time places"]  # before the first modelled row the initial distribution
    log_evidence: Float[np.ndarray, "sequences time"]  # of the rows up to here, nats


BLOCK = (32, 64)  # sequences and steps of one call: the one shape that is ever compiled


def sizes_of(
    y: Float[np.ndarray, "sequences time features"], lengths: Sequence[int] | Int[np.ndarray, " sequences"] | None
) -> Int[np.ndarray, " sequences"]:
    """Rows of each sequence that count: all of them where no lengths are given."""
    return np.full(len(y), y.shape[1]) if lengths is None else np.asarray(lengths)


def stream_start(params: ARPHMMParams, order: int, n_substates: int) -> StreamState:
    """Nothing seen yet."""
    features = params.coefficients.shape[1]
    places = params.initial.shape[0] * n_substates
    dtype = jnp.result_type(float)
    return StreamState(
        jnp.full(places, -jnp.log(places), dtype),
        jnp.zeros((order, features), dtype),
        jnp.zeros(order, bool),
        jnp.zeros((), int),
        jnp.zeros((), dtype),
    )


def stream_step(
    params: ARPHMMParams, state: StreamState, y: Float[Array, " features"], n_substates: int, *, conditions: bool
) -> tuple[StreamState, Float[Array, " states"]]:
    """The state after one more sample, and the filtered state probabilities; NaN until the first modelled sample.

    Log-domain, so that a place of the chain never dies by underflow. Equal to the batch filter.
    """
    order = state.lags.shape[0]
    skipped = order if conditions else 0
    observed = jnp.isfinite(y).all()
    safe = jnp.where(observed, y, 0.0)
    is_before = jnp.arange(order) >= state.seen
    known = jnp.where(is_before, not conditions, state.known)
    z = jnp.concatenate([state.lags.reshape(-1), jnp.ones(1, state.lags.dtype)])
    usable = (observed & known.all())[None, None]
    scores = log_emission(safe[None, None], z[None, None], usable, params.coefficients, params.covariance)[0, 0]
    transition = expand_transition(params.transition, params.advance, n_substates)
    moved = _log_sum(state.log_belief[:, None] + jnp.log(transition))
    first = jnp.log(expand_initial(params.initial, n_substates))
    joint = jnp.where(state.seen == skipped, first, moved) + jnp.repeat(scores, n_substates)
    is_modelled = state.seen >= skipped
    gain = _log_sum(joint[:, None])[0]
    log_belief = jnp.where(is_modelled, joint - gain, state.log_belief)
    following = StreamState(
        log_belief,
        jnp.concatenate([safe[None], state.lags])[:order],
        jnp.concatenate([observed[None], state.known])[:order],
        state.seen + 1,
        state.log_evidence + jnp.where(is_modelled, gain, 0.0),
    )
    return following, jnp.where(is_modelled, pool(jnp.exp(log_belief), n_substates), jnp.nan)


def stream_block(
    params: ARPHMMParams,
    states: StreamState,
    y: Float[Array, "sequences time features"],
    n_substates: int,
    *,
    conditions: bool,
) -> tuple[StreamState, tuple[Float[Array, "sequences time places"], Float[Array, "sequences time"]]]:
    """Many streams, many samples: the states after them, and belief and log evidence at each of them."""
    order = states.lags.shape[1]
    initial = expand_initial(params.initial, n_substates)

    def step(state: StreamState, sample: Array) -> tuple[StreamState, tuple[Array, Array]]:
        after, _ = stream_step(params, state, sample, n_substates, conditions=conditions)
        is_modelled = after.seen > (order if conditions else 0)
        return after, (jnp.where(is_modelled, jnp.exp(after.log_belief), initial), after.log_evidence)

    return jax.vmap(lambda state, rows: jax.lax.scan(step, state, rows))(states, y)


def _log_sum(terms: Float[Array, "places targets"]) -> Float[Array, " targets"]:
    top = jnp.max(terms, axis=0)
    safe = jnp.where(jnp.isfinite(top), top, 0.0)
    return safe + jnp.log(jnp.exp(terms - safe).sum(axis=0))
