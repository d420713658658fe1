"""One-step predictions, residuals and forecasts against closed forms and against one another."""

import functools

import jax
import numpy as np
import pytest
from scipy import stats

from neurolatent import precision
from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.recording import Recording
from tests.models.arphmm import twin
from tests.models.arphmm.recordings import data_of, on_device, well_separated

AR1 = ARPHMMParams(np.ones(1), np.ones((1, 1)), np.zeros(1), np.array([[[0.8, 0.5]]]), np.array([[[0.3]]]))


def forecast(model: ARPHMM, params: ARPHMMParams, y: list, *, horizon: int, n_paths: int):
    with precision.double():
        selected = model.select(Recording.of({"signal": y}), for_training=False, use_knowledge=False)
        got = model.forecast(params, selected.data, jax.random.key(0), horizon=horizon, n_paths=n_paths)
        return tuple(np.asarray(leaf) for leaf in got)


def closed_form(start: float, steps: int, params: ARPHMMParams = AR1) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of an AR(1), one step after the other."""
    (slope, level), noise = params.coefficients[0, 0], params.covariance[0, 0, 0]
    mean, variance, out = start, 0.0, []
    for _ in range(steps):
        mean, variance = slope * mean + level, slope**2 * variance + noise
        out.append((mean, variance))
    return tuple(np.array(out).T)


def assert_moments(paths: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> None:
    """Of paths (paths, ahead), within four standard errors."""
    error = np.sqrt(variance / len(paths))
    assert (np.abs(paths.mean(axis=0) - mean) < 4 * error).all()
    assert (np.abs(paths.var(axis=0) / variance - 1) < 4 * np.sqrt(2 / len(paths))).all()


def test_forecast_of_one_state_has_the_moments_of_an_autoregression():
    y = [np.array([0.3, 1.2]), np.array([1.0, 0.1, -2.0])]
    paths, states = forecast(ARPHMM(1), AR1, y, horizon=12, n_paths=4000)
    assert (states == 0).all()
    for row, last in zip(paths, (1.2, -2.0), strict=True):
        assert_moments(row[:, :, 0], *closed_form(last, 12))


@pytest.mark.parametrize(
    ("y", "gap"),
    [
        ([0.3, 1.2, np.nan, np.nan], 2),
        ([0.3, np.nan, np.nan, np.nan], 3),  # only a sample that is conditioned on was observed
        ([0.3, np.nan, 1.2], 0),  # the last one has no known lag, but the next one has
    ],
)
def test_forecast_passes_through_missing_samples_at_the_end(y, gap):
    values = np.array(y)
    paths, _ = forecast(ARPHMM(1), AR1, [values, np.array([0.0, 1.0])], horizon=3, n_paths=4000)
    mean, variance = closed_form(values[np.isfinite(values)][-1], 3 + gap)
    assert_moments(paths[0, :, :, 0], mean[gap:], variance[gap:])
    assert_moments(paths[1, :, :, 0], *closed_form(1.0, 3))


def test_where_nothing_can_be_continued_the_forecast_is_missing():
    paths, _ = forecast(ARPHMM(1), AR1, [np.full(4, np.nan), np.array([0.0, 1.0])], horizon=2, n_paths=5)
    assert np.isnan(paths[0]).all()
    assert np.isfinite(paths[1]).all()


@pytest.mark.slow
def test_forecast_without_lags_follows_the_chain():
    model = ARPHMM(3, order=0, transitions="left_right")
    params = ARPHMMParams(
        np.array([1.0, 0.0, 0.0]),
        np.array([[0.7, 0.2, 0.1], [0.0, 0.8, 0.2], [0.0, 0.0, 1.0]]),
        np.zeros(3),
        np.array([[[0.0]], [[50.0]], [[100.0]]]),
        np.full((3, 1, 1), 1e-4),
    )
    paths, states = forecast(model, params, [np.array([0.0, np.nan])], horizon=4, n_paths=4000)
    chain = np.array([1.0, 0.0, 0.0])
    for ahead in range(5):  # the first step is the missing sample
        chain = chain @ params.transition
        if ahead:
            share = (states[0, :, ahead - 1, None] == np.arange(3)).mean(axis=0)
            assert (np.abs(share - chain) < 4 * np.sqrt(0.25 / 4000)).all()
    np.testing.assert_allclose(paths[0, :, :, 0], 50.0 * states[0], atol=0.1)


@functools.cache
def latents():
    model = ARPHMM(3, order=2, transitions="ergodic")
    case = twin.random_case(1, model, [8, 6], 2, missing=0.0, zeros=0.2)
    case.y[0][4] = np.nan
    params = twin.random_params(2, model, 2)
    with precision.double():
        return model, case, params, jax.device_get(model.posterior(on_device(params), data_of(model, case)))


def beliefs(model, params, steps):
    """Probability of the state before each step's sample is seen: from all paths up to the step before."""
    out = [params.initial]
    for t in range(1, len(steps)):
        paths, scores = twin.path_scores(params, steps[:t], 1)
        weight = np.exp(scores - np.logaddexp.reduce(scores))
        out.append(sum(w * params.transition[path[-1]] for w, path in zip(weight, paths, strict=True)))
    return out


