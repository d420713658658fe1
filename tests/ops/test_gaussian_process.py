"""The divergence in time against NumPyro's of dense normal distributions, for sequences of unequal length."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions import kl_divergence

from neurolatent.ops.gaussian_process import divergence_in_time, kernel_factor

TIME, LENGTHS, ELL = 12, (12, 7), np.array([2.0, 5.0], np.float32)


@pytest.fixture(scope="module")
def beliefs():
    rng = np.random.default_rng(0)
    shape = (len(LENGTHS), len(ELL), TIME)
    inside = np.arange(TIME) < np.array(LENGTHS)[:, None]
    mean, var = rng.normal(size=shape), rng.gamma(2.0, 0.3, shape)
    return jnp.float32(mean), jnp.float32(var), kernel_factor(TIME, jnp.asarray(ELL), 1e-2), jnp.asarray(inside)


def test_factors_give_the_covariance(beliefs):
    lag = np.subtract.outer(np.arange(TIME), np.arange(TIME))
    for factor, ell in zip(beliefs[2], ELL, strict=True):
        want = np.exp(-0.5 * (lag / ell) ** 2) + 1e-2 * np.eye(TIME)
        np.testing.assert_allclose(factor @ factor.T, want, atol=1e-5)


@jax.jit
def dense_divergence(mean, root, factor):
    own, prior = dist.MultivariateNormal(mean, scale_tril=root), dist.MultivariateNormal(0 * mean, scale_tril=factor)
    return kl_divergence(own, prior)


def test_it_is_the_divergence_of_dense_normal_distributions(beliefs):
    mean, var, factor, _ = map(np.asarray, beliefs)
    got = np.asarray(divergence_in_time(*beliefs))
    for m, length in enumerate(LENGTHS):
        root = np.sqrt(var[m, :, :length])[..., None] * np.eye(length, dtype=np.float32)
        with jax.numpy_dtype_promotion("standard"):  # NumPyro mixes types
            want = dense_divergence(mean[m, :, :length], root, factor[:, :length, :length])
        np.testing.assert_allclose(got[m], want, rtol=1e-4)


def test_what_stands_beyond_a_sequence_does_not_count(beliefs):
    mean, var, factor, inside = beliefs

    def total(mean, var):
        return divergence_in_time(mean, var, factor, inside).sum()

    beyond = ~inside[:, None]
    wild = jnp.where(beyond, jnp.float32(1e3), mean), jnp.where(beyond, jnp.float32(7.0), var)
    assert float(total(*wild)) == float(total(mean, var))
    slopes = jax.grad(total, argnums=(0, 1))(*wild)
    assert all(float(jnp.abs(jnp.where(beyond, slope, jnp.float32(0))).max()) == 0.0 for slope in slopes)
