"""The stream is the batch filter, is not shaken by bad bins, and its parts can be swapped."""

import tracemalloc

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.models.dkf import DKF
from neurolatent.models.dkf.stream import Stream
from neurolatent.models.regressors import NadarayaWatson
from tests.models.dkf.recordings import fitted, simulated, with_gaps

VARIANTS = {
    "constant noise": {},
    "robust": {"robust": True},
    "first bin": {"start": "first"},
    "local noise, shrink": {"noise": "nw", "noise_bandwidth": 0.5},
    "local noise, clip": {"noise": "nw", "noise_bandwidth": 0.5, "on_indefinite": "clip", "start": "first"},
    "local noise, robust steps": {"noise": "nw", "noise_bandwidth": 0.5, "on_indefinite": "robust"},
    "local noise, robust filter": {"noise": "nw", "noise_bandwidth": 0.5, "robust": True},
    "bins before": {"bins_before": 2, "saturate": 2.0},
}


def rows_of(recording):
    signal = recording.signal("neural")
    return np.where(signal.observed, signal.values, np.nan)


@pytest.mark.parametrize("name", VARIANTS)
def test_steps_are_the_batch_filter(name):
    fit, test = fitted(**VARIANTS[name]), with_gaps(simulated(5)).take(["0"])
    told, stream = fit.predict(test), fit.stream()
    steps = [stream.update(row) for row in rows_of(test)]
    for field in ("mean", "cov"):
        got = np.stack([getattr(step, field) for step in steps])
        np.testing.assert_allclose(got, told[f"filtered_{field}"].values, atol=1e-10, rtol=0)
    for field in ("skipped", "indefinite"):
        np.testing.assert_array_equal([getattr(step, field) for step in steps], told[field].values)
    state = fit.model.filter_start(fit.params)
    for row, step in zip(rows_of(test)[:5], steps, strict=False):
        state, mean = fit.model.filter_step(fit.params, state, row)
        np.testing.assert_array_equal(mean, step.mean)


@pytest.mark.parametrize("bad", [np.nan, 1e6, np.inf, -1e6])
def test_a_channel_that_goes_wild_is_told_and_forgotten(bad):
    rows = rows_of(simulated(5))[:100]
    wild = rows.copy()
    wild[30:60, 2] = bad
    fit = fitted()
    clean, hit = fit.stream(), fit.stream()
    want = np.stack([clean.update(row).mean for row in rows])
    steps = [hit.update(row) for row in wild]
    got = np.stack([step.mean for step in steps])
    assert np.isfinite(got).all()
    assert all(step.skipped for step in steps[30:60])
    assert not any(step.skipped for step in steps[60:])
    np.testing.assert_allclose(got[80:], want[80:], atol=1e-2 * want.std())


def test_a_refitted_part_is_swapped_between_steps():
    rows, fit = rows_of(simulated(5))[:60], fitted()
    stream, other = fit.stream(), fit.stream()
    for row in rows[:30]:
        stream.update(row)
        other.update(row)
    before = stream.state
    stream.replace(fit.params)
    np.testing.assert_array_equal(stream.state.mean, before.mean)
    np.testing.assert_allclose(
        [stream.update(row).mean for row in rows[30:]], [other.update(row).mean for row in rows[30:]], rtol=1e-12
    )
    sure = fit.params._replace(noise=fit.params.noise._replace(mean=1e-8 * np.eye(2)))
    stream.replace(sure)
    np.testing.assert_allclose(stream.update(rows[0]).cov, 1e-8 * np.eye(2), rtol=1e-3, atol=1e-12)
    with pytest.raises(InputError, match="other inputs or outputs"):
        stream.replace(fitted(bins_before=2).params)


def test_prediction_ahead_is_what_missing_bins_give():
    stream = fitted().stream()
    for row in rows_of(simulated(5))[:20]:
        stream.update(row)
    means, covs = stream.ahead(4)
    steps = [stream.update(None) for _ in range(4)]
    np.testing.assert_array_equal(means, [step.mean for step in steps])
    np.testing.assert_array_equal(covs, [step.cov for step in steps])


def test_a_belief_that_is_given_is_where_it_starts():
    fit = fitted()
    stream = fit.stream()
    state = stream.reset(np.array([4.0, 2.0]), 0.01 * np.eye(2))
    np.testing.assert_allclose(state.mean, [4.0, 2.0])
    moved = stream.update(None)
    centre, a = fit.params.scaling.target_centre, fit.params.state.transition
    np.testing.assert_allclose(moved.mean, centre + a @ (np.array([4.0, 2.0]) - centre))
    np.testing.assert_allclose(moved.cov, 0.01 * a @ a.T + fit.params.state.innovation)


def test_memory_stays_as_it_is():
    stream, rows = fitted().stream(), rows_of(simulated(5))[:200]
    for row in rows:
        stream.update(row)
    tracemalloc.start()
    try:
        for _ in range(20):
            for row in rows:
                stream.update(row)
        assert tracemalloc.get_traced_memory()[0] < 20_000
    finally:
        tracemalloc.stop()


def test_what_a_stream_refuses():
    fit = fitted()
    with pytest.raises(InputError, match=r"6 inputs, got the shape \(5,\)"):
        fit.stream().update(np.zeros(5))
    with pytest.raises(InputError, match="cannot know the next 1 bins"):
        Stream(DKF("velocity", regressor=NadarayaWatson(), bins_after=1), fit.params)
