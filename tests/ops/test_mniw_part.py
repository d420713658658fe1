"""The family where some coordinates are not there, against itself with the others alone."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats
from scipy.special import multigammaln

from neurolatent import precision
from neurolatent.ops import mniw, mniw_part

SIZE, ROWS = 5, 9
THERE = np.array([True, False, True, True, False])
PLACES = np.flatnonzero(THERE)


def prior_of(size: int) -> mniw.Family:
    mean = np.c_[np.eye(size), np.zeros(size)]
    return mniw.Family(mean, 0.3 * np.eye(size + 1), size + 2.0, 0.2 * np.eye(size))


def data() -> tuple[np.ndarray, np.ndarray]:
    """Targets and regressors of what is there, the constant last."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, len(PLACES)))
    return 0.8 * x + rng.normal(size=x.shape), np.c_[x, np.ones(ROWS)]


def posterior() -> mniw.Posterior:
    y, z = data()
    moved, regressors = np.zeros((ROWS, SIZE)), np.zeros((ROWS, SIZE + 1))
    moved[:, PLACES], regressors[:, [*PLACES, SIZE]] = y - z[:, :-1], z
    sums = (regressors.T @ regressors, moved.T @ regressors, moved.T @ moved)
    zz, yz, squares = (jnp.asarray(part) for part in sums)
    return mniw_part.posterior(
        mniw.Moments(jnp.asarray(float(ROWS)), zz, yz), squares, prior_of(SIZE), jnp.asarray(THERE)
    )


def test_the_posterior_of_what_is_there_is_the_conjugate_one():
    with precision.double():
        of = jax.device_get(posterior())
    small = mniw.conjugate(prior_of(len(PLACES)), *data())
    regressors = [*PLACES, SIZE]
    np.testing.assert_allclose(of.mean[np.ix_(PLACES, regressors)], small.mean, rtol=1e-10)
    cov = of.spread @ of.spread.T
    np.testing.assert_allclose(np.linalg.inv(cov[np.ix_(regressors, regressors)]), small.precision, atol=1e-10)
    scale = of.root @ of.root.T
    np.testing.assert_allclose(scale[np.ix_(PLACES, PLACES)], small.scale, rtol=1e-10, atol=1e-12)
    assert of.freedom == small.freedom
    np.testing.assert_allclose(of.mean[~THERE], prior_of(SIZE).mean[~THERE], atol=1e-12)


def test_the_marginal_of_what_is_there_is_its_density():
    with precision.double():
        got = float(mniw_part.log_marginal(posterior(), prior_of(SIZE), jnp.asarray(THERE)))
    prior, after, size = prior_of(len(PLACES)), mniw.conjugate(prior_of(len(PLACES)), *data()), len(PLACES)
    log_det = lambda matrix: np.linalg.slogdet(matrix)[1]  # noqa: E731
    want = multigammaln(after.freedom / 2, size) - multigammaln(prior.freedom / 2, size)
    want += 0.5 * prior.freedom * log_det(prior.scale) - 0.5 * after.freedom * log_det(after.scale)
    want += 0.5 * size * (log_det(prior.precision) - log_det(after.precision)) - 0.5 * ROWS * size * np.log(np.pi)
    np.testing.assert_allclose(got, want, rtol=1e-10)


def test_draws_are_those_of_the_family_without_the_rest(key):
    with precision.double():
        of = posterior()
        each = jax.lax.map(lambda k: mniw_part.draw(k, of, jnp.asarray(THERE)), jax.random.split(key, 3000))
        both, cov = map(np.asarray, each)
    rng = np.random.default_rng(1)
    want_both, want_cov = mniw.draw(mniw.conjugate(prior_of(len(PLACES)), *data()), 3000, rng)
    regressors = [*PLACES, SIZE]
    inner, square = both[:, PLACES][:, :, regressors], cov[:, PLACES][:, :, PLACES]
    for row, column in ((0, 0), (0, 2), (1, 0), (2, 3)):
        assert stats.ks_2samp(inner[:, row, column], want_both[:, row, column]).pvalue > 1e-4
    for row, column in ((0, 0), (2, 2), (0, 1), (1, 2)):
        assert stats.ks_2samp(square[:, row, column], want_cov[:, row, column]).pvalue > 1e-4
    np.testing.assert_allclose(both[:, ~THERE], np.broadcast_to(prior_of(SIZE).mean[~THERE], (3000, 2, 6)), atol=1e-12)
    np.testing.assert_allclose(cov[:, ~THERE][:, :, THERE], 0.0, atol=1e-12)
