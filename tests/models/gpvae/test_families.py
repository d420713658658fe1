"""Expected log densities of every family against NumPyro's density and 100,000 draws of the predictor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent.models.gpvae import families
from neurolatent.models.gpvae.families import Told

ETA, VAR = np.array([-1.0, 0.3, 0.8]), np.array([0.2, 0.05, 0.5])
FAMILIES = {
    "poisson": (families.Poisson(), [0, 2, 5], None),
    "negative binomial": (families.NegativeBinomial(), [0, 2, 5], [0.7, 3.0, 20.0]),
    "bernoulli": (families.Bernoulli(), [0, 1, 1], None),
    "binomial": (families.Binomial(6), [0, 4, 6], None),
    "normal": (families.Normal(), [-1.2, 0.0, 2.0], [0.5, 1.0, 2.0]),
    "student t": (families.StudentT(), [-1.2, 0.0, 9.0], [0.5, 1.0, 2.0]),
    "von mises": (families.VonMises(), [-3.0, 0.0, 2.0], [0.5, 4.0, 2.0]),
    "categorical": (families.Categorical(), [0, 1, 0], None),
}
EXACT = [name for name, (family, *_) in FAMILIES.items() if family.is_exact]


def case(name):
    family, y, extra = FAMILIES[name]
    return family, jnp.asarray(y, jnp.float32), None if extra is None else jnp.asarray(extra, jnp.float32)


def log_prob(family, y, eta, extra):
    law = family.distribution(jnp.asarray(eta), extra)
    return law.log_prob(y if not hasattr(law, "total_count") else y.astype(jnp.int32))


@pytest.mark.parametrize("name", FAMILIES)
def test_without_spread_it_is_numpyros_density(name):
    family, y, extra = case(name)
    eta = jnp.asarray(ETA, jnp.float32)
    got, want = family.expected(y, eta, jnp.zeros(3), extra), log_prob(family, y, eta, extra)
    np.testing.assert_allclose(got.sum(), jnp.sum(want), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", EXACT)
def test_expectations_are_those_of_draws(name):
    family, y, extra = case(name)
    draws = ETA + np.sqrt(VAR) * np.random.default_rng(0).normal(size=(100_000, 3))
    values = np.asarray(log_prob(family, y, draws.astype(np.float32), extra), float)
    error = values.std(axis=0) / np.sqrt(len(values))
    got = family.expected(y, jnp.asarray(ETA, jnp.float32), jnp.asarray(VAR, jnp.float32), extra)
    assert (np.abs(got - values.mean(axis=0)) < 4 * error + 1e-4).all()
    assert (4 * error < 2e-2 * np.abs(values.mean(axis=0)) + 1e-2).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_expected_values_and_draws_agree(name):
    family, _, extra = case(name)
    eta = np.broadcast_to(ETA, (200_000, 3))
    seen = family.draw(np.random.default_rng(1), eta, None if extra is None else np.asarray(extra))
    told = family.told(jnp.asarray(ETA, jnp.float32), jnp.zeros(3), extra)
    if name == "von mises":
        seen = np.arctan2(np.sin(seen).mean(axis=0), np.cos(seen).mean(axis=0))[None]
        spread = np.full(3, 2e-2)
    else:
        spread = 5 * seen.std(axis=0) / np.sqrt(len(seen))
    assert (np.abs(seen.mean(axis=0) - told.mean) < spread).all()
    np.testing.assert_allclose(told.sd, 0, atol=2e-3)


@pytest.mark.parametrize("name", [n for n in EXACT if n not in ("von mises",)])
def test_the_spread_of_the_expected_value_is_that_of_draws(name):
    family, _, extra = case(name)
    draws = ETA + np.sqrt(VAR) * np.random.default_rng(2).normal(size=(200_000, 3))
    each = family.told(jnp.asarray(draws, jnp.float32), jnp.zeros(3), extra).mean
    got = family.told(jnp.asarray(ETA, jnp.float32), jnp.asarray(VAR, jnp.float32), extra)
    want = Told(np.mean(each, axis=0, dtype=float), np.std(each, axis=0, dtype=float))
    np.testing.assert_allclose(got.mean, want.mean, rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(got.sd, want.sd, rtol=2e-2)


def test_without_end_a_concentration_makes_poisson():
    family, y, _ = case("poisson")
    at = jnp.asarray(ETA, jnp.float32), jnp.asarray(VAR, jnp.float32)
    other = families.NegativeBinomial().expected(y, *at, jnp.full(3, 3e3))
    np.testing.assert_allclose(other, family.expected(y, *at, None), atol=5e-3)


@pytest.mark.parametrize("name", FAMILIES)
def test_slopes_are_finite_at_no_spread(name):
    family, y, extra = case(name)
    at = jnp.asarray(ETA, jnp.float32), jnp.zeros(3)
    slopes = jax.grad(lambda eta, var: family.expected(y, eta, var, extra).sum(), argnums=(0, 1))(*at)
    assert all(np.isfinite(slope).all() for slope in slopes)
