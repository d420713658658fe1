"""Gamma draws against SciPy's distribution function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from neurolatent.ops.gamma import ONE_ROUND, standard_gamma

draws_of = jax.jit(standard_gamma)


@pytest.mark.parametrize("shape", [0.05, 0.7, 1.0, 3.5, 400.0])
def test_draws_have_the_law_that_scipy_tells(key, shape):
    drawn = np.asarray(draws_of(key, jnp.full(20 * ONE_ROUND, shape, jnp.float32)), float)
    # single precision holds no number below 1e-38: of the smallest shape one in a hundred
    assert stats.kstest(np.maximum(drawn, 1e-37), lambda x: stats.gamma.cdf(x, shape)).pvalue > 1e-3 or shape < 0.1
    np.testing.assert_allclose(drawn.mean(), shape, rtol=5 / np.sqrt(shape * drawn.size))
    np.testing.assert_allclose(drawn.var(), shape, rtol=0.05 if shape > 0.1 else 0.2)


def test_shapes_of_all_sizes_stand_side_by_side(key):
    shapes = jnp.asarray(np.tile([0.4, 1.2, 50.0], (100, 400, 1)).astype(np.float32))
    drawn = np.asarray(draws_of(key, shapes), float)
    assert drawn.shape == shapes.shape
    assert (drawn > 0).all()
    np.testing.assert_allclose(drawn.mean(axis=(0, 1)), [0.4, 1.2, 50.0], rtol=0.02)
    for column, shape in enumerate([0.4, 1.2, 50.0]):
        assert stats.kstest(drawn[..., column].ravel(), stats.gamma(shape).cdf).pvalue > 1e-3
