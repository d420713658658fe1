"""Concentrations of the states against grids: each given tables, and all with the weights given the states alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, gammaln, xlogy

from neurolatent import precision
from neurolatent.models.bicluster import concentrations, states
from neurolatent.models.bicluster.concentrations import NAMES, Tables
from tests.models.bicluster.small import case, chain, draws, model_of

MODEL = model_of(update_hdp=True)
PATH = np.repeat([0, 1, 0, 1, 0], [9, 4, 12, 3, 12])
MANY = 30_000


def tables() -> Tables:
    return Tables(jnp.array([[12, 3, 0], [2, 20, 1], [1, 0, 0]]), jnp.array([4.0, 3.0, 1.0]), jnp.array(5.0))


def given_tables(values, key):
    return concentrations.draw(values, tables(), key)


def moments(log_density: np.ndarray, *values: np.ndarray) -> list[float]:
    """Mean of each function on the grid."""
    weight = np.exp(log_density - log_density.max())
    return [float((weight * value).sum() / weight.sum()) for value in values]


def test_each_has_its_conditional_given_the_tables(key):
    with precision.double():
        start = jnp.array([5.0, 5.0, 10.0])
        drawn = np.asarray(chain(given_tables, lambda values: values, key, start, MANY))
        moves, others, sticky = map(np.asarray, tables())
    alpha, gamma, kappa = drawn.T
    total, stickiness, count = alpha + kappa, kappa / (alpha + kappa), others.sum() + sticky
    logs = np.linspace(-6, 7, 3001)
    x, n = np.exp(logs), moves.sum(axis=1)
    log_s = np.log(x) - 0.1 * x + count * logs + (gammaln(x) - gammaln(x + n[:, None])).sum(axis=0)
    share = x / 3
    log_gamma = np.log(x) - 0.1 * x + gammaln(x) - gammaln(x + others.sum())
    log_gamma = log_gamma + (gammaln(share + others[:, None]) - gammaln(share)).sum(axis=0)
    for values, density in ((total, log_s), (gamma, log_gamma)):
        mean, square = moments(density, logs, logs**2)
        np.testing.assert_allclose(np.log(values).mean(), mean, atol=0.03)
        np.testing.assert_allclose(np.log(values).std(), np.sqrt(square - mean**2), rtol=0.05)
    law = stats.beta(2 + sticky, 1 + count - sticky)
    assert stats.kstest(stickiness, law.cdf).pvalue > 1e-3


def update(params, key):
    return states.draw_weights(MODEL, params, key)


def tell(params):
    alpha, gamma, kappa = params.concentrations
    return jnp.log(alpha + kappa), kappa / (alpha + kappa), jnp.log(gamma), params.weights[0]


def by_grid() -> list[float]:
    """Means of log s, phi, log gamma and the first weight given the path, rows and tables summed out."""
    moves = np.zeros((2, 2))
    np.add.at(moves, (PATH[1:-1], PATH[2:]), 1)
    logits, log_s, phi = np.linspace(-16, 16, 129), np.linspace(-5, 6.5, 70), (np.arange(60) + 0.5) / 60
    beta = np.stack([expit(logits), expit(-logits)])
    s, stay = np.exp(log_s)[:, None, None], phi[:, None]
    likelihood = log_s[:, None, None] - 0.1 * s + np.log(stay)  # priors, with the Jacobian of log s
    for row in range(2):
        likelihood = likelihood + gammaln(s) - gammaln(s + moves[row].sum())
        for to in range(2):
            weight = s * ((1 - stay) * beta[to] + stay * (row == to))
            likelihood = likelihood + gammaln(weight + moves[row, to]) - gammaln(weight)
    logs = np.linspace(-9, 5.5, 200)
    gamma, of_beta = np.exp(logs)[:, None], np.log(beta).sum(axis=0)  # the Jacobian of the logit is beta (1 - beta)
    prior = logs[:, None] - 0.1 * gamma + gammaln(gamma) - 2 * gammaln(gamma / 2) + gamma / 2 * of_beta
    top, height = likelihood.max(), prior.max()
    weight, given = np.exp(likelihood - top), np.exp(prior - height)
    both = weight * given.sum(axis=0)
    of_gamma = given * weight.sum(axis=(0, 1))
    return [
        (both * log_s[:, None, None]).sum() / both.sum(),
        (both * stay).sum() / both.sum(),
        (of_gamma * logs[:, None]).sum() / of_gamma.sum(),
        (both * beta[0]).sum() / both.sum(),
    ]


def test_all_have_their_posterior_given_the_states(key):
    params = case(6)[0]._replace(state=PATH)
    with precision.double():
        found = map(np.asarray, chain(update, tell, key, jax.tree.map(jnp.asarray, params), 2 * MANY))
    wanted = by_grid()
    for name, values, mean, within in zip(
        ("s", "phi", "gamma", "beta"), found, wanted, (0.08, 0.01, 0.05, 0.01), strict=True
    ):
        np.testing.assert_allclose(np.mean(values), mean, atol=within, err_msg=name)


def held(params, key):
    return states.draw_weights(model_of(), params, key)


def test_they_stay_where_the_model_holds_them(key):
    params = jax.tree.map(jnp.asarray, case(6)[0])
    kept = draws(held, key, params, 1)
    np.testing.assert_array_equal(kept.concentrations[0], params.concentrations)
    assert not np.array_equal(kept.weights[0], params.weights)
    np.testing.assert_array_equal(concentrations.of_model(model_of(alpha=2, gamma=3, kappa=4)), [2, 3, 4])
    assert concentrations.log_prior(model_of(), params.concentrations) == 0.0


def prior(_, key):
    return concentrations.from_prior(MODEL, key, float)


def test_draws_of_the_prior_have_its_density(key):
    with precision.double():
        alpha, gamma, kappa = np.asarray(draws(prior, key, 0, 5000)).T
        for values, law in (
            (alpha + kappa, stats.expon(scale=10)),
            (kappa / (alpha + kappa), stats.beta(2, 1)),
            (gamma, stats.expon(scale=10)),
        ):
            assert stats.kstest(values, law.cdf).pvalue > 1e-3
        at = np.array([2.0, 3.0, 6.0])
        given = stats.expon(scale=10).logpdf([8.0, 3.0]).sum() + stats.beta(2, 1).logpdf(0.75)
        assert float(concentrations.log_prior(MODEL, jnp.asarray(at))) == pytest.approx(given, rel=1e-10)
    assert NAMES == ("alpha", "gamma", "kappa")


def rows(concentration, key):
    return states.dirichlet(key, concentration)


def test_dirichlet_rows_hold_however_small_their_concentrations_are(key):
    """A mean and a mean entropy are those of the law; next to nothing, one entry takes all."""
    a = np.array([0.3, 2.0, 0.05, 1.0])
    with precision.double():
        drawn = np.asarray(draws(rows, key, jnp.asarray(a), 20_000))
        tiny = np.asarray(draws(rows, key, jnp.array([1e-4, 3e-4, 0.0, 0.0]), 20_000))
    np.testing.assert_allclose(drawn.mean(axis=0), a / a.sum(), atol=0.01)
    law = stats.dirichlet(a)
    np.testing.assert_allclose(drawn.var(axis=0), law.var(), rtol=0.06)
    entropies = -xlogy(drawn, drawn).sum(axis=1)
    twin = law.rvs(20_000, random_state=1)
    np.testing.assert_allclose(entropies.mean(), -xlogy(twin, twin).sum(axis=1).mean(), atol=0.02)
    assert np.isfinite(tiny).all()
    np.testing.assert_allclose(tiny.sum(axis=1), 1.0)
    np.testing.assert_allclose(tiny.mean(axis=0), [0.25, 0.75, 0.0, 0.0], atol=0.015)
