"""Draws of all states against the joint Gaussian of all bins, conditioned by a dense solve."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.ops.kalman import Information
from neurolatent.ops.kalman_draw import Chain, draw_states

draw = jax.jit(draw_states)
many = jax.jit(jax.vmap(draw_states, in_axes=(0, None, None)))


def spd(rng: np.random.Generator, size: int, count: tuple[int, ...]) -> np.ndarray:
    root = rng.normal(size=(*count, size, size))
    return root @ np.swapaxes(root, -1, -2) + 0.3 * np.eye(size)


def random_case(seed: int, time: int, latent: int, batch: int) -> tuple[Chain, Information]:
    rng = np.random.default_rng(seed)
    chain = Chain(
        rng.normal(size=(batch, latent)),
        spd(rng, latent, (batch,)),
        0.7 * rng.normal(size=(time - 1, batch, latent, latent)),
        rng.normal(size=(time - 1, batch, latent)),
        spd(rng, latent, (time - 1, batch)),
    )
    said = spd(rng, latent, (time, batch)) * (rng.random((time, batch)) < 0.7)[..., None, None]
    return chain, Information(said, rng.normal(size=(time, batch, latent)) * (said[..., 0, 0] > 0)[..., None])


def dense(chain: Chain, seen: Information, j: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean and covariance of all states of chain j, and the log of the mean of g, by the law of the whole vector."""
    time, latent = len(seen.precision), chain.mean.shape[-1]
    mean, noise = np.zeros((time, latent)), np.zeros((time * latent,) * 2)
    maps = np.eye(time * latent)
    for t in range(time):
        rows = slice(t * latent, (t + 1) * latent)
        spread = chain.precision[j] if t == 0 else chain.innovation[t - 1, j]
        noise[rows, rows] = np.linalg.inv(spread)
        mean[t] = chain.mean[j]
        if t:
            before = slice((t - 1) * latent, t * latent)
            maps[rows] += chain.transition[t - 1, j] @ maps[before]
            mean[t] = chain.transition[t - 1, j] @ mean[t - 1] + chain.shift[t - 1, j]
    cov = maps @ noise @ maps.T
    said = np.zeros_like(cov)
    for t in range(time):
        rows = slice(t * latent, (t + 1) * latent)
        said[rows, rows] = seen.precision[t, j]
    flat, h = mean.ravel(), seen.shift[:, j].ravel()
    inverse = np.linalg.inv(cov)
    posterior = np.linalg.inv(inverse + said)
    centre = posterior @ (inverse @ flat + h)
    log_mean = 0.5 * (np.linalg.slogdet(posterior)[1] - np.linalg.slogdet(cov)[1])
    log_mean += 0.5 * (centre @ (inverse + said) @ centre - flat @ inverse @ flat)
    return centre, posterior, log_mean


@pytest.mark.parametrize(("time", "latent", "batch"), [(1, 2, 2), (2, 1, 1), (6, 3, 2)])
def test_law_and_normaliser_are_those_of_the_dense_joint(time, latent, batch):
    chain, seen = random_case(time, time, latent, batch)
    with precision.double():
        on_device = jax.tree.map(jnp.asarray, (chain, seen))
        size = time * batch * latent
        # the draw is affine in its normal numbers: its value at 0 and at each unit vector tell its law exactly
        unit = np.concatenate([np.zeros((1, size)), np.eye(size)]).reshape(-1, time, batch, latent)
        drawn = many(jnp.asarray(unit), *on_device)
        states = np.asarray(drawn.states)
        for j in range(batch):
            centre, cov, log_mean = dense(chain, seen, j)
            flat = states[:, :, j].reshape(len(states), -1)
            np.testing.assert_allclose(flat[0], centre, atol=1e-8)
            moved = flat[1:] - flat[0]
            np.testing.assert_allclose(moved.T @ moved, cov, atol=1e-8)
            np.testing.assert_allclose(drawn.log_normaliser[0, j], log_mean, atol=1e-8)


def test_nothing_seen_gives_the_chain_itself():
    chain, seen = random_case(3, 5, 2, 1)
    with precision.double():
        nothing = jax.tree.map(jnp.zeros_like, seen)
        drawn = draw(jnp.zeros((5, 1, 2)), jax.tree.map(jnp.asarray, chain), nothing)
        np.testing.assert_allclose(drawn.log_normaliser, 0.0, atol=1e-10)
        mean = functools.reduce(
            lambda before, t: [*before, chain.transition[t, 0] @ before[-1] + chain.shift[t, 0]],
            range(4),
            [chain.mean[0]],
        )
        np.testing.assert_allclose(drawn.states[:, 0], mean, atol=1e-9)
