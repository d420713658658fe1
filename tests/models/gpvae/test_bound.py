"""The bound in its terms against Monte Carlo, a dense Gaussian model and the program; masks and empty groups."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from numpyro.infer.util import log_density
from scipy.linalg import block_diag
from scipy.stats import multivariate_normal, norm

import neurolatent as nl
from neurolatent import precision
from neurolatent.models.gpvae import bound, density, start
from neurolatent.models.gpvae.belief import over_time
from neurolatent.models.gpvae.families import NEURAL
from neurolatent.models.gpvae.params import to_free
from neurolatent.models.gpvae.posterior import Coefficients, Spread, divergence
from neurolatent.recording import Recording

SIZES = (3, 16, 6, 4)  # sequences, bins, neurons, channels of behaviour


def recording(seed: int = 0, counts: bool = True) -> Recording:
    rng = np.random.default_rng(seed)
    trials, time, neurons, outputs = SIZES
    y = rng.poisson(2.0, (trials, time, neurons)) if counts else rng.normal(size=(trials, time, neurons))
    values = {"spikes": list(y), "behaviour": list(rng.normal(size=(trials, time, outputs)))}
    return Recording.of(values, kinds={"spikes": "counts"} if counts else {})


@functools.cache
def made(**choices):
    """A model, its data and random parameters."""
    model = nl.GPVAE(**{"decoder": (5,), "behaviour_encoder": (4,), "circle": 64, **choices})
    data = model.select(recording(counts=model.is_count), for_training=True).data
    rng = np.random.default_rng(1)
    params = start.start_of(model, data, rng, 1)
    shift = lambda a: a + 0.1 * rng.normal(size=np.shape(a))  # noqa: E731
    moved = {n: jax.tree.map(shift, getattr(params, n)) for n in ("loadings", "encoder", "output_encoder", "decoder")}
    return model, data, params._replace(**moved)


def posterior_and_terms(model, params, data):
    """Coefficients, and the terms of the bound with the latents in time."""

    @jax.jit
    def both(params, data):
        return bound.encoded(model, params, data), bound.terms_of(model, params, data, None)

    return jax.device_get(both(params, data))


def covariance(q):
    """(sequences, latents, F, F) of the coefficients, the long way."""
    scale = np.sqrt(np.asarray(q.c))
    return scale[:, :, None] * np.asarray(q.spread.cov) * scale[:, None, :]


def test_the_divergence_is_that_of_monte_carlo():
    rng = np.random.default_rng(0)
    mean, c, square = rng.normal(size=5), rng.uniform(0.5, 2.0, 5), rng.normal(size=(5, 8))
    cov = np.linalg.inv(np.eye(5) + square @ square.T / 4)
    with precision.double():
        spread = Spread(jnp.asarray(cov[None, None]), jnp.asarray(np.linalg.slogdet(cov)[1])[None, None])
        q = Coefficients(jnp.asarray(mean[None, None]), spread, jnp.asarray(c)[None])
        got = float(divergence(q)[0, 0])
    law = multivariate_normal(mean, covariance(q)[0, 0])
    x = law.rvs(1_000_000, random_state=rng)
    each = law.logpdf(x) - norm(0, np.sqrt(c)).logpdf(x).sum(axis=1)
    assert got == pytest.approx(each.mean(), rel=3e-3)


def test_the_spread_in_time_is_that_of_the_dense_covariance():
    model, data, params = made(n_neural=2)
    basis = model.basis(data.y.shape[1])
    with precision.double():
        q, (_, z) = posterior_and_terms(model, params, data)
    want = np.einsum("ft,mpfg,gt->mtp", basis.B, covariance(q), basis.B)
    np.testing.assert_allclose(z.var, want, rtol=1e-9)


def test_the_poisson_term_is_that_of_monte_carlo():
    rng = np.random.default_rng(0)
    y, eta, var = np.array([0.0, 2.0, 5.0]), np.array([-0.5, 0.3, 1.0]), np.array([0.3, 0.1, 0.2])
    x = eta + np.sqrt(var) * rng.normal(size=(2_000_000, 3))
    log_factorial = np.array([0.0, np.log(2), np.log(120)])
    want = (y * x - np.exp(x)).mean(axis=0) - log_factorial
    family = NEURAL["poisson"](nl.GPFA(1))
    np.testing.assert_allclose(family.expected(*map(jnp.asarray, (y, eta, var)), None), want, rtol=1e-3)


def dense(model, params, data):
    """Mean and covariance of the posterior of all coefficients of the first sequence, and its log evidence."""
    basis, u = model.basis(data.y.shape[1]), (data.y[0] - params.scaling.neural_centre) / params.scaling.neural_scale
    with precision.double():
        c = np.asarray(basis.prior_var(np.asarray(params.lengthscale, float), 1.0, model.alpha)).ravel()
    seen = data.y_seen[0].ravel() > 0
    design = np.einsum("pn,ft->tnpf", params.loadings, basis.B).reshape(-1, len(c))[seen]
    noise = np.broadcast_to(params.noise, data.y[0].shape).ravel()[seen] ** 2
    y = (u - params.offset).ravel()[seen]
    total = (design * c) @ design.T + np.diag(noise)
    log_scale = np.broadcast_to(np.log(params.scaling.neural_scale), u.shape).ravel()[seen].sum()
    evidence = -0.5 * (y @ np.linalg.solve(total, y) + np.linalg.slogdet(2 * np.pi * total)[1]) - log_scale
    precision_ = (design.T / noise) @ design + np.diag(1 / c)
    return np.linalg.solve(precision_, (design.T / noise) @ y), precision_, evidence


def test_the_bound_lies_below_the_exact_evidence_by_the_divergence_from_the_exact_posterior():
    model, data, params = made(n_neural=2, neural_likelihood="normal")
    mean, precision_, evidence = dense(model, params, data)
    with precision.double():
        q, (terms, _) = posterior_and_terms(model, params, data)
    elbo = float(terms.neural[0] - terms.kl[0].sum())
    m, s = np.asarray(q.mean[0]).ravel(), block_diag(*covariance(q)[0])
    gap = np.trace(precision_ @ s) + (mean - m) @ precision_ @ (mean - m) - len(m)
    gap = 0.5 * (gap - np.linalg.slogdet(precision_)[1] - np.linalg.slogdet(s)[1])
    assert gap > 0
    assert elbo == pytest.approx(evidence - gap, rel=1e-8)


def test_with_one_latent_the_bound_can_be_the_exact_evidence():
    model, data, params = made(n_neural=1, neural_likelihood="normal")
    weighted = params.loadings / params.noise**2
    information = float((weighted @ params.loadings.T).item())
    direct = np.c_[(weighted / information).T, np.zeros(SIZES[2])]
    shift = np.array([-float((weighted @ params.offset).item()) / information, -0.5 * np.log(information)])
    encoder = params.encoder._replace(direct=direct, shift=shift)
    limit = 5.0
    encoder = encoder._replace(shift=np.array([shift[0], limit * np.arctanh(shift[1] / limit)]))
    params = params._replace(encoder=encoder)
    mean, precision_, evidence = dense(model, params, data)
    with precision.double():
        q, (terms, _) = posterior_and_terms(model, params, data)
    np.testing.assert_allclose(q.mean[0, 0], mean, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(covariance(q)[0, 0], np.linalg.inv(precision_), rtol=1e-6, atol=1e-9)
    assert float(terms.neural[0] - terms.kl[0].sum()) == pytest.approx(evidence, rel=1e-8)


@pytest.mark.parametrize("likelihood", ["poisson", "normal"])
def test_the_program_has_the_density_whose_bound_is_climbed(likelihood):
    """With a posterior of no width at mu: E_q log p(y|z) = log p(y|mu), and the prior of mu in closed form."""
    model, data, params = made(n_neural=2, neural_likelihood=likelihood)
    basis = model.basis(data.y.shape[1])
    with precision.double():
        c = np.asarray(basis.prior_var(jnp.asarray(params.lengthscale), 1.0, model.alpha))
        zf = np.sqrt(c) * np.random.default_rng(2).normal(size=(SIZES[0], *c.shape))
        sharp = Spread(jnp.zeros((*zf.shape, basis.F)), jnp.zeros(zf.shape[:2]))
        z = over_time(Coefficients(jnp.asarray(zf), sharp, jnp.asarray(c)), basis)
        there = jax.tree.map(jnp.asarray, (params, data))
        own = float(bound.neural_term(model, *there, z).sum()) + float(density.log_prior(model, params))
        own += float((-0.5 * zf**2 / c - 0.5 * np.log(2 * np.pi * c)).sum())
        own += float((-0.5 * (params.offset / 5) ** 2 - np.log(5 * np.sqrt(2 * np.pi))).sum())
        names = ("lengthscale", "loading_sd", "loadings", "offset")
        sites = {**{n: jnp.asarray(getattr(params, n)) for n in names}, "coefficients": jnp.asarray(zf)}
        u = data
        if likelihood == "normal":
            u = data._replace(y=(data.y - params.scaling.neural_centre) / params.scaling.neural_scale)
            own += float((np.log(params.scaling.neural_scale) * data.y_seen).sum())
        program = handlers.substitute(model.numpyro_model, {"noise": jnp.asarray(params.noise)})
        total = float(log_density(program, (jax.tree.map(jnp.asarray, u),), {}, sites)[0])
    assert total == pytest.approx(own, rel=1e-6)


@functools.partial(jax.jit, static_argnums=0)
def loss_and_slope(model, params, data):
    def loss(params):
        terms, _ = bound.terms_of(model, params, data, jax.random.key(0))
        return (terms.neural + terms.behaviour - terms.kl.sum(axis=1)).sum()

    return jax.value_and_grad(loss)(params)


def hidden(data, value):
    """A bin, some neurons, one channel and a whole trial of behaviour hidden, with any value under the mask."""
    y_seen, x_seen = data.y_seen.copy(), data.x_seen.copy()
    y_seen[0, 3], y_seen[1, 5:9, :2], x_seen[2], x_seen[0, 7, 1] = 0, 0, 0, 0
    y, x = np.where(y_seen > 0, data.y, value), np.where(x_seen > 0, data.x, value)
    return data._replace(y=y, x=x, y_seen=y_seen, x_seen=x_seen)


@pytest.mark.parametrize("combine", ["mean", "product"])
def test_masked_values_change_neither_loss_nor_gradient(combine):
    model, data, params = made(n_neural=1, n_shared=1, n_behaviour=1, combine=combine)
    one, other = (loss_and_slope(model, params, hidden(data, value)) for value in (0.0, 7.0))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.isfinite(a).all()


@pytest.mark.parametrize("domain", ["fourier", "time"])
@pytest.mark.parametrize("combine", ["mean", "product"])
def test_the_gradient_is_finite_in_single_precision_where_neither_modality_says_anything(combine, domain):
    """As at the end of a padded sequence; engines climb in single precision."""
    model, data, params = made(n_neural=1, n_shared=1, n_behaviour=1, combine=combine, domain=domain)
    y_seen, x_seen = data.y_seen.copy(), data.x_seen.copy()
    y_seen[:, -2:], x_seen[:, -2:] = 0, 0
    data = data._replace(y=data.y * y_seen, x=data.x * x_seen, y_seen=y_seen, x_seen=x_seen)
    with precision.single():
        single = jax.tree.map(lambda a: np.asarray(a, np.float32), (data, params))
        free = jax.device_get(to_free(single[1], model.bounds(SIZES[1])))
        climbed = lambda free, data: model.bound(free, data, None, 1.0).objective.sum()  # noqa: E731
        slope = jax.jit(jax.grad(climbed))(free, single[0])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))


def test_private_latents_of_a_missing_modality_are_at_their_prior():
    model, data, params = made(n_neural=1, n_shared=1, n_behaviour=1)
    q, (terms, _) = posterior_and_terms(model, params, hidden(data, 0.0))
    assert float(terms.kl[2, 2]) == pytest.approx(0.0, abs=1e-5)
    assert float(jnp.abs(q.mean[2, 2]).max()) == 0.0
    assert float(terms.kl[2, 1]) > 0.01


@pytest.mark.parametrize("groups", [(2, 0, 0), (0, 1, 0), (0, 0, 2), (1, 0, 1), (0, 2, 1)])
def test_groups_of_size_zero_work(groups):
    model, data, params = made(**dict(zip(("n_neural", "n_shared", "n_behaviour"), groups, strict=True)))
    value, slope = loss_and_slope(model, params, data)
    assert np.isfinite(value)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))
    assert np.asarray(model.posterior(params, data).along_time["latents"]).shape == (3, 16, sum(groups))
