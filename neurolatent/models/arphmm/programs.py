"""The compiled programs of the ARPHMM: the model's choices are compiled in, parameters and data are arguments."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

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


def filtered_rows(model: Any, params: ARPHMMParams, y: Float[np.ndarray, "sequences time features"]) -> FilteredRows:
    """The stream's filter at every row of many sequences, in groups and blocks of one shape."""
    sequences, time, features = y.shape
    units, steps = BLOCK
    padded = np.full((-(-sequences // units) * units, -(-time // steps) * steps, features), np.nan)
    padded[:sequences, :time] = y
    start = model.filter_start(params)
    before = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (units, *np.shape(leaf))), start)
    inside = on_device(ARPHMMParams(*params))
    rows = [filter_group(model, inside, before, padded[n : n + units]) for n in range(0, len(padded), units)]
    return FilteredRows(*(np.concatenate(leaves)[:sequences, :time] for leaves in zip(*rows, strict=True)))


def filter_group(model: Any, params: ARPHMMParams, state: StreamState, y: np.ndarray) -> list[np.ndarray]:
    """Belief and log evidence at every row of one group of sequences, block by block in time."""
    blocks = []
    for begin in range(0, y.shape[1], BLOCK[1]):
        state, found = _filter_block(model, params, state, jnp.asarray(y[:, begin : begin + BLOCK[1]]))
        blocks.append(jax.device_get(found))
    return [np.concatenate(leaves, axis=1) for leaves in zip(*blocks, strict=True)]


@compiled(static=(0,))
def _filter_block(
    model: Any, params: ARPHMMParams, states: StreamState, y: Array
) -> tuple[StreamState, tuple[Array, Array]]:
    return stream_block(params, states, y, model.n_substates, conditions=model.first == "condition")


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
