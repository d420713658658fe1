"""Densities against SciPy; the mode against the textbook form and against its neighbours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from neurolatent import precision
from neurolatent.ops import mniw


def spd(rng: np.random.Generator, size: int) -> np.ndarray:
    root = rng.normal(size=(size, size))
    return root @ root.T + 0.1 * np.eye(size)


@pytest.mark.parametrize("features", [1, 2, 3])
@pytest.mark.parametrize("regressors", [1, 4])
def test_densities_are_those_of_scipy(features, regressors):
    rng = np.random.default_rng(features + 10 * regressors)
    sigma, scale, freedom = spd(rng, features), spd(rng, features), features + 1.7
    mean, value = rng.normal(size=(2, features, regressors))
    rows = rng.uniform(0.1, 3.0, regressors)
    with precision.double():
        got = mniw.matrix_normal_log_density(*map(jnp.asarray, (value, mean, sigma, rows)))
        np.testing.assert_allclose(got, stats.matrix_normal(mean, sigma, np.diag(1 / rows)).logpdf(value), rtol=1e-11)
        got = mniw.inverse_wishart_log_density(jnp.asarray(sigma), freedom, jnp.asarray(scale))
        np.testing.assert_allclose(got, stats.invwishart(freedom, scale).logpdf(sigma), rtol=1e-11)
        np.testing.assert_allclose(mniw.log_determinant(jnp.asarray(sigma)), np.linalg.slogdet(sigma)[1], rtol=1e-10)


def moments_of(rng: np.random.Generator, features: int, regressors: int) -> tuple[mniw.Moments, tuple]:
    y, z, weight = rng.normal(size=(30, features)), rng.normal(size=(30, regressors)), rng.uniform(size=30)
    wz = z * weight[:, None]
    return mniw.Moments(*map(jnp.asarray, (weight.sum(), wz.T @ z, y.T @ wz))), (y, z, weight)


def test_mode_is_the_textbook_update_and_maximises_the_posterior():
    rng = np.random.default_rng(0)
    with precision.double():
        moments, (y, z, weight) = moments_of(rng, 2, 3)
        mean, rows, sigma = rng.normal(size=(2, 3)), rng.uniform(0.5, 2.0, 3), spd(rng, 2)
        got = mniw.regression_mode(moments, jnp.asarray(mean), jnp.asarray(rows))
        wz = z * weight[:, None]
        np.testing.assert_allclose(got, (y.T @ wz + mean * rows) @ np.linalg.inv(wz.T @ z + np.diag(rows)), rtol=1e-10)

        def log_posterior(coefficients):
            residual = jnp.asarray(y) - jnp.asarray(z) @ coefficients.T
            square = jnp.einsum("td,de,te,t->", residual, jnp.linalg.inv(sigma), residual, jnp.asarray(weight))
            prior = mniw.matrix_normal_log_density(coefficients, *map(jnp.asarray, (mean, sigma, rows)))
            return prior - 0.5 * square

        np.testing.assert_allclose(jax.grad(log_posterior)(got), np.zeros((2, 3)), atol=1e-10)


def test_mode_holds_where_regressors_are_nearly_collinear():
    rng = np.random.default_rng(1)
    z = np.c_[1e4 + rng.normal(size=200), np.ones(200)]
    y = z @ np.array([[0.5, 3.0]]).T
    with precision.double():
        moments = mniw.Moments(jnp.asarray(200.0), jnp.asarray(z.T @ z), jnp.asarray(y.T @ z))
        got = mniw.regression_mode(moments, jnp.zeros((1, 2)), jnp.zeros(2))
        np.testing.assert_allclose(z @ np.asarray(got).T, y, rtol=1e-8)


@pytest.mark.parametrize(("features", "regressors"), [(1, 1), (2, 3)])
def test_the_conjugate_posterior_is_prior_times_likelihood(features, regressors):
    rng = np.random.default_rng(2)
    y, z = rng.normal(size=(12, features)), rng.normal(size=(12, regressors))
    prior = mniw.Family(
        rng.normal(size=(features, regressors)), spd(rng, regressors), features + 0.3, spd(rng, features)
    )
    posterior = mniw.conjugate(prior, y, z)

    def density(family: mniw.Family, value: np.ndarray, sigma: np.ndarray) -> float:
        matrix = stats.matrix_normal(family.mean, sigma, np.linalg.inv(family.precision)).logpdf(value)
        return float(matrix + stats.invwishart(family.freedom, family.scale).logpdf(sigma))

    ratios = []
    for _ in range(5):
        value, sigma = rng.normal(size=(features, regressors)), spd(rng, features)
        likelihood = sum(stats.multivariate_normal(value @ b, sigma).logpdf(a) for a, b in zip(y, z, strict=True))
        ratios.append(density(posterior, value, sigma) - density(prior, value, sigma) - likelihood)
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)


@pytest.mark.parametrize("features", [1, 2])
def test_draws_have_the_moments_of_their_family(features):
    rng, count = np.random.default_rng(3), 40_000
    family = mniw.Family(rng.normal(size=(features, 2)), spd(rng, 2), features + 9.0, spd(rng, features))
    value, sigma = mniw.draw(family, count, rng)
    assert value.shape == (count, features, 2)
    mean = family.scale / (family.freedom - features - 1)
    np.testing.assert_allclose(sigma.mean(axis=0), mean, atol=0.02 * np.trace(mean))
    rows = np.cov(value.reshape(count, -1), rowvar=False)
    spread = np.kron(mean, np.linalg.inv(family.precision))
    np.testing.assert_allclose(value.mean(axis=0), family.mean, atol=5 * np.sqrt(np.trace(spread) / count))
    np.testing.assert_allclose(rows, spread, atol=0.03 * np.trace(spread))


def on_device(prior: mniw.Family, y: np.ndarray, z: np.ndarray) -> mniw.Posterior:
    left = y - z @ prior.mean.T
    moments = mniw.Moments(jnp.asarray(float(len(y))), jnp.asarray(z.T @ z), jnp.asarray(left.T @ z))
    return mniw.posterior(moments, jnp.asarray(left.T @ left), prior)


def small_case(features: int = 2, regressors: int = 3, rows: int = 12):
    rng = np.random.default_rng(4)
    y, z = rng.normal(size=(rows, features)), rng.normal(size=(rows, regressors))
    mean = rng.normal(size=(features, regressors))
    return mniw.Family(mean, spd(rng, regressors), features + 3.5, spd(rng, features)), y, z


def test_the_posterior_on_the_device_is_that_of_the_host():
    prior, y, z = small_case()
    with precision.double():
        got, want = on_device(prior, y, z), mniw.conjugate(prior, y, z)
        np.testing.assert_allclose(got.mean, want.mean, atol=1e-10)
        np.testing.assert_allclose(got.root @ got.root.T, want.scale, atol=1e-10)
        np.testing.assert_allclose(got.spread @ got.spread.T, np.linalg.inv(want.precision), atol=1e-10)
        np.testing.assert_allclose(got.freedom, want.freedom)


def test_the_marginal_is_the_product_of_one_step_predictions():
    """Each row given those before it has a multivariate t (Murphy 2012, section 7.6)."""
    prior, y, z = small_case()
    with precision.double():
        got = float(mniw.log_marginal(on_device(prior, y, z), prior))
    total = 0.0
    for n in range(len(y)):
        known = mniw.conjugate(prior, y[:n], z[:n])
        freedom = known.freedom - y.shape[1] + 1
        spread = 1 + z[n] @ np.linalg.solve(known.precision, z[n])
        total += stats.multivariate_t(known.mean @ z[n], known.scale * spread / freedom, freedom).logpdf(y[n])
    np.testing.assert_allclose(got, total, rtol=1e-10)


def test_draws_on_the_device_have_the_moments_of_their_family(key):
    prior, y, z = small_case()
    want, count = mniw.conjugate(prior, y, z), 40_000
    with precision.double():
        one = on_device(prior, y, z)
        many = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), one)
        value, sigma = map(np.asarray, jax.jit(mniw.draw_posterior)(key, many))
    mean = want.scale / (want.freedom - 3)
    np.testing.assert_allclose(sigma.mean(axis=0), mean, atol=0.02 * np.trace(mean))
    spread = np.kron(mean, np.linalg.inv(want.precision))
    np.testing.assert_allclose(value.mean(axis=0), want.mean, atol=5 * np.sqrt(np.trace(spread) / count))
    np.testing.assert_allclose(np.cov(value.reshape(count, -1), rowvar=False), spread, atol=0.03 * np.trace(spread))
    square = stats.invwishart(want.freedom, want.scale).rvs(count, random_state=1)
    for part in (np.s_[:, 0, 0], np.s_[:, 0, 1]):
        assert stats.ks_2samp(sigma[part], square[part]).pvalue > 1e-3
