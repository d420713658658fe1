"""The evidence lower bound of each sequence, in its terms."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.models.gpvae.belief import Belief, bin_by_bin, over_time
from neurolatent.models.gpvae.door import GPVAEData
from neurolatent.models.gpvae.families import STANDARDISED
from neurolatent.models.gpvae.params import GPVAEParams
from neurolatent.models.gpvae.posterior import Coefficients, Message, combined, message_of
from neurolatent.models.gpvae.time_map import mapped, refuse_other_length
from neurolatent.ops.mlp import apply_network

N_POINTS = 32  # at which a term without closed form is averaged, where no key draws them
FEW_POINTS = 8  # the same between epochs, where it only tells which of them is better


class Terms(NamedTuple):
    """The parts of the bound, nats; the bound is neural + behaviour - the sum of kl."""

    neural: Float[Array, " sequences"]
    behaviour: Float[Array, " sequences"]
    kl: Float[Array, "sequences latent"]


def believed(model: Any, params: GPVAEParams, data: GPVAEData) -> Belief:
    """The approximate posterior of the latents."""
    if model.domain == "fourier":
        return over_time(encoded(model, params, data), model.basis(data.y.shape[1]))
    return bin_by_bin(model, *_messages(model, params, data), jnp.asarray(params.lengthscale))


def encoded(model: Any, params: GPVAEParams, data: GPVAEData) -> Coefficients:
    """The approximate posterior of the Fourier coefficients."""
    basis = model.basis(data.y.shape[1])
    c = basis.prior_var(params.lengthscale, 1.0, model.alpha)
    messages = _messages(model, params, data)
    if model.encoder_time == "projection":
        return combined(model, *messages, c, basis)
    maps = params.encoder.over_time, params.output_encoder.over_time
    refuse_other_length(maps[0], basis)
    return mapped(model, maps, *messages, c)


def _messages(model: Any, params: GPVAEParams, data: GPVAEData) -> tuple[Message, Message]:
    """What the bins of either modality say of its latents."""
    u = (model.compressed(data.y) - params.scaling.neural_centre) / params.scaling.neural_scale
    neural = message_of(params.encoder, u, data.y_seen)
    return neural, message_of(params.output_encoder, *_heard(model, params, data))


def _heard(model: Any, params: GPVAEParams, data: GPVAEData) -> tuple[Array, Array]:
    """Behaviour as its encoder sees it, and what was observed: standardised, or points on the circle."""
    if model.behaviour_likelihood != "von_mises":
        return (data.x - params.scaling.output_centre) / params.scaling.output_scale, data.x_seen
    return jnp.concatenate([jnp.cos(data.x), jnp.sin(data.x)], axis=-1), jnp.concatenate([data.x_seen] * 2, axis=-1)


def predictor(params: GPVAEParams, data: GPVAEData, z: Belief, model: Any) -> tuple[Array, Array]:
    """Mean and variance of the linear predictor of the neurons."""
    part = slice(0, model.n_neural + model.n_shared)
    exposure = data.log_exposure[:, None, None] if model.is_count else 0.0
    return z.mean[..., part] @ params.loadings + params.offset + exposure, z.var[..., part] @ params.loadings**2


def neural_term(model: Any, params: GPVAEParams, data: GPVAEData, z: Belief) -> Float[Array, " sequences"]:
    """Expected log likelihood of the neurons, in closed form or by quadrature."""
    eta, var = predictor(params, data, z, model)
    family, y, level = model.neural_family, data.y, 0.0
    if model.neural_likelihood in STANDARDISED:
        y = (y - params.scaling.neural_centre) / params.scaling.neural_scale
        level = jnp.log(params.scaling.neural_scale)
    each = family.expected(y, eta, var, params.noise if family.extra else None) - level
    return (each * data.y_seen).sum(axis=(1, 2))


def behaviour_term(
    model: Any,
    params: GPVAEParams,
    data: GPVAEData,
    z: Belief,
    key: PRNGKeyArray | None,
    n_points: int = N_POINTS,
) -> Float[Array, " sequences"]:
    """Expected log likelihood of behaviour: exact for a linear decoder, else the mean over draws or fixed points."""
    mean, var = z.mean[..., model.n_neural :], z.var[..., model.n_neural :]
    family, x, level = model.behaviour_family, data.x, 0.0
    if model.behaviour_likelihood in STANDARDISED:
        x = (x - params.scaling.output_centre) / params.scaling.output_scale
        level = jnp.log(params.scaling.output_scale)

    def at(told: Array, spread: Array) -> Array:
        each = family.expected(x, told, spread, params.output_noise if family.extra else None) - level
        return (each * data.x_seen).sum(axis=(1, 2))

    if len(params.decoder) == 2 and family.is_exact:
        return at(apply_network(params.decoder, mean), var @ params.decoder.weight_0**2)
    sd = jnp.sqrt(var)
    if key is not None:
        return at(
            apply_network(params.decoder, mean + sd * jax.random.normal(key, mean.shape, mean.dtype)), jnp.zeros(())
        )
    points = jnp.asarray(_points(mean.shape[-1], n_points), mean.dtype)
    return jax.lax.map(lambda e: at(apply_network(params.decoder, mean + sd * e), jnp.zeros(())), points).mean(axis=0)


def _points(size: int, count: int) -> Float[np.ndarray, "points latent"]:
    """Well-spread points of a standard normal distribution, the same every time."""
    from scipy.stats import qmc  # slow to import, and only networks need it

    half = qmc.MultivariateNormalQMC(np.zeros(size), rng=np.random.default_rng(0)).random(count // 2)
    points = np.concatenate([half, -half])
    return points / np.sqrt((points**2).mean(axis=0))


def terms_of(
    model: Any,
    params: GPVAEParams,
    data: GPVAEData,
    key: PRNGKeyArray | None,
    *,
    points: int = N_POINTS,
    heard: GPVAEData | None = None,
) -> tuple[Terms, Belief]:
    """The terms of the bound, and the posterior that they are of.

    Args:
        points: At which a term without closed form is averaged where no key draws its latents.
        heard: What the encoder hears of the data; None for all of it.
    """
    z = believed(model, params, data if heard is None else heard)
    nothing = jnp.zeros(data.y.shape[0], z.mean.dtype)
    neural = neural_term(model, params, data, z) if model.has_neural else nothing
    behaviour = behaviour_term(model, params, data, z, key, points) if model.has_behaviour else nothing
    return Terms(neural, behaviour, z.kl), z


def partly_heard(model: Any, data: GPVAEData, key: PRNGKeyArray) -> GPVAEData:
    """The data with one modality hidden in a share of the sequences, in half of them either one."""
    hidden = jax.random.uniform(key, data.log_exposure.shape, data.y_seen.dtype) / max(model.modality_dropout, 1e-6)
    keeps = [
        (~part).astype(data.y_seen.dtype)[:, None, None] for part in (hidden < 0.5, (hidden >= 0.5) & (hidden < 1))
    ]
    return data._replace(y_seen=data.y_seen * keeps[0], x_seen=data.x_seen * keeps[1])
