"""A state that moves by a function: where the function is linear, everything is that of the linear filter."""

import jax.numpy as jnp
import numpy as np
import pytest

import neurolatent as nl
from neurolatent.choices import TwoStage
from neurolatent.models.dkf import DKF
from neurolatent.models.dkf.motion import Motion
from neurolatent.models.regressors import NetworkObservation, RidgeRegression
from neurolatent.recording import Recording
from tests.models.dkf.recordings import fitted, simulated, with_gaps
from tests.recording.refusals import refuses

MIXING = np.array([[1.0, 0.4], [-0.3, 0.8]])


@pytest.mark.parametrize("push", ["unscented", "extended"])
def test_a_linear_motion_is_the_linear_filter(push):
    linear = fitted(stationary="empirical", centre=False)
    moved = fitted(stationary="empirical", centre=False, motion=Motion(lambda z: jnp.asarray(MIXING) @ z, push))
    np.testing.assert_allclose(moved.params.state.transition @ MIXING, linear.params.state.transition, atol=1e-10)
    recording = with_gaps(simulated(3))
    want, got = linear.predict(recording), moved.predict(recording)
    for name in ("filtered_mean", "filtered_cov", "predicted_cov", "smoothed_mean", "smoothed_cov", "log_increment"):
        np.testing.assert_allclose(got[name], want[name], atol=1e-8, err_msg=name)


def test_about_the_mean_the_identity_changes_nothing():
    linear, moved = fitted(stationary="empirical"), fitted(stationary="empirical", motion=Motion(lambda z: z))
    want, got = linear.predict(simulated(3)), moved.predict(simulated(3))
    np.testing.assert_allclose(got["smoothed_mean"], want["smoothed_mean"], atol=1e-8)


def _turn(z, of=np):
    angle = of.sin(3 * of.sqrt(of.sum(z**2) + 1e-12))
    c, s = of.cos(angle), of.sin(angle)
    return of.stack([c * z[0] - s * z[1], s * z[0] + c * z[1]])


def turning(seed: int, time: int = 3000) -> Recording:
    """A point that turns about the origin, here to the left and there to the right; eight noisy channels see it."""
    rng = np.random.default_rng(seed)
    z = np.zeros((time, 2))
    for t in range(1, time):
        z[t] = 0.98 * _turn(z[t - 1]) + 0.1 * rng.normal(size=2)
    x = z @ np.random.default_rng(0).normal(size=(2, 8)) + 0.5 * rng.normal(size=(time, 8))
    return Recording.of({"seen": x, "point": z}, bin_width=0.05, name="turning")


def test_a_state_that_turns_is_decoded_better_when_the_filter_knows():
    errors = {}
    for name, motion in (("linear", None), ("turned", Motion(lambda z: _turn(z, jnp)))):
        model = DKF("point", regressor=RidgeRegression(), stationary="empirical", motion=motion)
        fit = nl.fit(model, turning(1), engine=TwoStage(calibrate=True))
        found = fit.predict(turning(2))
        truth = turning(2).signal("point").values
        off = truth - found["filtered_mean"].values
        errors[name] = np.sqrt(np.mean(off**2))
    assert errors["turned"] < 0.9 * errors["linear"]
    inside = np.abs(off) <= 1.96 * found["filtered_sd"].values
    assert 0.92 < inside.mean() < 0.98
    after = found["smoothed_mean"].values - truth
    assert np.mean(after**2) < 0.9 * np.mean(off**2)


def test_what_a_moving_state_cannot_do(tmp_path):
    motion = Motion(lambda z: z)
    fit = fitted(stationary="empirical", motion=motion)
    with refuses("has no stream"):
        fit.stream()
    with refuses("fit without motion"):
        fit.retuned(simulated(3))
    with refuses("no file of ours can hold", "keep the fit in memory"):
        fit.save(tmp_path / "fit.nc")
    assert not list(tmp_path.iterdir())
    with refuses("is not drawn"):
        nl.fit(fit.model, simulated(), engine=nl.NUTS(chains=1, warmup=5, draws=5))
    with refuses("is not drawn"):
        nl.fit(fit.model, simulated(), engine=TwoStage(state_draws=5))
    with refuses("filter of its own"):
        DKF("velocity", regressor=NetworkObservation(), motion=motion)
    with refuses("finite state of 2 outputs"):
        fitted(motion=Motion(lambda z: z[:1]))
