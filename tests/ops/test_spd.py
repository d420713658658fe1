"""Inverse and log-determinant against NumPy, and their slopes against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np

from neurolatent import precision
from neurolatent.ops.spd import inverse_and_log_det


def matrices(size: int, count: int = 4) -> np.ndarray:
    square = np.random.default_rng(0).normal(size=(count, size, 2 * size))
    return np.eye(size) + square @ square.swapaxes(1, 2)


def test_inverse_and_log_determinant_are_those_of_numpy():
    for size in (1, 2, 19, 40):  # the last one by factors
        given = matrices(size)
        with precision.double():
            inverse, log_det = jax.device_get(jax.jit(inverse_and_log_det)(jnp.asarray(given)))
        np.testing.assert_allclose(inverse, np.linalg.inv(given), atol=1e-12)
        np.testing.assert_allclose(log_det, np.linalg.slogdet(given)[1], rtol=1e-12)


def test_slopes_are_those_of_finite_differences():
    given, weights = matrices(3, 1)[0], np.random.default_rng(1).normal(size=(3, 3))

    def value(matrix):
        inverse, log_det = inverse_and_log_det(matrix)
        return (inverse * (weights + weights.T)).sum() + 2.0 * log_det

    with precision.double():
        slope = np.asarray(jax.grad(value)(jnp.asarray(given)))
        for i, j in ((0, 0), (0, 2), (1, 2)):
            step = np.zeros((3, 3))
            step[i, j] += 1e-5
            step[j, i] = 1e-5
            change = (float(value(jnp.asarray(given + step))) - float(value(jnp.asarray(given - step)))) / 2e-5
            np.testing.assert_allclose((slope * (step > 0)).sum(), change, rtol=1e-6)


def test_larger_ones_are_factored_one_by_one_also_under_vmap():
    given = jnp.asarray(np.stack([matrices(40), 2 * matrices(40)]), jnp.float32)
    program = jax.jit(jax.vmap(inverse_and_log_det)).lower(given)
    factored = [line for line in program.as_text().splitlines() if "potrf" in line]
    assert factored
    assert all("tensor<40x40xf32>" in line for line in factored)
    inverse, _ = program.compile()(given)
    np.testing.assert_allclose(inverse @ given, np.broadcast_to(np.eye(40), given.shape), atol=1e-4)


def test_single_precision_holds_where_the_data_say_much():
    given = matrices(19) * 1e4
    inverse, log_det = jax.jit(inverse_and_log_det)(jnp.asarray(given, jnp.float32))
    np.testing.assert_allclose(inverse, np.linalg.inv(given), atol=2e-4 * np.abs(np.linalg.inv(given)).max())
    np.testing.assert_allclose(log_det, np.linalg.slogdet(given)[1], rtol=1e-5)
