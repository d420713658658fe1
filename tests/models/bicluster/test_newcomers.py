"""Clusters without neurons: of the prior, and of the published code, which no test of exactness may pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import splev, splrep

import neurolatent as nl
from neurolatent import precision
from neurolatent.models.bicluster import dynamics, newcomers
from neurolatent.models.bicluster.sweep import sweep
from neurolatent.models.protocols import ModelWarning
from tests.models.bicluster import geweke
from tests.models.bicluster.small import case, draws, model_of

HEURISTIC = model_of(birth="heuristic")
BINS = 200


@pytest.mark.parametrize("count", [11, 20, 35])
def test_splines_are_those_of_the_published_code(count):
    heights = np.random.default_rng(count).uniform(-0.2, 0.2, 35)
    with precision.double():
        got = newcomers.through(jnp.asarray(heights), jnp.array(count), BINS)
    given = splrep(np.linspace(0, 1, count), heights[:count])
    np.testing.assert_allclose(got, splev(np.linspace(0, 1, BINS), given), atol=1e-12)


def heuristic(laws, key):
    return newcomers.newcomers(HEURISTIC, laws, jnp.zeros(BINS, int), key)


def of_prior(laws, key):
    return newcomers.newcomers(model_of(), laws, jnp.zeros(BINS, int), key)


def test_heuristic_paths_are_splines_or_autoregressions_without_a_mean(key):
    params = jax.tree.map(jnp.asarray, case(0)[0])
    with precision.double():
        laws, paths = draws(heuristic, key, dynamics.dynamics_of(params), 2000)
    np.testing.assert_allclose(paths.mean(axis=2), 0.0, atol=1e-6)
    np.testing.assert_array_equal(laws.transition, np.broadcast_to(np.eye(2), laws.transition.shape))
    np.testing.assert_allclose(laws.innovation, 0.01 * np.asarray(laws.transition), rtol=1e-6)
    steps, paths = np.diff(paths, axis=2), np.asarray(paths)
    rough = np.abs(np.diff(steps, axis=2)).mean(axis=(1, 2, 3)) / np.abs(steps).mean(axis=(1, 2, 3))
    is_spline = rough < 0.9  # steps of white noise differ by more than they are large
    assert is_spline.mean() == pytest.approx(0.1, abs=0.025)
    expected = np.array([[0.01 * 0.95 ** abs(a - b) / (1 - 0.95**2) for a in range(BINS)] for b in range(BINS)])
    centred = expected - expected.mean(axis=0) - expected.mean(axis=1)[:, None] + expected.mean()
    got = paths[~is_spline]
    np.testing.assert_allclose(got[:, :, 3].var(), centred[3, 3], rtol=0.05)
    np.testing.assert_allclose((got[:, :, 3] * got[:, :, 40]).mean(), centred[3, 40], atol=0.002)


def test_newcomers_of_the_prior_have_the_laws_that_were_drawn(key):
    params = jax.tree.map(jnp.asarray, case(0)[0])
    given = dynamics.dynamics_of(params)
    laws, paths = draws(of_prior, key, given, 1)
    np.testing.assert_array_equal(laws.transition[0], given.transition)
    assert paths.shape == (1, 3, BINS, 2)


def test_tests_of_exactness_refuse_them(key):
    assert model_of().is_exact
    assert model_of(labels="collapsed", update_hdp=True).is_exact
    assert not HEURISTIC.is_exact
    with pytest.raises(ValueError, match="does not leave the posterior as it is"):
        geweke.from_prior(HEURISTIC, 4, key, 10)
    with pytest.raises(ValueError, match="does not leave the posterior as it is"):
        geweke.from_chains(HEURISTIC, sweep, key, 2, 2)


def test_a_fit_says_that_they_bias_it():
    counts = np.random.default_rng(0).poisson(2.0, (30, 4))
    recording = nl.Recording.of({"spikes": counts}, kinds={"spikes": "counts"})
    with pytest.warns(ModelWarning, match="draws are not of the posterior"):
        nl.BiClustering(n_factors=1, birth="heuristic").select(recording, for_training=True)
