"""Objects of pynapple against plain histograms, its own counts, and the traps of its epochs."""

import numpy as np
import pytest

from neurolatent.recording import Recording
from tests.recording.refusals import refuses

nap = pytest.importorskip("pynapple", reason="needs pynapple: pip install 'neurolatent[neuro]'")
EPOCHS = ([0.0, 20.0, 40.0], [10.0, 27.3, 41.0])


@pytest.fixture(scope="module")
def group():
    rng = np.random.default_rng(0)
    trains = {unit: nap.Ts(np.sort(rng.uniform(0, 50, n))) for unit, n in ((2, 300), (7, 40))}
    support = nap.IntervalSet(0, 50)
    return nap.TsGroup(trains, time_support=support, metadata={"area": ["CA1", "LP"]})


def test_a_group_is_counted_in_epochs(group):
    epochs = nap.IntervalSet(*EPOCHS)
    got = Recording.of(group, bin_width=0.1, epochs=epochs)
    signal = got.signal("spikes")
    np.testing.assert_array_equal(signal.values, group.count(0.1, epochs).values)
    assert got.lengths.tolist() == [100, 73, 10]
    assert (signal.kind, signal.names) == ("counts", ["2", "7"])
    assert signal.channels["area"].tolist() == ["CA1", "LP"]
    assert list(signal.channels) == ["area"]


def test_epochs_that_touch_keep_their_last_bin(group):
    with pytest.warns(UserWarning, match="microsecond"):
        epochs = nap.IntervalSet([0, 1], [1, 2])
    assert epochs.end[0] < 1  # the trap
    got = Recording.of(group, bin_width=0.1, epochs=epochs)
    assert got.lengths.tolist() == [10, 10]
    edges = np.linspace(0, 2, 21)
    np.testing.assert_array_equal(got.signal("spikes").values[:, 0], np.histogram(group[2].t, edges)[0])


def test_time_outside_the_support_is_not_observed(group):
    part = group.restrict(nap.IntervalSet([0, 30], [10, 50]))
    got = Recording.of(part, bin_width=1.0, epochs=nap.IntervalSet(5, 35))
    assert got.signal("spikes").observed[:, 0].tolist() == [True] * 5 + [False] * 20 + [True] * 5


def test_the_support_gives_the_epochs_where_none_are_named(group):
    part = group.restrict(nap.IntervalSet([0, 30], [10, 50]))
    got = Recording.of(part, bin_width=1.0)
    assert (got.lengths.tolist(), got.start.tolist()) == ([10, 20], [0.5, 30.5])


def test_times_alone_are_one_unit(group):
    got = Recording.of(group[2], bin_width=1.0, epochs=nap.IntervalSet(0, 50))
    assert got.signal("spikes").values.sum() == 300


def test_counts_made_by_pynapple_are_counts(group):
    frame = group.count(0.1, nap.IntervalSet(*EPOCHS))
    got = Recording.of(frame)
    assert got.signal("signal").kind == "counts"
    assert got.signal("signal").channels["area"].tolist() == ["CA1", "LP"]
    np.testing.assert_array_equal(got.signal("signal").values, frame.values)
    assert got.bin_width == 0.1
    np.testing.assert_allclose(got.start, Recording.of(group, bin_width=0.1, epochs=nap.IntervalSet(*EPOCHS)).start)


def test_continuous_values_in_epochs():
    frame = nap.TsdFrame(t=np.arange(100) / 10, d=np.random.default_rng(0).normal(size=(100, 2)), columns=["x", "y"])
    got = Recording.of(frame, epochs=nap.IntervalSet([0, 5, 20], [1, 6, 30]), units={"signal": "m"})
    assert got.signal("signal").kind == "continuous"
    assert got.signal("signal").names == ["x", "y"]
    assert got.lengths.tolist() == [11, 11]
    np.testing.assert_array_equal(got.signal("signal").values, frame.values[[*range(11), *range(50, 61)]])
    assert got.history == ("left out epochs without a sample: 2",)
    assert Recording.of(nap.Tsd(t=np.arange(5.0), d=np.ones(5))).n_samples == 5


def test_refused(group):
    with refuses("TsGroup", "bin_width"):
        Recording.of(group)
    with refuses("no sample lies within the epochs"):
        Recording.of(nap.Tsd(t=np.arange(5.0), d=np.ones(5)), epochs=nap.IntervalSet(10, 20))
    with refuses("IntervalSet", "TsGroup", error=TypeError):
        Recording.of(nap.IntervalSet(0, 1))
    with refuses("step", "even clock"):
        Recording.of(nap.Tsd(t=np.array([0, 1, 2, 3.4]), d=np.ones(4)))
