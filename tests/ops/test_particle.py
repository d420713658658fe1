"""The particle filter against the Kalman filter within its own Monte-Carlo error, and its resampling by counting."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from neurolatent import precision
from neurolatent.ops.particle import Swarm, particle_filter, systematic, weigh
from tests.ops.test_kalman import random_dynamics, spd, textbook

TIME, LATENT, FEATURES, COUNT, REPEATS = 20, 2, 3, 2000, 12


@functools.partial(jax.jit, static_argnames=("count",))
def run(key, dynamics, emission, noise, x, heard, *, count):
    draw = lambda k, cov: jax.random.normal(k, (count, LATENT)) @ jnp.linalg.cholesky(cov).T  # noqa: E731
    inverse = jnp.linalg.inv(noise)
    level = -0.5 * jnp.linalg.slogdet(2 * jnp.pi * noise)[1]

    def log_density(row, points):
        off = row - points @ emission.T
        return level - 0.5 * jnp.sum(off @ inverse * off, axis=1)

    swarm = Swarm(
        lambda k: dynamics.mean + draw(k, dynamics.cov),
        lambda k, points: points @ dynamics.transition.T + draw(k, dynamics.innovation),
    )
    return particle_filter(key, swarm, log_density, x, heard)


def linear_case():
    rng = np.random.default_rng(5)
    dynamics, emission, noise = random_dynamics(rng, LATENT), rng.normal(size=(FEATURES, LATENT)), spd(rng, FEATURES)
    z, x = dynamics.mean, []
    for _ in range(TIME):
        x.append(emission @ z + rng.multivariate_normal(np.zeros(FEATURES), noise))
        z = dynamics.transition @ z + rng.multivariate_normal(np.zeros(LATENT), dynamics.innovation)
    heard = np.ones(TIME, bool)
    heard[6] = False
    return dynamics, emission, noise, np.stack(x), heard


def test_linear_case_is_the_kalman_filter_within_its_error():
    dynamics, emission, noise, x, heard = linear_case()
    mean, cov, gains = textbook(dynamics, np.where(heard[:, None], x, np.nan), emission, noise)
    with precision.double():
        keys = jax.random.split(jax.random.key(1), REPEATS)
        runs = [run(k, dynamics, emission, noise, x, heard, count=COUNT) for k in keys]
        got = [np.stack([np.asarray(getattr(r, name)) for r in runs]) for name in ("mean", "cov", "log_increments")]
        few = run(
            keys[0], dynamics, emission, noise, np.where(np.arange(TIME)[:, None] < 9, x, 7.0), heard, count=COUNT
        )
    for values, want in zip(got, (mean, cov, gains), strict=True):
        error = values.std(axis=0, ddof=1) / np.sqrt(REPEATS)
        assert (np.abs(values.mean(axis=0) - want) <= 6 * error + 2e-3 * np.abs(want).max()).all()
        assert error.max() < 0.03 * np.abs(want).max()
    assert got[2][0, 6] == 0
    effective = np.asarray(runs[0].effective)
    assert effective[6] == COUNT or abs(effective[6] - COUNT) < 1e-6 * COUNT
    assert ((effective >= 1) & (effective <= COUNT * (1 + 1e-9))).all()
    np.testing.assert_array_equal(few.mean[:9], runs[0].mean[:9])  # later bins change nothing


def test_resampling_keeps_each_particle_its_share_of_times():
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(0.2 * np.ones(50)).astype(np.float32)
    for seed in range(20):
        kept = np.bincount(np.asarray(systematic(jax.random.key(seed), jnp.asarray(weights))), minlength=50)
        assert kept.sum() == 50
        assert (np.abs(kept - 50 * weights) < 1 + 1e-4).all()  # what tells systematic from multinomial


def test_one_heavy_particle_is_all_that_counts():
    points = jnp.asarray(np.random.default_rng(1).normal(size=(10, 2)).astype(np.float32))
    logs = jnp.where(jnp.arange(10) == 3, -1000.0, -5000.0).astype(jnp.float32)  # far below what exp can hold
    weights, told = weigh(points, logs)
    assert float(told.effective) == 1.0
    np.testing.assert_array_equal(weights, np.arange(10) == 3)
    np.testing.assert_allclose(told.mean, points[3])
    np.testing.assert_allclose(told.log_increments, -1000 - np.log(10), rtol=1e-6)
