"""Gauss-Hermite expectations against dense sums over the density."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent.ops.quadrature import expected_sigmoid, expected_softplus, normal_expectation


def dense(function, mean, sd):
    """The same by a sum over 200,001 points."""
    x = np.linspace(-12, 12, 200_001)
    density = np.exp(-0.5 * x**2)
    return float((function(mean + sd * x) * density).sum() / density.sum())


@pytest.mark.parametrize("mean", [-4.0, 0.0, 1.5])
@pytest.mark.parametrize("sd", [0.1, 1.0, 2.0])
def test_expectations_of_softplus_and_sigmoid(mean, sd):
    args = jnp.float32(mean), jnp.float32(sd**2)
    tolerance = 1e-5 if sd <= 1 else 2e-3
    assert abs(float(expected_softplus(*args)) - dense(lambda x: np.logaddexp(0, x), mean, sd)) < tolerance
    assert abs(float(expected_sigmoid(*args)) - dense(lambda x: 1 / (1 + np.exp(-x)), mean, sd)) < tolerance


def test_polynomials_are_exact_and_arrays_broadcast():
    mean, var = jnp.array([0.0, 1.0, -2.0]), jnp.array([[1.0], [2.0]])
    got = normal_expectation(lambda x: x**4, mean, var)
    np.testing.assert_allclose(got, mean**4 + 6 * mean**2 * var + 3 * var**2, rtol=1e-5)


def test_without_spread_it_is_the_value_and_the_slope_is_finite():
    slope = jax.grad(lambda v: normal_expectation(jnp.exp, jnp.float32(0.5), v))(jnp.float32(0.0))
    assert np.isfinite(slope)
    assert abs(float(normal_expectation(jnp.exp, jnp.float32(0.5), jnp.float32(0.0))) - np.exp(0.5)) < 1e-5
