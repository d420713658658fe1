"""The Kalman baseline against the textbook filter, through fit and predict."""

import numpy as np
import pytest

import neurolatent as nl
from neurolatent.baselines.kalman import kalman
from neurolatent.ops.kalman import Dynamics
from tests.models.dkf.recordings import fitted, simulated
from tests.ops.test_kalman import textbook


@pytest.mark.parametrize("stationary", ["consistent", "lyapunov"])
def test_the_baseline_is_the_textbook_filter(stationary):
    train, test = simulated(), simulated(5, (80,))
    fit = nl.fit(kalman("velocity", stationary=stationary), train)
    told = fit.predict(test)
    scaling, state, observation = fit.params.scaling, fit.params.state, fit.params.regressor
    unit = scaling.target_scale
    x = (test.signal("neural").values - scaling.input_centre) / scaling.input_scale
    dynamics = Dynamics(state.transition, state.innovation, np.zeros(2), state.stationary)
    mean, cov, gains = textbook(dynamics, x, observation.emission / unit, observation.noise)
    np.testing.assert_allclose(told["filtered_mean"].values, mean + scaling.target_centre, atol=1e-11)
    np.testing.assert_allclose(told["filtered_cov"].values, cov, atol=1e-12)
    z = (train.signal("velocity").values - scaling.target_centre) / unit
    rows = (train.signal("neural").values - scaling.input_centre) / scaling.input_scale
    np.testing.assert_allclose(observation.emission, np.linalg.lstsq(z, rows, rcond=None)[0].T, atol=1e-10)
    assert np.isfinite(gains).all()


def test_its_stream_is_its_batch():
    fit, test = nl.fit(kalman("velocity"), simulated()), simulated(5, (80,))
    stream = fit.stream()
    steps = [stream.update(row).mean for row in test.signal("neural").values]
    np.testing.assert_allclose(steps, fit.predict(test)["filtered_mean"].values, atol=1e-10)
    assert fitted().params.noise.mean.shape == fit.params.noise.mean.shape
