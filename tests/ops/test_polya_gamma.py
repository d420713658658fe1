"""Polya-Gamma draws against exact ones (Devroye's method), the moments against the series of the definition."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from neurolatent import precision
from neurolatent.ops import polya_gamma

CASES = [(0.3, 0.0), (1.0, 0.005), (1.0, -1.0), (2.5, 4.0), (40.0, 0.7), (7.0, 30.0)]


def exact_draw(b: int, c: float, rng: np.random.Generator) -> float:
    """A draw of PG(b, c), b whole, as a sum of b draws of PG(1, c) (Polson, Scott and Windle 2013, appendix)."""
    return sum(_exact_one(abs(c) / 2, rng) for _ in range(b)) / 4


@functools.cache
def _masses(tilt: float, cut: float) -> tuple[float, float, float]:
    """Rate of the exponential part, its mass, and that of the inverse Gaussian part."""
    rate = np.pi**2 / 8 + tilt**2 / 2
    below = stats.invgauss(mu=1 / tilt, scale=1).cdf(cut) if tilt else 2 * stats.norm.sf(1 / np.sqrt(cut))
    return rate, np.pi / (2 * rate) * np.exp(-rate * cut), 2 * np.exp(-tilt) * below


def _exact_one(tilt: float, rng: np.random.Generator, cut: float = 0.64) -> float:
    rate, right, left = _masses(tilt, cut)
    while True:
        if rng.random() < right / (right + left):
            x = cut + rng.exponential() / rate
        else:
            x = _truncated_inverse_gaussian(tilt, cut, rng)
        total, target = _coefficient(0, x, cut), rng.random() * _coefficient(0, x, cut)
        for n in range(1, 200):
            total += (-1) ** n * _coefficient(n, x, cut)
            if n % 2 and target < total:
                return x
            if not n % 2 and target > total:
                break


def _coefficient(n: int, x: float, cut: float) -> float:
    half = n + 0.5
    if x <= cut:
        return np.pi * half * (2 / (np.pi * x)) ** 1.5 * np.exp(-2 * half**2 / x)
    return np.pi * half * np.exp(-(half**2) * np.pi**2 * x / 2)


def _truncated_inverse_gaussian(tilt: float, cut: float, rng: np.random.Generator) -> float:
    if tilt * cut < 1:
        while True:
            first, second = rng.exponential(size=2)
            if first**2 <= 2 * second / cut:
                x = cut / (1 + cut * first) ** 2
                if rng.random() < np.exp(-(tilt**2) * x / 2):
                    return x
    while True:
        x = rng.wald(1 / tilt, 1.0)
        if x < cut:
            return x


@functools.partial(jax.jit, static_argnames=("count", "terms"))
def many(key, b, c, count=100_000, terms=polya_gamma.TERMS):
    return polya_gamma.draw(key, jnp.full(count, b), jnp.full(count, c), terms=terms)


@pytest.mark.parametrize(("b", "c"), CASES)
def test_moments_are_those_of_the_defining_series(b, c):
    weight = 1 / (2 * np.pi**2 * (np.arange(1, 400_001) - 0.5) ** 2 + c**2 / 2)
    with precision.double():
        mean, variance = polya_gamma.moments(jnp.asarray(b), jnp.asarray(c))
    np.testing.assert_allclose([mean, variance], [b * weight.sum(), b * (weight**2).sum()], rtol=2e-5)


@pytest.mark.parametrize(("b", "c"), CASES)
def test_draws_have_the_moments(key, b, c):
    with precision.double():
        drawn = np.asarray(many(key, jnp.asarray(b), jnp.asarray(c)))
        mean, variance = map(float, polya_gamma.moments(jnp.asarray(b), jnp.asarray(c)))
    np.testing.assert_allclose(drawn.mean(), mean, atol=5 * np.sqrt(variance / drawn.size))
    np.testing.assert_allclose(drawn.var(), variance, rtol=0.05)


@pytest.mark.parametrize(("b", "c"), [(1, 0.0), (1, 1.5), (3, -2.0), (2, 5.0)])
def test_draws_cannot_be_told_from_exact_ones(key, b, c):
    rng = np.random.default_rng(b)
    exact = np.array([exact_draw(b, c, rng) for _ in range(10_000)])
    with precision.double():
        whole = np.asarray(many(key, jnp.asarray(float(b)), jnp.asarray(c)))
        mean = float(polya_gamma.moments(jnp.asarray(float(b)), jnp.asarray(c))[0])
    np.testing.assert_allclose(exact.mean(), mean, atol=5 * exact.std() / 100)
    assert stats.ks_2samp(whole, exact).pvalue > 1e-3


def test_the_sum_without_its_rest_is_found_out(key):
    """The comparison has the power to see what the gamma draw in place of the tail is for."""
    rng = np.random.default_rng(1)
    exact = np.array([exact_draw(8, 0.0, rng) for _ in range(10_000)])
    k = np.arange(1, 9)[:, None]
    cut = (rng.gamma(8.0, size=(8, 10_000)) / (2 * np.pi**2 * (k - 0.5) ** 2)).sum(axis=0)
    assert stats.ks_2samp(cut, exact).pvalue < 1e-4
