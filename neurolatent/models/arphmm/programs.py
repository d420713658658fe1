"""The compiled programs of the ARPHMM: the model's choices are compiled in, parameters and data are arguments."""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurolatent.compiling import compiled, on_device
from neurolatent.models.arphmm.data import ARPHMMData
from neurolatent.models.arphmm.inference import chain_of, latents_of
from neurolatent.models.arphmm.params import ARPHMMParams
from neurolatent.models.arphmm.rollout import forecast_paths, roll_out
from neurolatent.models.arphmm.stream import BLOCK, FilteredRows, StreamState, stream_block, stream_step
from neurolatent.models.arphmm.structure import expand_initial, pool
from neurolatent.models.protocols import Latents
from neurolatent.ops import hmm


@functools.partial(jax.jit, static_argnums=0)
def log_likelihood_of(model: Any, params: ARPHMMParams, data: ARPHMMData) -> Float[Array, " sequences"]:
    """Log evidence of each sequence, nats."""
    return hmm.log_evidence(*chain_of(params, data, model.n_substates))


@functools.partial(jax.jit, static_argnums=0)
def filter_one(
    model: Any, params: ARPHMMParams, state: StreamState, y: Array
) -> tuple[StreamState, Float[Array, " states"]]:
    """A stream after one more sample, and the state probabilities then."""
    return stream_step(params, state, y, model.n_substates, conditions=model.first == "condition")


def filtered_rows(
    model: Any,
    params: ARPHMMParams,
    y: Float[np.ndarray, "sequences time features"],
    lengths: Int[np.ndarray, " sequences"],
) -> FilteredRows:
    """The stream's filter at the rows of many sequences; NaN beyond their lengths."""
    every = ARPHMMParams(*(np.asarray(leaf)[None] for leaf in params))
    places = len(model.filter_start(params).log_belief)
    found = FilteredRows(np.full((*y.shape[:2], places), np.nan), np.full(y.shape[:2], np.nan))
    for group, part in _filtered_groups(model, every, y, lengths):
        for whole, rows in zip(found, part, strict=True):
            whole[group, : rows.shape[2]] = rows[0]
    return found


def evidence_rows(
    model: Any,
    params: ARPHMMParams,
    y: Float[np.ndarray, "sequences time features"],
    lengths: Int[np.ndarray, " sequences"],
) -> Float[np.ndarray, "models sequences time"]:
    """Log evidence of the rows so far under each of many parameter sets, nats; NaN beyond the sequences' lengths."""
    found = np.full((len(params[0]), *y.shape[:2]), np.nan)
    for group, part in _filtered_groups(model, params, y, lengths):
        found[:, group, : part.log_evidence.shape[2]] = part.log_evidence
    return found


def _filtered_groups(
    model: Any, params: ARPHMMParams, y: np.ndarray, lengths: np.ndarray
) -> Iterator[tuple[np.ndarray, FilteredRows]]:
    """Sequences of about one length at a time, with what each model (leading axis) says of their rows."""
    units, steps = BLOCK
    start = model.filter_start(ARPHMMParams(*(leaf[0] for leaf in params)))
    before = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (len(params[0]), units, *np.shape(leaf))), start)
    inside = on_device(ARPHMMParams(*params))
    by_length = np.argsort(lengths, kind="stable")
    for group in np.split(by_length, range(units, len(y), units)):
        longest = int(lengths[group].max())
        rows = np.full((units, -(-longest // steps) * steps, y.shape[2]), np.nan)
        rows[: len(group), :longest] = y[group, :longest]
        leaves = _filter_group(model, inside, before, rows)
        yield group, FilteredRows(*(leaf[:, : len(group), :longest] for leaf in leaves))


def _filter_group(model: Any, params: ARPHMMParams, states: StreamState, y: np.ndarray) -> list[np.ndarray]:
    """Belief and log evidence at every row of one group of sequences, block by block in time."""
    blocks = []
    for begin in range(0, y.shape[1], BLOCK[1]):
        states, found = _filter_block(model, params, states, jax.device_put(y[:, begin : begin + BLOCK[1]]))
        blocks.append(jax.device_get(found))
    return [np.concatenate(leaves, axis=2) for leaves in zip(*blocks, strict=True)]


@compiled(static=(0,))
def _filter_block(
    model: Any, params: ARPHMMParams, states: StreamState, y: Array
) -> tuple[StreamState, tuple[Array, Array]]:
    def one(own: ARPHMMParams, before: StreamState) -> tuple[StreamState, tuple[Array, Array]]:
        return stream_block(own, before, y, model.n_substates, conditions=model.first == "condition")

    return jax.vmap(one)(params, states)


@compiled(static=(0,))
def smoothed_of(model: Any, params: ARPHMMParams, data: ARPHMMData) -> Array:
    """Smoothed state probabilities."""
    return pool(hmm.smooth_states(*chain_of(params, data, model.n_substates)).smoothed, model.n_substates)


@compiled(static=(0, 4, 5, 6))
def forecast_of(
    model: Any, params: ARPHMMParams, data: ARPHMMData, key: PRNGKeyArray, horizon: int, n_paths: int, gap: int
) -> tuple[Array, Array]:
    """Simulated samples and states after the end of each sequence."""
    chain = chain_of(params, data, model.n_substates)
    return forecast_paths(
        key, params, data, chain, horizon=horizon, n_paths=n_paths, n_substates=model.n_substates, longest_gap=gap
    )


@compiled(static=(0, 4))
def simulate_paths(model: Any, params: ARPHMMParams, key: PRNGKeyArray, past: Array, steps: int) -> tuple[Array, Array]:
    """Samples and states drawn from the model."""
    first = expand_initial(jnp.asarray(params.initial), model.n_substates)
    inside = ARPHMMParams(*(jnp.asarray(p) for p in params))
    keys = jax.random.split(key, len(past))
    return jax.vmap(lambda k, lags: roll_out(k, inside, first, lags, steps=steps, n_substates=model.n_substates))(
        keys, past
    )


@compiled(static=(0, 3, 4), runs_once=True)
def posterior_of(
    model: Any, params: ARPHMMParams, data: ARPHMMData, careful: bool, has_knowledge: bool
) -> tuple[Latents, Array]:
    """Latent quantities, and whether the fast recursions were right."""
    latents, is_right = latents_of(params, data, model.n_substates, careful=careful, has_knowledge=has_knowledge)
    path = hmm.viterbi(*chain_of(params, data, model.n_substates)).states
    latents.along_time["path"] = jnp.where(path >= 0, path // model.n_substates, -1)
    return latents, is_right
