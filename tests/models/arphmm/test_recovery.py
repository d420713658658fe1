"""Known parameters come back from simulated data."""

import jax
import numpy as np
import pytest

import neurolatent as nl
from neurolatent.choices import EM
from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.recording import knowledge
from tests.models.arphmm.recordings import well_separated

ERGODIC = ARPHMMParams(
    np.array([0.4, 0.3, 0.3]),
    np.array([[0.94, 0.03, 0.03], [0.04, 0.92, 0.04], [0.05, 0.05, 0.9]]),
    np.array([0.06, 0.08, 0.1]),
    np.array(
        [
            [[0.6, 0.1, 2.0], [0.0, 0.5, 1.0]],
            [[0.2, 0.0, 0.0], [0.1, -0.3, 0.0]],
            [[-0.5, 0.0, -3.0], [0.0, 0.4, -1.0]],
        ]
    ),
    np.array([[[0.2, 0.05], [0.05, 0.1]], [[0.1, 0.0], [0.0, 0.3]], [[0.3, -0.1], [-0.1, 0.2]]]),
)


def test_ergodic_parameters_come_back_in_their_documented_order():
    model = ARPHMM(3, transitions="ergodic", signal="signal")
    recording = model.simulate(ERGODIC, jax.random.key(0), [400] * 6)
    fit = nl.fit(model, recording.select("signal"), seed=0)
    assert fit.converged
    np.testing.assert_allclose(fit.params.coefficients, ERGODIC.coefficients, atol=0.12)
    np.testing.assert_allclose(fit.params.covariance, ERGODIC.covariance, atol=0.04)
    np.testing.assert_allclose(fit.params.transition, ERGODIC.transition, atol=0.04)
    states = recording.signal("state").values[:, 0]
    path = fit.predict(recording)["path"].values
    assert (path == states)[path >= 0].mean() > 0.97
    assert nl.check(fit).verdict == "pass", str(nl.check(fit))


def left_right() -> tuple[ARPHMM, ARPHMMParams]:
    model = ARPHMM(3, transitions="bidiagonal", n_substates=2, signal="signal")
    stay = np.diag([0.95, 0.95, 1.0]) + np.diag([0.05, 0.05], k=1)
    advance = np.array([0.05, 0.05, 0.1])
    coefficients = np.array([[[0.5, 1.0]], [[0.5, 0.0]], [[0.5, -1.0]]])
    return model, ARPHMMParams(np.array([1.0, 0.0, 0.0]), stay, advance, coefficients, np.full((3, 1, 1), 0.04))


@pytest.mark.slow
def test_a_left_right_chain_with_substates_comes_back():
    model, params = left_right()
    recording = model.simulate(params, jax.random.key(1), [120] * 30).select("signal")
    fit = nl.fit(model, recording, engine=EM(start="segments"), seed=0)
    np.testing.assert_allclose(fit.params.coefficients, params.coefficients, atol=0.1)
    np.testing.assert_allclose(1 - np.diag(fit.params.transition)[:2], 0.05, atol=0.012)
    assert fit.params.initial[0] > 0.95


@pytest.mark.slow
def test_labels_of_a_tenth_of_the_samples_fix_the_labels():
    model, params = well_separated()
    whole = model.simulate(params, jax.random.key(2), [300] * 3)
    state = whole.signal("state").values[:, 0].astype(float)
    stated = np.where(np.random.default_rng(0).random(len(state)) < 0.1, 1 - state, np.nan)  # names exchanged
    recording = whole.select("signal").with_knowledge(knowledge.labels(stated, 2))
    fit = nl.fit(model, recording, seed=0)
    np.testing.assert_allclose(fit.params.coefficients[::-1], params.coefficients, atol=0.15)
    path = fit.predict(whole)["path"].values
    assert (path == 1 - state)[path >= 0].mean() > 0.95


@pytest.mark.parametrize("covariance", ["diag", "tied", "spherical"])
def test_structures_of_the_noise_come_back(covariance):
    model = ARPHMM(2, transitions="ergodic", covariance=covariance, signal="signal")
    noise = {"diag": [[0.1, 0.4], [0.3, 0.2]], "tied": [[0.2, 0.3]] * 2, "spherical": [[0.1, 0.1], [0.4, 0.4]]}
    params = ARPHMMParams(
        np.array([0.5, 0.5]),
        np.array([[0.95, 0.05], [0.05, 0.95]]),
        np.array([0.05, 0.05]),
        ERGODIC.coefficients[[0, 2]],
        np.array([np.diag(row) for row in noise[covariance]]),
    )
    recording = model.simulate(params, jax.random.key(3), [600] * 2).select("signal")
    fit = nl.fit(model, recording, engine=EM(restarts=2), seed=0)
    np.testing.assert_allclose(fit.params.covariance, params.covariance, atol=0.06)
    np.testing.assert_allclose(fit.params.coefficients, params.coefficients, atol=0.12)
