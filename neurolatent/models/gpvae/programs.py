"""The compiled programs of the GP-VAE: the model's choices are compiled in, parameters and data are arguments."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurolatent.compiling import compiled
from neurolatent.models.gpvae.bound import FEW_POINTS, behaviour_term, neural_term, predictor, terms_of
from neurolatent.models.gpvae.door import GPVAEData
from neurolatent.models.gpvae.families import STANDARDISED
from neurolatent.models.gpvae.params import GPVAEParams
from neurolatent.models.protocols import Latents
from neurolatent.ops.mlp import apply_network


@functools.partial(jax.jit, static_argnums=0)
def elbo_of(model: Any, params: GPVAEParams, data: GPVAEData) -> Float[Array, " sequences"]:
    """The evidence lower bound of each sequence, nats."""
    terms, _ = terms_of(model, params, data, None)
    return terms.neural + terms.behaviour - terms.kl.sum(axis=1)


@compiled(static=(0,), runs_once=True)
def posterior_of(model: Any, params: GPVAEParams, data: GPVAEData) -> Latents:
    """Latents, rates and reconstruction, and the terms of the bound."""
    terms, z = terms_of(model, params, data, None)
    along = {"latents": z.mean, "latents_sd": jnp.sqrt(z.var)}
    if model.has_neural:
        along |= _rates(model, params, data, z)
    if model.has_behaviour:
        along["reconstruction"] = _reconstruction(model, params, z)
    per_sequence = {
        "log_evidence": terms.neural + terms.behaviour - terms.kl.sum(axis=1),
        "log_likelihood_neural": terms.neural,
        "log_likelihood_behaviour": terms.behaviour,
        "kl": terms.kl,
        "mean_square": z.mean_square,
        "var_ratio": z.var_ratio,
        "gain": _gains(model, params, data, z),
    }
    return Latents(along, per_sequence)


def _gains(model: Any, params: GPVAEParams, data: GPVAEData, z: Any) -> Float[Array, "sequences latent"]:
    """How far the expected log likelihood falls where the decoders do not hear a latent, at few points both times."""

    def hearing(heard: Array) -> Array:
        course = z._replace(mean=z.mean * heard, var=z.var * heard)
        neural = neural_term(model, params, data, course) if model.has_neural else jnp.zeros(())
        told = behaviour_term(model, params, data, course, None, FEW_POINTS) if model.has_behaviour else 0.0
        return neural + told

    all_but_one = 1 - jnp.eye(model.n_latents, dtype=z.mean.dtype)
    told = jax.lax.map(hearing, jnp.concatenate([jnp.ones((1, model.n_latents), z.mean.dtype), all_but_one]))
    return (told[0] - told[1:]).T


def _rates(model: Any, params: GPVAEParams, data: GPVAEData, z: Any) -> dict[str, Array]:
    """Posterior mean and standard deviation of each rate (Hz where the clock is in seconds), or of each value."""
    eta, var = predictor(params, data, z, model)
    eta = eta - data.log_exposure[:, None, None] if model.is_count else eta
    mean, sd = model.neural_family.told(eta, var, None)
    if model.neural_likelihood in STANDARDISED:
        mean, sd = mean * params.scaling.neural_scale + params.scaling.neural_centre, sd * params.scaling.neural_scale
    return {"rates": mean, "rates_sd": sd}


def _reconstruction(model: Any, params: GPVAEParams, z: Any) -> Array:
    """Behaviour that is expected at the posterior mean: values, probabilities, or directions."""
    told = apply_network(params.decoder, z.mean[..., model.n_neural :])
    if model.behaviour_likelihood in STANDARDISED:
        return told * params.scaling.output_scale + params.scaling.output_centre
    return model.behaviour_family.told(told, jnp.zeros_like(told), None).mean
