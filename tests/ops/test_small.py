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
        of, other = small.entries(jnp.asarray(matrix)), small.entries(jnp.asarray(root))
        lower = small.cholesky(of)
        dense = np.linalg.cholesky(matrix)
        np.testing.assert_allclose(small.from_entries(lower.lower), dense, atol=1e-12)
        np.testing.assert_allclose(small.from_entries(small.lower_inverse(lower)), np.linalg.inv(dense), atol=1e-9)
        half = 0.5 * np.linalg.slogdet(matrix)[1]
        np.testing.assert_allclose(small.log_diagonal(lower), half, atol=1e-9)
        turned = np.swapaxes(root, -1, -2)
        for got, want in (
            (small.product(other, of), root @ matrix),
            (small.product(other, small.transposed(lower.lower)), root @ np.swapaxes(dense, -1, -2)),
            (small.gram(other), root @ turned),
            (small.congruent(other, of), turned @ matrix @ root),
            (small.added(of, other, -2.0), matrix - 2 * root),
            (small.symmetric(other), 0.5 * (root + turned)),
            (small.with_one(other), root + np.eye(size)),
        ):
            np.testing.assert_allclose(small.from_entries(got), want, atol=1e-12)
        vector, white = rng.normal(size=(2, 4, 2, size))
        got = small.from_parts(small.applied(other, small.parts(jnp.asarray(vector))))
        np.testing.assert_allclose(got, np.einsum("...ij,...j->...i", root, vector), atol=1e-12)
        drawn = small.normal(of, small.parts(jnp.asarray(vector)), jnp.asarray(white))
        spread = np.linalg.inv(np.swapaxes(dense, -1, -2))
        want = np.linalg.solve(matrix, vector[..., None]) + spread @ white[..., None]
        np.testing.assert_allclose(drawn, want[..., 0], atol=1e-8)


@pytest.mark.parametrize("axis", [0, 1, -2])
def test_entries_stand_where_they_are_said_to(axis):
    matrix = jnp.arange(36.0).reshape(3, 3, 4) if axis == 0 else jnp.arange(36.0).reshape(4, 3, 3)
    of = small.entries(matrix, axis)
    np.testing.assert_array_equal(of[2][1], matrix[2, 1] if axis == 0 else matrix[:, 2, 1])
    np.testing.assert_array_equal(small.from_entries(of, axis), matrix)


def test_a_matrix_without_a_root_gives_nan():
    one = jnp.ones(1)
    with precision.double():
        assert np.isnan(np.asarray(small.cholesky([[one, 2 * one], [2 * one, one]]).lower[1][1])).any()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("radius", [1.02, 0.7])
def test_the_radius_is_that_of_the_eigenvalues(size, radius):
    rng = np.random.default_rng(size)
    matrix = 0.6 * np.eye(size) + 0.5 * rng.normal(size=(2000, size, size)) / np.sqrt(size)
    want = np.abs(np.linalg.eigvals(matrix)).max(axis=-1) < radius
    with precision.double():
        got = np.asarray(small.is_within_radius(small.entries(jnp.asarray(matrix)), radius))
    assert 0.01 < want.mean() < 0.99
    np.testing.assert_array_equal(got, want)
