"""The simulated experiments: their exact regressions against sums over a grid, their laws, and the published table."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.records.dkf_simulated import measured
from neurolatent import precision
from neurolatent.models.dkf.motion import Turning
from neurolatent.models.dkf.synthetic import LinearMixture, course, state_model
from neurolatent.models.dkf.synthetic_binary import BinaryMixture

STEP = 0.02
AXIS = np.arange(-6, 6, STEP) + STEP / 2
GRID = np.stack(np.meshgrid(AXIS, AXIS, indexing="ij"), axis=-1).reshape(-1, 2)
PRIOR = np.exp(-0.5 * np.sum(GRID**2, axis=1))
OBSERVED = {
    "linear": LinearMixture(np.random.default_rng(0).normal(size=(3, 2))),
    "binary": BinaryMixture(np.array([0, 1, 1, 0, 1]), np.array([-0.6, 0.2, 1.0, 0.4, -1.4]), 2),  # on the grid's edges
}


def density(observed, x: np.ndarray) -> np.ndarray:
    """Of an observation at every point of the grid: the mixture written out, in probabilities."""
    if isinstance(observed, LinearMixture):
        mean = GRID @ observed.emission.T
        parts = [np.exp(-0.5 * np.sum((x - s * mean) ** 2, axis=1) / v) / v**1.5 for s, v in ((1, 1), (-1, 5))]
        return sum(parts)
    is_above = GRID[:, observed.axes] >= observed.thresholds
    often = np.where(is_above, 0.99, 0.01)
    return sum(np.prod(np.where(x == 1, p, 1 - p), axis=1) for p in (often, 1 - often))


@pytest.mark.parametrize("name", OBSERVED)
def test_exact_regression_is_the_sum_over_a_grid(name):
    observed, rng = OBSERVED[name], np.random.default_rng(1)
    x = observed.draw(rng, rng.normal(size=(12, 2)))
    told = observed.told(x)
    for row, mean, noise in zip(x, told.mean, told.noise, strict=True):
        weights = PRIOR * density(observed, row)
        weights /= weights.sum()
        centre = weights @ GRID
        off = GRID - centre
        np.testing.assert_allclose(mean, centre, atol=2e-4)
        np.testing.assert_allclose(noise, off.T @ (weights[:, None] * off), atol=2e-4)


@pytest.mark.parametrize("name", OBSERVED)
def test_log_density_is_that_of_the_mixture(name):
    observed, rng = OBSERVED[name], np.random.default_rng(2)
    x, points = observed.draw(rng, rng.normal(size=(1, 2)))[0], GRID[::977]
    with precision.double():
        got = np.asarray(observed.log_density(jnp.asarray(x), jnp.asarray(points)))
    want = np.log(density(observed, x))[::977]
    np.testing.assert_allclose(got - got[0], want - want[0], atol=1e-10)


@pytest.mark.parametrize("name", OBSERVED)
def test_draws_have_one_mean_whatever_the_state(name):
    rng = np.random.default_rng(3)
    observed = OBSERVED[name]
    level = 0.0 if name == "linear" else 0.5
    for z in ([2.0, -1.0], [-0.5, 0.3]):
        x = observed.draw(rng, np.tile(z, (20_000, 1)))
        assert np.abs(x.mean(axis=0) - level).max() < 5 * x.std(axis=0).max() / np.sqrt(len(x))


def test_draws_have_the_density_that_is_told():
    """Shares of the 32 binary patterns at one state."""
    observed, z = OBSERVED["binary"], np.array([0.1, 0.5])
    x = observed.draw(np.random.default_rng(4), np.tile(z, (40_000, 1)))
    share = np.bincount((x @ 2 ** np.arange(5)).astype(int), minlength=32) / len(x)
    patterns = (np.arange(32)[:, None] >> np.arange(5) & 1).astype(float)
    nearest = int(np.argmin(np.sum((GRID - z) ** 2, axis=1)))
    want = np.array([0.5 * density(observed, p)[nearest] for p in patterns])
    np.testing.assert_allclose(want.sum(), 1, atol=1e-12)
    assert (np.abs(share - want) < 5 * np.sqrt(want / len(x)) + 1e-4).all()


@pytest.mark.parametrize("turns", [False, True])
def test_the_state_keeps_its_first_law(turns):
    z = course(np.random.default_rng(5), 40_000, state_model(4), turns=turns)
    assert np.abs(np.cov(z, rowvar=False) - np.eye(4)).max() < 0.15
    assert np.abs(z.mean(axis=0)).max() < 0.15


def test_turning_keeps_lengths_and_is_a_rotation_of_pairs():
    z = np.array([0.3, -0.4, 1.2, 0.0])
    angle = np.linalg.norm(z)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    with precision.double():
        got, slope = jax.jit(Turning())(z), jax.jit(jax.jacfwd(Turning()))(np.zeros(5))
    np.testing.assert_allclose(got, np.concatenate([turn @ z[:2], turn @ z[2:]]), atol=1e-12)
    np.testing.assert_array_equal(slope, np.eye(5))


@functools.cache
def figures(name: str) -> dict[str, float]:
    with precision.double():
        return measured(name, 2_000, (100,), seed=1)


# Root mean squared errors of the specification's table, section 9: regression alone, DKF, robust DKF; and the band.
TABLE = {
    "mixture": (0.477, 0.340, 0.380, 0.03),
    "binary": (0.279, 0.239, 0.267, 0.04),
    "turning": (0.478, 0.361, 0.500, 0.03),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_a_hundred_channels_are_decoded_as_published_and_better_than_by_particles(name):
    got = {key.removeprefix(f"{name}.100."): value for key, value in figures(name).items()}
    *wanted, band = TABLE[name]
    np.testing.assert_allclose([got[k] for k in ("regression", "dkf", "robust")], wanted, atol=band)
    assert got["dkf"] < got["particle"] - 0.02
    assert got["dkf.seconds_per_bin"] < got["particle.seconds_per_bin"] / 3
    assert got["indefinite_share"] < 0.03
