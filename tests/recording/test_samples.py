"""Samples brought onto bins, against plain loops."""

import numpy as np
import pytest

from neurolatent.recording import samples
from neurolatent.recording.samples import resample
from neurolatent.recording.stretches import Bins, merged
from tests.recording.refusals import refuses

BINS = Bins(np.array([4.0, 0.0]), np.array([4, 3]), 0.5)  # not in order of time
CENTRES = [4.25, 4.75, 5.25, 5.75, 0.25, 0.75, 1.25]


def reader(values):
    return lambda first, last: values[first:last]


@pytest.mark.parametrize("block", [1, 7, 10**6])
def test_dense_samples_are_averaged_over_what_was_observed(block, monkeypatch):
    monkeypatch.setattr(samples, "BLOCK", block)
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 6, 90))
    times = times[(times < 4.5) | (times > 5.02)]  # one bin without a sample
    values = rng.normal(size=(len(times), 2))
    values[rng.uniform(size=values.shape) < 0.2] = np.nan
    got = resample(times, reader(values), BINS)
    assert "averaged" in got.how
    for row, centre in enumerate(CENTRES):
        inside = (times >= centre - 0.25) & (times < centre + 0.25)
        want = np.nanmean(values[inside], axis=0) if inside.any() else np.full(2, np.nan)
        np.testing.assert_allclose(got.values[row], want)


def test_sparse_samples_are_drawn_between_but_not_across_gaps():
    times = np.array([0.0, 0.4, 0.8, 1.2, 1.6, 3.8, 4.2, 4.6, 5.0, 5.4])
    values = np.column_stack([3 * times, times])
    got = resample(times, reader(values), BINS)
    assert "interpolated" in got.how
    want = np.array([*CENTRES[:3], np.nan, *CENTRES[4:]])  # nothing after 5.4
    np.testing.assert_allclose(got.values, np.column_stack([3 * want, want]))
    few = resample(times, reader(values), Bins(np.array([1.5]), np.array([5]), 0.5))  # centres 1.75 to 3.75: a gap
    assert np.isnan(few.values).all()


@pytest.mark.parametrize("step", [0.05, 0.45])
def test_angles_are_averaged_on_the_circle(step):
    times = np.arange(0, 6, step)
    angles = np.angle(np.exp(1j * (np.pi + 0.2 * np.sin(3 * times))))  # around the seam
    got = resample(times, reader(angles[:, None]), BINS, is_angle=True)
    want = np.pi + 0.2 * np.sin(3 * np.array(CENTRES))
    assert np.abs(np.angle(np.exp(1j * (got.values[:, 0] - want)))).max() < 0.06


def test_a_single_sample_says_nothing_of_other_times():
    assert np.isnan(resample(np.array([0.25]), reader(np.ones((1, 1))), BINS).values).all()


def test_bins_within_a_union_of_intervals():
    bins = Bins(np.array([0.0, 10.0]), np.array([5, 2]), 1.0)
    assert bins.inside(np.array([[2.0, 4.0], [0.5, 2.0], [9.0, 12.0]])).tolist() == [0, 1, 1, 1, 0, 1, 1]
    assert bins.touching(np.array([[3.5, 3.6], [1.0, 2.0]])).tolist() == [0, 1, 0, 1, 0, 0, 0]
    assert not bins.inside(np.zeros((0, 2))).any()
    assert not bins.touching(np.zeros((0, 2))).any()
    assert merged(np.array([[5, 6], [0, 3], [1, 2], [3, 4]])).tolist() == [[0, 4], [5, 6]]


def test_times_are_refused():
    for times, word in (([0, 1, 1], "sample 3 at 1 does not come after 1"), ([0, np.nan], "sample 2 has the time nan")):
        with refuses("x.nwb", word):
            samples.refuse_times(np.array(times, float), "x.nwb")
