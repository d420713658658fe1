"""Filters of a nonlinear observation and regressions without a filter, through the one fit and predict."""

import functools

import jax
import numpy as np
import pytest

import neurolatent as nl
from neurolatent import precision
from neurolatent.baselines.kalman import kalman
from neurolatent.baselines.memoryless import lstm, unfiltered
from neurolatent.baselines.nonlinear import extended_kalman, particle, unscented_kalman
from neurolatent.checks import InputError
from neurolatent.choices import TwoStage
from neurolatent.models.dkf import DKF
from neurolatent.models.regressors import LSTM, NetworkObservation, RidgeRegression
from neurolatent.ops import decoding
from neurolatent.ops.kalman import Dynamics
from tests.models.dkf.recordings import fitted, simulated, with_gaps
from tests.ops.test_kalman import textbook

FILTERS = {"ekf": extended_kalman, "ukf": unscented_kalman, "particle": functools.partial(particle, particles=300)}


@functools.cache
def bent(seed: int, lengths: tuple[int, ...]) -> nl.Recording:
    """Channels with the squares and the product of both outputs: a line sees only their sum."""
    made = simulated(seed, lengths)
    first, second = (made.signal("velocity").values - 3.0).T
    mean = np.stack([first + second, first**2, second**2, first * second], axis=1)
    x = mean + 0.3 * np.random.default_rng(seed + 50).normal(size=mean.shape)
    parts = {"neural": [x[part] for part in made.slices()]}
    parts["velocity"] = [made.signal("velocity").values[part] for part in made.slices()]
    return nl.Recording.of(parts, channels={"velocity": ["vx", "vy"]}, bin_width=0.05, name="bent")


@functools.cache
def fit_of(name: str) -> nl.Fit:
    return nl.fit(FILTERS[name]("velocity"), bent(0, (360,)), engine=TwoStage(), seed=1)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n == "particle" else []) for n in FILTERS])
def test_a_bent_observation_is_decoded_better_than_by_a_kalman_filter(name):
    test = bent(5, (360,))
    truth, told = test.signal("velocity").values, fit_of(name).predict(test)
    linear = nl.fit(kalman("velocity"), bent(0, (360,))).predict(test)["filtered_mean"].values
    center = truth - 3.0
    error = {k: decoding.nrmse(center, v - 3.0) for k, v in (("own", told["filtered_mean"].values), ("kalman", linear))}
    assert error["own"] < 0.5 * error["kalman"]
    coverage = decoding.ellipse_coverage(truth, told["filtered_mean"].values, told["filtered_cov"].values, 0.95)
    assert 0.8 < coverage <= 1
    alone = told["regressed_mean"].values
    assert error["own"] < 0.7 * decoding.nrmse(center, alone - 3.0)
    assert told["log_increment"].values.mean() > 0  # a filter tells its inputs better than each bin alone
    if name == "particle":
        effective = told["effective_particles"].values
        assert ((effective >= 1) & (effective <= 300.001)).all()
    else:
        assert "effective_particles" not in told


@pytest.mark.parametrize("name", ["ekf", "ukf"])
def test_a_nearly_linear_network_is_the_textbook_filter(name):
    """A network of so small an input that tanh is the identity, put in the place of the one that was learned."""
    fit, test = fit_of(name), bent(5, (60,))
    small, rng = 1e-5, np.random.default_rng(3)
    emission = rng.normal(size=(4, 2))
    hidden = np.zeros((2, 10))
    hidden[:, :2] = small * np.eye(2)
    readout = np.zeros((10, 4))
    readout[:2] = emission.T / small
    learned = fit.params.regressor._replace(
        hidden=hidden, hidden_level=np.zeros(10), readout=readout, readout_level=np.zeros(4)
    )
    params = fit.params._replace(regressor=learned)
    with precision.double():
        data = fit.model.select(test, for_training=False).data
        told = fit.model.posterior(params, data).along_time
    scaling, state = params.scaling, params.state
    x = (test.signal("neural").values - scaling.input_centre) / scaling.input_scale
    dynamics = Dynamics(state.transition, state.innovation, np.zeros(2), state.stationary)
    mean, cov, _ = textbook(dynamics, x, emission / scaling.target_scale, learned.noise)
    np.testing.assert_allclose(np.asarray(told["filtered_mean"])[0, :60], mean + scaling.target_centre, atol=1e-6)
    np.testing.assert_allclose(np.asarray(told["filtered_cov"])[0, :60], cov, atol=1e-6)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n != "ukf" else []) for n in FILTERS])
