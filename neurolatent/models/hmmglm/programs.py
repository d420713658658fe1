"""The compiled programs of the HMM-GLM: the model's choices are compiled in, parameters and data are arguments."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.compiling import compiled
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.inference import beliefs, latents_of, log_evidence
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.rollout import forecast_paths, roll_out
from neurolatent.models.hmmglm.stream import Sample, StreamState, stream_step
from neurolatent.models.protocols import Latents


@functools.partial(jax.jit, static_argnums=0)
def log_likelihood_of(model: Any, params: HMMGLMParams, data: HMMGLMData) -> Float[Array, " sequences"]:
    """Log evidence of each sequence, nats."""
    return log_evidence(model, params, data)


@compiled(static=(0, 3, 4))
def posterior_of(
    model: Any, params: HMMGLMParams, data: HMMGLMData, careful: bool, has_knowledge: bool
) -> tuple[Latents, Array]:
    """Latent quantities, and whether the fast recursions were right."""
    return latents_of(model, params, data, careful=careful, has_knowledge=has_knowledge)


@compiled(static=(0,))
def smoothed_of(model: Any, params: HMMGLMParams, data: HMMGLMData) -> Array:
    """Smoothed state probabilities."""
    return beliefs(model, params, data, careful=True).smoothed


@compiled(static=(0,))
def filter_one(
    model: Any, params: HMMGLMParams, state: StreamState, sample: Sample
) -> tuple[StreamState, Float[Array, " states"]]:
    """A stream after one more sample, and the state probabilities then."""
    return stream_step(model, params, state, sample)


@compiled(static=(0, 4, 5))
def forecast_of(
    model: Any, params: HMMGLMParams, data: HMMGLMData, key: PRNGKeyArray, horizon: int, n_paths: int
) -> tuple[Array, Array]:
    """Simulated targets and states after the end of each sequence."""
    return forecast_paths(model, key, params, data, horizon=horizon, n_paths=n_paths)


@compiled(static=(0,))
def simulate_paths(
    model: Any, params: HMMGLMParams, keys: Array, covariates: Array, inputs: Array
) -> tuple[Array, Array, Array]:
    """Targets, states and the largest mean of every sequence."""
    past = jnp.zeros((model.kernel.length, params.bias.shape[-1]))
    first = jnp.log(params.initial)
    return jax.vmap(lambda k, x, u: roll_out(model, k, params, first, past, (x, u)))(keys, covariates, inputs)
