"""Draws of a chain of many coordinates are an affine map of white noise: the dense joint law tells which."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.ops import kalman_joint
from neurolatent.ops.kalman import Information

TIME, BLOCKS, SIZE = 6, 2, 2
LATENT = BLOCKS * SIZE


def chain(seed: int):
    """Two laws, their turns, and what bins say; nothing in one of them."""
    rng = np.random.default_rng(seed)
    root, seen = rng.normal(size=(2, LATENT, LATENT)), rng.normal(size=(TIME, BLOCKS, SIZE, 3))
    laws = kalman_joint.Laws(
        rng.normal(size=(2, LATENT, LATENT)),
        rng.normal(size=(2, LATENT)),
        root @ np.swapaxes(root, 1, 2) + 0.1 * np.eye(LATENT),
    )
    said = Information(seen @ np.swapaxes(seen, 2, 3), rng.normal(size=(TIME, BLOCKS, SIZE)))
    said.precision[2] = said.shift[2] = 0.0
    return laws, rng.integers(0, 2, TIME - 1), said


def joint(laws, turns, said):
    """Mean and covariance of all states, from the matrix of information of the whole."""
    whole, linear = np.zeros((TIME, LATENT, TIME, LATENT)), said.shift.reshape(TIME, LATENT).copy()
    whole[0, :, 0] = np.eye(LATENT)
    for t in range(TIME):
        for b in range(BLOCKS):
            at = slice(b * SIZE, (b + 1) * SIZE)
            whole[t, at, t, at] += said.precision[t, b]
    for t, law in enumerate(turns):
        a, weight = laws.transition[law], np.linalg.inv(laws.innovation[law])
        whole[t, :, t] += a.T @ weight @ a
        whole[t + 1, :, t + 1] += weight
        whole[t, :, t + 1] -= a.T @ weight
        whole[t + 1, :, t] -= weight @ a
        linear[t + 1] += weight @ laws.shift[law]
        linear[t] -= a.T @ weight @ laws.shift[law]
    cov = np.linalg.inv(whole.reshape(TIME * LATENT, -1))
    return cov @ linear.reshape(-1), cov


@pytest.mark.parametrize("seed", [0, 1])
def test_states_have_the_mean_and_covariance_of_the_dense_joint(seed):
    given = chain(seed)
    mean, cov = joint(*given)
    with precision.double():
        laws, turns, said = jax.tree.map(jnp.asarray, given)
        white = jnp.concatenate([jnp.zeros((1, TIME * LATENT)), jnp.eye(TIME * LATENT)])
        one = lambda w: kalman_joint.draw_states(w.reshape(TIME, LATENT), laws, turns, said).reshape(-1)  # noqa: E731
        drawn = np.asarray(jax.lax.map(one, white))
    np.testing.assert_allclose(drawn[0], mean, rtol=1e-8, atol=1e-8)
    moved = drawn[1:] - drawn[0]
    np.testing.assert_allclose(moved.T @ moved, cov, rtol=1e-7, atol=1e-7 * np.abs(cov).max())


def test_blocks_stand_on_the_diagonal():
    blocks = np.random.default_rng(2).normal(size=(3, 2, 2))
    expected = np.zeros((6, 6))
    for b in range(3):
        expected[2 * b : 2 * b + 2, 2 * b : 2 * b + 2] = blocks[b]
    np.testing.assert_allclose(kalman_joint.block_diagonal(jnp.asarray(blocks)), expected, rtol=1e-6)