def test_it_is_saved_calibrated_checked_and_lives_with_gaps(name, tmp_path):
    engine = TwoStage(calibrate=True, folds=2)
    fit = nl.fit(FILTERS[name]("velocity"), simulated(0, (200,)), engine=engine, seed=1)
    assert abs(float(fit.idata["trace"]["coverage_after"]) - 0.95) < 0.02
    again, test = nl.Fit.load(fit.save(tmp_path / "fit.nc")), with_gaps(simulated(5, (120,)))
    told = fit.predict(test)
    np.testing.assert_array_equal(again.predict(test)["filtered_mean"].values, told["filtered_mean"].values)
    gaps = told["skipped"].values == 1
    assert 5 < gaps.sum() < 30
    np.testing.assert_allclose(told["filtered_mean"].values[gaps], told["predicted_mean"].values[gaps], atol=0.05)
    assert np.isfinite(told["smoothed_cov"].values).all()
    assert len(nl.check(fit).rows) >= 5
    with pytest.raises(InputError, match=r"NetworkObservation.* has no stream: call predict"):
        fit.stream()


def test_particles_of_a_bin_do_not_depend_on_the_bins_after_it():
    test = bent(5, (360,))
    whole, part = (fit_of("particle").predict(t)["filtered_mean"].values for t in (test, test.cut(0, 50)))
    np.testing.assert_allclose(whole[:50], part, atol=1e-10)


def test_without_memory_the_answer_is_the_regression_with_its_noise():
    model = unfiltered("velocity", regressor=RidgeRegression())
    fit, test = nl.fit(model, simulated(), engine=TwoStage()), simulated(5, (80,))
    told = fit.predict(test)
    np.testing.assert_allclose(told["filtered_mean"].values, told["regressed_mean"].values, atol=1e-12)
    np.testing.assert_allclose(told["smoothed_mean"].values, told["regressed_mean"].values, atol=1e-12)
    np.testing.assert_allclose(told["filtered_cov"].values, np.tile(fit.params.noise.mean, (80, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(told["log_increment"].values, 0, atol=1e-12)
    np.testing.assert_array_equal(told["regressed_mean"].values, fitted().predict(test)["regressed_mean"].values)
    steps = [fit.stream().update(row).mean for row in test.signal("neural").values[:5]]
    np.testing.assert_allclose(steps, told["filtered_mean"].values[:5], atol=1e-10)


@pytest.mark.slow
def test_lstm_is_equinoxs_and_is_saved(tmp_path):
    eqx = pytest.importorskip("equinox")
    model = lstm("velocity")
    fit, test = nl.fit(model, simulated(), engine=TwoStage(split="blocks")), simulated(5, (80,))
    told = fit.predict(test)
    truth = test.signal("velocity").values
    seen = told["skipped"].values == 0
    assert (~seen).sum() == 2  # the first bins have no window
    assert decoding.nrmse(truth[seen] - 3, told["filtered_mean"].values[seen] - 3) < 0.8
    learned = fit.params.regressor
    with precision.double():
        cell = eqx.nn.LSTMCell(6, 20, key=jax.random.key(0))
        cell = eqx.tree_at(lambda c: (c.weight_ih, c.weight_hh, c.bias), cell, tuple(learned[:3]))
        window = np.random.default_rng(0).normal(size=(3, 6))
        carried = np.zeros(20), np.zeros(20)
        for row in window:
            carried = cell(row, carried)
    want = learned.readout @ np.asarray(carried[0]) + learned.readout_level
    np.testing.assert_allclose(model.regressor.predict(learned, window.reshape(1, -1))[0], want, atol=1e-10)
    again = nl.Fit.load(fit.save(tmp_path / "fit.nc")).predict(test)
    np.testing.assert_array_equal(again["filtered_mean"].values, told["filtered_mean"].values)


def test_lstm_uses_the_bins_before():
    """The state is the input of two bins ago: a regression on one bin cannot tell it."""
    pytest.importorskip("equinox")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 3, 1))
    z = x[:, 0] - 0.5 * x[:, 1]
    net = LSTM(rounds=40)
    learned = net.learn(x[:1200].reshape(1200, 3), z[:1200], np.random.default_rng(1))
    told = net.predict(learned, x[1200:].reshape(300, 3))
    assert decoding.nrmse(z[1200:], told) < 0.15


def test_lstm_refuses_a_window_of_another_length():
    with pytest.raises(InputError, match="reads 3 bins and the model shows it 1: set bins_before"):
        DKF("velocity", regressor=LSTM())
    with pytest.raises(InputError, match="set bins_before=2"):
        LSTM().learn(np.zeros((9, 4)), np.zeros((9, 1)), np.random.default_rng(0))
    with pytest.raises(InputError, match="particles must be a whole number of at least 1, got 0"):
        NetworkObservation("particle", particles=0)
