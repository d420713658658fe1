"""The variational posterior of a small GPFA beside draws of NUTS, with the same parameters and with its own."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from numpyro.infer import MCMC, NUTS

import neurolatent as nl
from neurolatent import precision
from neurolatent.choices import MinibatchVI
from tests.models.gpvae.recordings import gpfa_case

pytestmark = pytest.mark.slow


@functools.cache
def case():
    """Twenty trials of thirty bins, half as long as the circle beyond them: where mean-field posteriors went wrong."""
    recording, _ = gpfa_case(5, trials=20, time=30, neurons=15)
    fit = nl.fit(nl.GPFA(1), recording, engine=MinibatchVI(validation=0), seed=0)
    return recording, fit, fit.model.select(recording, for_training=True).data


def draws(program, data, names: tuple[str, ...], warm: int = 300, count: int = 400):
    """Draws of NUTS on one chain."""
    with precision.double():
        sampler = MCMC(NUTS(program), num_warmup=warm, num_samples=count, progress_bar=False)
        sampler.run(jax.random.key(0), jax.tree.map(jnp.asarray, data))
        return {name: np.asarray(sampler.get_samples()[name]) for name in names}


def in_time(fit, data, coefficients):
    return np.einsum("smpf,ft->smtp", coefficients, fit.model.basis(data.y.shape[1]).B)[:, :, :30]


def test_given_the_parameters_means_and_bands_are_those_of_nuts():
    recording, fit, data = case()
    shared = ("lengthscale", "loading_sd", "loadings", "offset")
    given = {name: jnp.asarray(getattr(fit.params, name)) for name in shared}
    found = draws(handlers.condition(fit.model.numpyro_model, given), data, ("coefficients",))
    z = in_time(fit, data, found["coefficients"])
    told = fit.predict(recording)
    mean, sd = (told[name].values.reshape(20, 30, 1) for name in ("latents", "latents_sd"))
    assert np.sqrt(((mean - z.mean(axis=0)) ** 2).mean()) < 0.1  # of the prior's standard deviation
    assert 0.9 < (sd / z.std(axis=0)).mean() < 1.1


def test_rates_are_those_of_the_whole_posterior():
    """With parameters drawn too: log rates, which no sign or size of a latent changes."""
    recording, fit, data = case()
    found = draws(fit.model.numpyro_model, data, ("coefficients", "loadings", "offset"))
    z = in_time(fit, data, found["coefficients"])
    eta = np.einsum("smtp,spn->smtn", z, found["loadings"]) + found["offset"][:, None, None]
    told = fit.predict(recording)
    own = told["latents"].values @ fit.params.loadings + fit.params.offset
    mean, sd = eta.mean(axis=0).reshape(-1, 15), eta.std(axis=0).reshape(-1, 15)
    assert np.sqrt(((own - mean) ** 2).mean()) < 0.1
    size = lambda a: float(np.sqrt((a**2).mean()))  # noqa: E731
    assert 0.85 < size(fit.params.loadings) / size(found["loadings"]) < 1.15
    assert (np.abs(own - mean) < 3 * sd).mean() > 0.97
