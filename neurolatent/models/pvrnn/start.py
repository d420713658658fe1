"""Where learning begins: random weights, and adaptive arrays at zero, at random, or at the prior."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from neurolatent.models.pvrnn.cell import Course, prior_raw, rest, roll_prior, state_term
from neurolatent.models.pvrnn.params import LayerWeights, PVRNNParams, Tempering, by_layer


def start_of(model: Any, data: Any, key: PRNGKeyArray) -> PVRNNParams:
    """Weights uniform within one over the root of their inputs, biases zero."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    count, time, channels, _ = data.target.shape
    layers = by_layer(len(model.layers))
    weights = layers(*(_layer(model, n, rng) for n in range(len(model.layers))))
    units = channels * model.likelihood.per_channel
    adaptive = layers(*(np.zeros((count, time, 2 * layer.latent)) for layer in model.layers))
    output = _uniform(rng, model.layers[0].units, units)
    params = PVRNNParams(weights, output, np.zeros(units), adaptive, Tempering(*model.tempering()))
    if model.adaptive_start == "normal":
        return params._replace(adaptive=layers(*(rng.normal(size=a.shape) for a in adaptive)))
    return jax.device_get(at_prior(model, params)) if model.adaptive_start == "prior" else params


def at_prior(model: Any, params: PVRNNParams) -> PVRNNParams:
    """The same with the adaptive arrays at the prior along its own mean course: the divergence begins at zero."""
    count, time = params.adaptive[0].shape[:2]
    noise = tuple(jnp.zeros((time, count, layer.latent)) for layer in model.layers)
    is_first = jnp.arange(time) == 0
    course = roll_prior(model, params, rest(model, count, noise[0].dtype), noise, is_first)
    return params._replace(adaptive=rows_along(model, params, course, is_first))


def rows_along(model: Any, params: PVRNNParams, course: Course, is_first: jax.Array) -> Any:
    """The adaptive arrays under which the posterior goes along a course of the prior, given the same noise."""
    rows = [
        jnp.swapaxes(row_at_prior(model, weights, before, is_first), 0, 1)
        for weights, before in zip(params.layers, course.before, strict=True)
    ]
    return type(params.layers)(*rows)


def row_at_prior(model: Any, weights: LayerWeights, before: jax.Array, is_first: jax.Array) -> jax.Array:
    """The adaptive rows under which the posterior is the prior, given the activity (time, batch, units) before."""
    raw = prior_raw(weights, before)
    if model.prior_first == "unit":
        raw = jnp.where(is_first.reshape(-1, *(1,) * (raw.ndim - 1)), 0.0, raw)
    return raw - state_term(weights, before)


def _layer(model: Any, n: int, rng: np.random.Generator) -> LayerWeights:
    layer, above = model.layers[n], model.layers[n + 1].units if n + 1 < len(model.layers) else 0
    below = model.layers[n - 1].units if n and model.connect == "both" else 0
    units, latent = layer.units, layer.latent
    return LayerWeights(
        recurrent=_uniform(rng, units, units),
        latent=_uniform(rng, latent, units),
        above=_uniform(rng, above, units),
        below=_uniform(rng, below, units),
        bias=np.zeros(units),
        prior=_uniform(rng, units, 2 * latent),
        prior_bias=np.zeros(2 * latent),
        posterior=_uniform(rng, units if model.posterior_form == "state" else 0, 2 * latent),
        posterior_bias=np.zeros(2 * latent),
    )


def _uniform(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return rng.uniform(-1, 1, (rows, columns)) / np.sqrt(max(rows, 1))
