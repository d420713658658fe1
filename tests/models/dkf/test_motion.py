"""A state that moves by a function: where the function is linear, everything is that of the linear filter."""

import jax.numpy as jnp
import numpy as np
import pytest

import neurolatent as nl
from neurolatent import precision
from neurolatent.choices import TwoStage
from neurolatent.models.dkf import DKF, StateModel
from neurolatent.models.dkf.filtering import How, Measured, decode_moving
from neurolatent.models.dkf.motion import Motion, Turning
from neurolatent.models.regressors import NetworkObservation, RidgeRegression
from neurolatent.ops.indefinite import Rule
from neurolatent.recording import Recording
from tests.models.dkf.recordings import fitted, simulated, with_gaps
from tests.recording.refusals import refuses

MIXING = np.array([[1.0, 0.4], [-0.3, 0.8]])
MIXED = {push: Motion(lambda z: jnp.asarray(MIXING) @ z, push) for push in ("unscented", "extended")}
RESTING = Motion(lambda z: z)


def mixed(push: str) -> nl.Fit:
    return fitted(stationary="empirical", centre=False, motion=MIXED[push])


@pytest.mark.parametrize("push", MIXED)
def test_a_linear_motion_is_the_linear_filter(push):
    linear, moved = fitted(stationary="empirical", centre=False), mixed(push)
    np.testing.assert_allclose(moved.params.state.transition @ MIXING, linear.params.state.transition, atol=1e-10)
    recording = with_gaps(simulated(3))
    want, got = linear.predict(recording), moved.predict(recording)
    for name in ("filtered_mean", "filtered_cov", "predicted_cov", "smoothed_mean", "smoothed_cov", "log_increment"):
        np.testing.assert_allclose(got[name], want[name], atol=1e-8, err_msg=name)


def test_about_the_mean_the_identity_changes_nothing():
    linear, moved = fitted(stationary="empirical"), fitted(stationary="empirical", motion=RESTING)
    want, got = linear.predict(simulated(3)), moved.predict(simulated(3))
    np.testing.assert_allclose(got["smoothed_mean"], want["smoothed_mean"], atol=1e-8)


def streams_like_the_batch(fit: nl.Fit, recording: Recording, bins: int) -> None:
    told, signal = fit.predict(recording), recording.signal(fit.model.inputs_of(recording))
    rows, stream = np.where(signal.observed, signal.values, np.nan)[:bins], fit.stream()
    steps = [stream.update(row) for row in rows]
    for name in ("mean", "cov"):
        got = np.stack([getattr(step, name) for step in steps])
        np.testing.assert_allclose(got, told[f"filtered_{name}"].values[:bins], atol=1e-10, rtol=0)
    np.testing.assert_array_equal([step.skipped for step in steps], told["skipped"].values[:bins])


@pytest.mark.parametrize("push", MIXED)
def test_a_stream_is_the_batch_filter(push):
    streams_like_the_batch(mixed(push), with_gaps(simulated(3)), 150)


def test_a_stream_looks_ahead_through_the_function():
    stream, mean = mixed("unscented").stream(), np.array([4.0, 2.0])
    stream.reset(mean, 0.01 * np.eye(2))
    state = mixed("unscented").params.state
    means, covs = stream.ahead(2)
    move = state.transition @ MIXING
    np.testing.assert_allclose(means, [move @ mean, move @ move @ mean], rtol=1e-12)
    np.testing.assert_allclose(covs[0], 0.01 * move @ move.T + state.innovation, rtol=1e-12)


def test_a_motion_of_ours_is_saved_and_moves_the_same(tmp_path):
    motion = Motion(Turning(rate=0.2), "extended")
    fit = fitted(stationary="empirical", motion=motion)
    again, test = nl.Fit.load(fit.save(tmp_path / "fit.nc")), simulated(3)
    assert again.model.motion == motion
    assert fit.predict(test).identical(again.predict(test))


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
    streams_like_the_batch(fit, turning(2), 300)


def test_what_a_moving_state_cannot_do(tmp_path):
    fit = fitted(stationary="empirical", motion=RESTING)
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
        DKF("velocity", regressor=NetworkObservation(), motion=RESTING)
    with refuses("finite state of 2 outputs"):
        fitted(motion=Motion(lambda z: z[:1]))


GRID = np.linspace(-3.5, 3.5, 1401)
BENT = {push: Motion(lambda z: z + 0.3 * jnp.sin(2 * z), push) for push in ("unscented", "extended")}


def by_brute_force(state: StateModel, said: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of every bin, given those before and given all: sums over the grid."""
    stay, new, prior = (float(v[0, 0]) for v in state)
    moved = stay * (GRID + 0.3 * np.sin(2 * GRID))
    kernel = np.exp(-0.5 * (GRID - moved[:, None]) ** 2 / new)  # from, to
    told = np.exp(-0.5 * (said[:, None] - GRID) ** 2 / noise + 0.5 * GRID**2 / prior)
    ahead, back = [], [np.ones(len(GRID))]
    for bin_, row in enumerate(told):
        weight = row * (ahead[-1] @ kernel if bin_ else np.exp(-0.5 * GRID**2 / prior))
        ahead.append(weight / weight.sum())
    for row in told[:0:-1]:
        weight = kernel @ (row * back[-1])
        back.append(weight / weight.max())
    moments = []
    for weights in (np.stack(ahead), np.stack(ahead) * np.stack(back[::-1])):
        shares = weights / weights.sum(axis=1, keepdims=True)
        mean = shares @ GRID
        moments.append(np.stack([mean, shares @ GRID**2 - mean**2]))
    return moments[0], moments[1]


@precision.in_double
def errors_of(push: str, size: float) -> np.ndarray:
    """Root mean squares, of filtered and smoothed means and standard deviations, in exact ones of the bin.

    Args:
        size: Of all noise, the state's and the regression's; 1 is a tenth of the bend's wave length.
    """
    rng, time, one = np.random.default_rng(4), 80, np.eye(1)
    state = StateModel(0.9 * one, (0.2 * size) ** 2 * one, one)
    z = np.zeros(time)
    for t in range(1, time):
        z[t] = 0.9 * (z[t - 1] + 0.3 * np.sin(2 * z[t - 1])) + 0.2 * size * rng.normal()
    around = (0.3 * size) ** 2
    noise = 1 / (1 / around + 1)
    said = noise / around * (z + np.sqrt(around) * rng.normal(size=time))
    measured = Measured(said[None, :, None], noise * one, np.ones((1, time), bool))
    found = decode_moving(How(Rule.SHRINK, False), BENT[push], state, np.zeros(1), measured)
    pairs = ((found.filtered.mean, found.filtered.cov), (found.smoothed_mean, found.smoothed_cov))
    off = []
    for (mean, cov), (centre, square) in zip(pairs, by_brute_force(state, said, noise), strict=True):
        sd = np.sqrt(square)
        off += [(mean[0, :, 0] - centre) / sd, np.sqrt(cov[0, :, 0, 0]) / sd - 1]
    return np.sqrt(np.mean(np.square(off), axis=1))


@pytest.mark.parametrize("push", BENT)
def test_where_the_function_bends_mildly_it_is_near_brute_force_and_nearer_with_less_noise(push):
    large, middle, small = (errors_of(push, size) for size in (1.0, 0.5, 0.25))
    assert (large < 0.1).all()
    assert (middle < 0.7 * large).all()  # the error falls with the noise, in units of the belief's own width
    assert (small < 0.7 * middle).all()
    assert (small < 0.02).all()
