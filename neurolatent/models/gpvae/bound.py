"""The evidence lower bound of each sequence, in its terms."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.models.gpvae.door import GPVAEData
from neurolatent.models.gpvae.families import STANDARDISED
from neurolatent.models.gpvae.params import GPVAEParams
from neurolatent.models.gpvae.posterior import Coefficients, combined, divergence, message_of, var_in_time
from neurolatent.ops.fourier_gp import FourierBasis
from neurolatent.ops.mlp import apply_network

N_POINTS = 32  # at which a term without closed form is averaged, where no key draws them


class Terms(NamedTuple):
    """The parts of the bound, nats; the bound is neural + behaviour - the sum of kl."""

    neural: Float[Array, " sequences"]
    behaviour: Float[Array, " sequences"]
    kl: Float[Array, "sequences latent"]


class Course(NamedTuple):
    """Latents in time under the approximate posterior."""

    mean: Float[Array, "sequences time latent"]
    var: Float[Array, "sequences time latent"]


def encoded(model: Any, params: GPVAEParams, data: GPVAEData, basis: FourierBasis) -> Coefficients:
    """The approximate posterior of the coefficients."""
    c = basis.prior_var(params.lengthscale, 1.0, model.alpha)
    scaling = params.scaling
    u = (model.compressed(data.y) - scaling.neural_centre) / scaling.neural_scale
    neural = message_of(params.encoder, u, data.y_seen)
    behaviour = message_of(params.output_encoder, *_heard(model, params, data))
    return combined(model, neural, behaviour, c, basis)


def _heard(model: Any, params: GPVAEParams, data: GPVAEData) -> tuple[Array, Array]:
    """Behaviour as its encoder sees it, and what was observed: standardised, or points on the circle."""
    if model.behaviour_likelihood != "von_mises":
        return (data.x - params.scaling.output_centre) / params.scaling.output_scale, data.x_seen
    return jnp.concatenate([jnp.cos(data.x), jnp.sin(data.x)], axis=-1), jnp.concatenate([data.x_seen] * 2, axis=-1)


def course_of(q: Coefficients, basis: FourierBasis) -> Course:
    """The latents' means and variances in time."""
    return Course(jnp.swapaxes(basis.to_time(q.mean), 1, 2), jnp.swapaxes(var_in_time(q, basis), 1, 2))


def predictor(params: GPVAEParams, data: GPVAEData, z: Course, model: Any) -> tuple[Array, Array]:
    """Mean and variance of the linear predictor of the neurons."""
    part = slice(0, model.n_neural + model.n_shared)
    exposure = data.log_exposure[:, None, None] if model.is_count else 0.0
    return z.mean[..., part] @ params.loadings + params.offset + exposure, z.var[..., part] @ params.loadings**2


def neural_term(model: Any, params: GPVAEParams, data: GPVAEData, z: Course) -> Float[Array, " sequences"]:
    """Expected log likelihood of the neurons, in closed form or by quadrature."""
    eta, var = predictor(params, data, z, model)
    family, y, level = model.neural_family, data.y, 0.0
    if model.neural_likelihood in STANDARDISED:
        y = (y - params.scaling.neural_centre) / params.scaling.neural_scale
        level = jnp.log(params.scaling.neural_scale)
    each = family.expected(y, eta, var, params.noise if family.extra else None) - level
    return (each * data.y_seen).sum(axis=(1, 2))


def behaviour_term(
    model: Any, params: GPVAEParams, data: GPVAEData, z: Course, key: PRNGKeyArray | None
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
    points = jnp.asarray(_points(mean.shape[-1]), mean.dtype)
    return jax.lax.map(lambda e: at(apply_network(params.decoder, mean + sd * e), jnp.zeros(())), points).mean(axis=0)


def _points(size: int) -> Float[np.ndarray, "points latent"]:
    """Well-spread points of a standard normal distribution, the same every time."""
    from scipy.stats import qmc  # slow to import, and only networks need it

    half = qmc.MultivariateNormalQMC(np.zeros(size), rng=np.random.default_rng(0)).random(N_POINTS // 2)
    points = np.concatenate([half, -half])
    return points / np.sqrt((points**2).mean(axis=0))


def terms_of(
    model: Any, params: GPVAEParams, data: GPVAEData, key: PRNGKeyArray | None
) -> tuple[Terms, Coefficients, Course]:
    """The terms of the bound, and the posterior that they are of."""
    basis = model.basis(data.y.shape[1])
    q = encoded(model, params, data, basis)
    z = course_of(q, basis)
    nothing = jnp.zeros(data.y.shape[0], q.mean.dtype)
    neural = neural_term(model, params, data, z) if model.has_neural else nothing
    behaviour = behaviour_term(model, params, data, z, key) if model.has_behaviour else nothing
    return Terms(neural, behaviour, divergence(q)), q, z