def test_one_step_prediction_is_the_moment_of_the_mixture():
    model, case, params, got = latents()
    for n, (y, w) in enumerate(zip(case.y, case.weights, strict=True)):
        steps = twin.modelled_steps(y, w, 2, "condition")
        for t, (belief, step) in enumerate(zip(beliefs(model, params, steps), steps, strict=True)):
            means = params.coefficients @ step.z
            sds = np.sqrt(np.diagonal(params.covariance, axis1=1, axis2=2))
            mean = belief @ means
            variance = belief @ (sds**2 + means**2) - mean**2
            along = got.along_time
            np.testing.assert_allclose(along["predicted_mean"][n, t], mean, rtol=1e-9, equal_nan=True)
            np.testing.assert_allclose(along["predicted_sd"][n, t], np.sqrt(variance), rtol=1e-9, equal_nan=True)
            below = sum(b * stats.norm(m, s).cdf(step.y) for b, m, s in zip(belief, means, sds, strict=True))
            want = stats.norm.ppf(below) if step.usable else np.full(2, np.nan)
            np.testing.assert_allclose(along["residual"][n, t], want, rtol=1e-7, atol=1e-9, equal_nan=True)


def test_smoother_and_path_are_those_of_all_paths():
    model, case, params, got = latents()
    for n, (y, w) in enumerate(zip(case.y, case.weights, strict=True)):
        paths, scores = twin.path_scores(params, twin.modelled_steps(y, w, 2, "condition"), 1)
        weight = np.exp(scores - np.logaddexp.reduce(scores))
        smoothed = np.array([[weight[paths[:, t] == k].sum() for k in range(3)] for t in range(paths.shape[1])])
        np.testing.assert_allclose(got.along_time["smoothed"][n, : paths.shape[1]], smoothed, atol=1e-12)
        np.testing.assert_array_equal(got.along_time["path"][n, : paths.shape[1]], paths[np.argmax(scores)])


def test_one_step_prediction_is_what_forecast_paths_show():
    model, params = well_separated()
    truth = model.simulate(params, jax.random.key(3), [40, 30])
    y = [truth.signal("signal").values[part, 0] for part in truth.slices()]
    paths, _ = forecast(model, params, y, horizon=1, n_paths=4000)
    for number, part in enumerate(y):
        ahead = [np.append(part, 0.0)]  # the value of the next sample does not enter its prediction
        with precision.double():
            data = model.select(Recording.of({"signal": ahead}), for_training=False, use_knowledge=False).data
            got = model.posterior(params, data).along_time
            mean, sd = (float(got[name][0, len(part) - 1, 0]) for name in ("predicted_mean", "predicted_sd"))
        drawn = paths[number, :, 0, 0]
        assert abs(drawn.mean() - mean) < 4 * sd / np.sqrt(len(drawn))
        assert abs(drawn.std() / sd - 1) < 0.06


def test_residuals_of_true_parameters_are_standard_normal_and_independent():
    model, params = well_separated()
    recording = model.simulate(params, jax.random.key(5), [3000]).select("signal")
    with precision.double():
        data = model.select(recording, for_training=False, use_knowledge=False).data
        residual = np.asarray(model.posterior(params, data).along_time["residual"])[0, :2999, 0]
    assert stats.kstest(residual, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(residual[1:], residual[:-1])[0, 1]) < 4 / np.sqrt(3000)


def test_simulation_is_double_and_holds_its_truth():
    model, params = well_separated()
    recording = model.simulate(params, jax.random.key(0), [30, 12], before=np.full((2, 1, 1), 5.0))
    assert recording.signal("signal").values.dtype == np.float64
    assert recording.lengths.tolist() == [30, 12]
    state = recording.signal("state").values[:, 0]
    y = recording.signal("signal").values[:, 0]
    lag = np.r_[5.0, y[:-1]]
    lag[30] = 5.0
    slope, level = params.coefficients[state, 0].T
    noise = (y - slope * lag - level) / np.sqrt(params.covariance[state, 0, 0])
    assert stats.kstest(noise, "norm").pvalue > 1e-3
