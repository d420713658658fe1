"""Priors of what all sequences share, and the model as a NumPyro program."""

import math
from typing import Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, Float

from neurolatent.checks import InputError
from neurolatent.models.gpvae.door import GPVAEData
from neurolatent.models.gpvae.params import SD_FLOOR, GPVAEParams

OFFSET_SD = 5.0  # of a log rate, or of a standardised mean, under the program's prior; ours: next to nothing


def _priors(model: Any) -> dict[str, Any]:
    """Priors by the names of parameters; that of the loadings stands on their spread."""
    return {
        "lengthscale": dist.LogNormal(math.log(model.lengthscale), float(model.lengthscale_spread)),
        "loading_sd": dist.HalfNormal(1.0),
    }


def log_prior(model: Any, params: GPVAEParams) -> Float[Array, ""]:
    """Log density of length scales, loadings and their spreads; the other parameters have none."""
    priors = _priors(model)
    total = priors["lengthscale"].log_prob(params.lengthscale).sum()
    total += priors["loading_sd"].log_prob(params.loading_sd).sum()
    return total + dist.Normal(0.0, params.loading_sd[:, None]).log_prob(params.loadings).sum()


def program(model: Any, data: GPVAEData) -> None:
    """Declare priors, Fourier coefficients and likelihood of a GPFA.

    Raises:
        InputError: A model with behaviour, whose network has no prior.
    """
    if model.has_behaviour or model.domain != "fourier":
        raise InputError('the NumPyro program is that of GPFA: n_shared and n_behaviour must be 0, domain "fourier"')
    priors, sizes = _priors(model), (model.n_neural, data.y.shape[-1])
    ell: Any = numpyro.sample("lengthscale", priors["lengthscale"].expand([sizes[0]]).to_event(1))
    spread: Any = numpyro.sample("loading_sd", priors["loading_sd"].expand([sizes[0]]).to_event(1))
    loadings: Any = numpyro.sample("loadings", dist.Normal(0.0, spread[:, None]).expand(sizes).to_event(2))
    offset: Any = numpyro.sample("offset", dist.Normal(0.0, OFFSET_SD).expand([sizes[1]]).to_event(1))
    extra: Any = None
    if model.neural_family.extra:
        free = dist.constraints.greater_than(SD_FLOOR)
        extra = numpyro.param("noise", jnp.full(sizes[1], 1.0), constraint=free)
    basis = model.basis(data.y.shape[1])
    c = basis.prior_var(ell, 1.0, model.alpha)
    seen = jnp.asarray(data.y_seen) > 0
    with numpyro.plate("sequences", data.y.shape[0]):
        coefficients: Any = numpyro.sample("coefficients", dist.Normal(0.0, jnp.sqrt(c)).to_event(2))
        eta = jnp.swapaxes(basis.to_time(coefficients), 1, 2) @ loadings + offset
        eta = eta + data.log_exposure[:, None, None] if model.is_count else eta
        law = model.neural_family.distribution(eta, extra)
        numpyro.sample("spikes", law.mask(seen).to_event(2), obs=data.y)
