"""The compiled programs of the HMM-GLM: the model's choices are compiled in, parameters and data are arguments."""

import functools
from typing import Any

import jax
from jaxtyping import Array, Float

from neurolatent.compiling import compiled
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.inference import beliefs, latents_of, log_evidence
from neurolatent.models.hmmglm.params import HMMGLMParams
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
