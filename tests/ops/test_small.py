"""Small matrices against LAPACK, in batches."""

import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.ops import small


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_roots_and_inverses_are_those_of_lapack(size):
    rng = np.random.default_rng(size)
    root = rng.normal(size=(4, 2, size, size))
    matrix = root @ np.swapaxes(root, -1, -2) + 0.1 * np.eye(size)
    with precision.double():
        lower = np.asarray(small.cholesky(jnp.asarray(matrix)))
        np.testing.assert_allclose(lower, np.linalg.cholesky(matrix), atol=1e-12)
        np.testing.assert_allclose(small.lower_inverse(jnp.asarray(lower)), np.linalg.inv(lower), atol=1e-9)
        vector = rng.normal(size=(4, 2, size))
        np.testing.assert_allclose(small.product(jnp.asarray(root), jnp.asarray(matrix)), root @ matrix, atol=1e-12)
        got = small.applied(jnp.asarray(root), jnp.asarray(vector))
        np.testing.assert_allclose(got, np.einsum("...ij,...j->...i", root, vector), atol=1e-12)


def test_a_matrix_without_a_root_gives_nan():
    with precision.double():
        assert np.isnan(np.asarray(small.cholesky(jnp.asarray([[1.0, 2.0], [2.0, 1.0]])))).any()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("radius", [1.02, 0.7])
def test_the_radius_is_that_of_the_eigenvalues(size, radius):
    rng = np.random.default_rng(size)
    matrix = 0.6 * np.eye(size) + 0.5 * rng.normal(size=(2000, size, size)) / np.sqrt(size)
    want = np.abs(np.linalg.eigvals(matrix)).max(axis=-1) < radius
    with precision.double():
        got = np.asarray(small.is_within_radius(jnp.asarray(matrix), radius))
    assert 0.01 < want.mean() < 0.99
    np.testing.assert_array_equal(got, want)
