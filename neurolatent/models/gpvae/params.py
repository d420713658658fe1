"""What the GP-VAE learns, in its own units, and the same without constraints."""

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

if TYPE_CHECKING:
    Floats = Any  # NumPy on the host, JAX inside programs: both are meant
else:
    Floats = Array | np.ndarray

SD_FLOOR = 1e-2  # of the spread of loadings and of noise, in units of standardised data; ours


class Scaling(NamedTuple):
    """How data are scaled and weighed, by the training sequences; not learned by the engine."""

    neural_centre: Float[Floats, " feature"]  # of square roots of counts, or of values
    neural_scale: Float[Floats, " feature"]
    output_centre: Float[Floats, " output"]
    output_scale: Float[Floats, " output"]
    weights: Float[Floats, " modality"]  # of the two likelihoods in what is climbed: neural, behaviour


class TimeMap(NamedTuple):
    """From what bins say to means and log standard deviations of Fourier coefficients, linearly."""

    mean: Float[Floats, "F time"]
    shift: Float[Floats, " F"]
    log_sd: Float[Floats, "F time"]
    level: Float[Floats, " F"]


class Encoder(NamedTuple):
    """From a bin of one modality to a mean and a log standard deviation of each of its latents: linear plus network."""

    direct: Float[Floats, "inputs heads"]
    shift: Float[Floats, " heads"]
    network: Any
    over_time: Any = ()  # a TimeMap; () where the bins are projected on the basis


class GPVAEParams(NamedTuple):
    """All that is learned."""

    lengthscale: Float[Floats, " latent"]  # bins
    loadings: Float[Floats, "neural_latent neuron"]  # W
    offset: Float[Floats, " neuron"]  # b: log rate, or mean in standardised units
    loading_sd: Float[Floats, " neural_latent"]  # of the loadings of a latent: a superfluous one shrinks
    noise: Float[Floats, " neuron_noise"]  # standard deviation of normal neural data, standardised
    output_noise: Float[Floats, " output_noise"]  # standard deviation of behaviour, standardised
    encoder: Encoder
    output_encoder: Encoder
    decoder: Any  # network from shared and behaviour latents to standardised behaviour
    scaling: Scaling


def to_free(params: GPVAEParams, bounds: tuple[float, float]) -> GPVAEParams:
    """The same parameters without constraints."""
    low, span = jnp.log(bounds[0]), jnp.log(bounds[1] / bounds[0])
    share = (jnp.log(params.lengthscale) - low) / span
    return params._replace(
        lengthscale=jax.scipy.special.logit(jnp.clip(share, 1e-4, 1 - 1e-4)),
        **{name: jnp.log(getattr(params, name) - SD_FLOOR) for name in ("loading_sd", "noise", "output_noise")},
    )


def from_free(free: GPVAEParams, bounds: tuple[float, float]) -> GPVAEParams:
    """Parameters in their own units; no gradient flows into the scaling."""
    low, span = jnp.log(bounds[0]), jnp.log(bounds[1] / bounds[0])
    return free._replace(
        lengthscale=jnp.exp(low + span * jax.nn.sigmoid(free.lengthscale)),
        scaling=jax.tree.map(jax.lax.stop_gradient, free.scaling),
        **{name: jnp.exp(getattr(free, name)) + SD_FLOOR for name in ("loading_sd", "noise", "output_noise")},
    )
