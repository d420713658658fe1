"""Priors bin by bin: the bound against dense Gaussian models, short sequences, gaps, draws and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurolatent as nl
from neurolatent import precision
from neurolatent.checks import InputError
from neurolatent.choices import MinibatchVI
from neurolatent.diagnostics import check
from neurolatent.models.gpvae import belief, bound, start
from neurolatent.models.gpvae.posterior import Message
from neurolatent.recording import Recording

TIME, NEURONS = 12, 5


def made(domain, latents):
    """A linear Gaussian model of few bins, one sequence shorter, with a gap, and random parameters."""
    rng = np.random.default_rng(0)
    y = [rng.normal(size=(TIME, NEURONS)), rng.normal(size=(TIME - 3, NEURONS))]
    y[0][4] = np.nan
    model = nl.GPFA(latents, neural_likelihood="normal", domain=domain, lengthscale=6.0, alpha=0.05)
    data = model.select(Recording.of({"spikes": y}), for_training=True).data
    return model, data, start.start_of(model, data, rng, 1)


def covariance(model, params, latent, length):
    if model.domain == "independent":
        return np.eye(length)
    lag = np.subtract.outer(np.arange(length), np.arange(length)) / params.lengthscale[latent]
    return np.exp(-0.5 * lag**2) + model.alpha * np.eye(length)


def dense(model, params, data, sequence, length):
    """Posterior mean and precision of all latents (latent by latent), and the log evidence, the long way."""
    prior = np.zeros((model.n_latents * length,) * 2)
    for p in range(model.n_latents):
        part = slice(p * length, (p + 1) * length)
        prior[part, part] = covariance(model, params, p, length)
    seen = data.y_seen[sequence, :length].ravel() > 0
    design = np.kron(params.loadings.T, np.eye(length)).reshape(NEURONS, length, -1).swapaxes(0, 1)
    design = design.reshape(length * NEURONS, -1)[seen]
    scaling, noise = params.scaling, np.tile(params.noise, length)[seen] ** 2
    u = (data.y[sequence, :length] - scaling.neural_centre) / scaling.neural_scale
    y = (u - params.offset).ravel()[seen]
    total = design @ prior @ design.T + np.diag(noise)
    level = np.log(np.tile(scaling.neural_scale, length)[seen]).sum()
    evidence = -0.5 * (y @ np.linalg.solve(total, y) + np.linalg.slogdet(2 * np.pi * total)[1]) - level
    exact = (design.T / noise) @ design + np.linalg.inv(prior)
    return np.linalg.solve(exact, (design.T / noise) @ y), exact, evidence


@pytest.mark.parametrize("domain", ["time", "independent"])
def test_the_bound_lies_below_the_exact_evidence_by_the_divergence_from_the_exact_posterior(domain):
    model, data, params = made(domain, 2)
    with precision.double():
        there = jax.tree.map(jnp.asarray, (params, data))
        terms, z = jax.device_get(jax.jit(bound.terms_of, static_argnums=0)(model, *there, None))
    for sequence, length in enumerate((TIME, TIME - 3)):
        mean, exact, evidence = dense(model, params, data, sequence, length)
        m, s = z.mean[sequence, :length].T.ravel(), z.var[sequence, :length].T.ravel()
        gap = (np.diagonal(exact) * s).sum() + (mean - m) @ exact @ (mean - m) - len(m)
        gap = 0.5 * (gap - np.linalg.slogdet(exact)[1] - np.log(s).sum())
        assert gap > 0
        assert terms.neural[sequence] - terms.kl[sequence].sum() == pytest.approx(evidence - gap, rel=1e-8)


def test_bins_without_memory_have_the_exact_posterior_of_factor_analysis():
    """With one latent and the right encoder the bound is the evidence."""
    model, data, params = made("independent", 1)
    data = jax.tree.map(lambda a: a[1:], data)  # the sequence without a gap
    weighted = params.loadings / params.noise**2
    information = float((weighted @ params.loadings.T).item())
    shift = np.array([-float((weighted @ params.offset).item()) / information, -0.5 * np.log(information)])
    shift[1] = 5.0 * np.arctanh(shift[1] / 5.0)
    direct = np.zeros_like(params.encoder.direct)
    direct[:NEURONS] = np.c_[(weighted / information).T, np.zeros(NEURONS)]
    params = params._replace(encoder=params.encoder._replace(direct=direct, shift=shift))
    with precision.double():
        terms, _ = jax.device_get(jax.jit(bound.terms_of, static_argnums=0)(model, params, data, None))
    evidence = dense(model, params, data, 0, TIME - 3)[2]
    assert terms.neural[0] - terms.kl[0].sum() == pytest.approx(evidence, rel=1e-8)


def test_a_bin_that_only_one_modality_tells_is_told_by_it():
    says = np.array([[1.0, 1.0, 0.0, 0.0]], np.float32)
    heard = np.array([[1.0, 0.0, 1.0, 0.0]], np.float32)
    one, other = np.full((1, 1, 4), 2.0, np.float32), np.full((1, 1, 4), 4.0, np.float32)
    messages = Message(one, says[None]), Message(other, heard[None])
    model = nl.GPVAE(n_shared=1, domain="independent")
    value, precise = belief.joined(model, *jax.tree.map(jnp.asarray, messages))
    np.testing.assert_allclose(value[0, 0, :3], [3.0, 2.0, 4.0])
    np.testing.assert_allclose(precise[0, 0], [1.0, 1.0, 1.0, 0.0])


@pytest.mark.parametrize("domain", ["time", "independent"])
def test_a_fit_goes_through_and_draws_have_the_prior(domain):
    truth, _, params = made(domain, 1)
    drawn = truth.simulate(params, jax.random.key(0), [40] * 300)
    fitted = nl.fit(truth, drawn.take(drawn.ids[:20]), engine=MinibatchVI(epochs=4), seed=0)
    words = {row.what for row in check(fitted).rows}
    assert ("length scales at a bound" in words) == (domain == "time")
    assert not any("basis" in word for word in words)
    z = drawn.signal("latents").values.reshape(300, 40)
    want = covariance(truth, params, 0, 40)
    np.testing.assert_allclose(z.T @ z / 300, want, atol=6 * np.sqrt(2 / 300))


def test_the_program_of_another_prior_is_refused():
    model, data, _ = made("time", 1)
    with pytest.raises(InputError, match="fourier"):
        model.numpyro_model(data)
