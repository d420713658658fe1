from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurolatent.recording import Recording
from tests.recording.refusals import refuses


def test_array():
    recording = Recording.of(np.arange(6.0).reshape(3, 2), bin_width=0.5, start=10.0, name="a")
    assert recording.n_sequences == 1
    assert recording.clock().tolist() == [10, 10.5, 11]
    assert recording.signal("signal").names == ["0", "1"]


def test_one_dimension_is_one_channel():
    assert Recording.of(np.arange(4.0)).signal("signal").values.shape == (4, 1)


def test_list_of_arrays_is_a_list_of_sequences():
    recording = Recording.of([np.zeros((3, 2)), np.ones((5, 2))], ids=["x", "y"], failed=[True, False])
    assert recording.lengths.tolist() == [3, 5]
    assert recording.ids == ["x", "y"]
    assert recording.sequences.failed.tolist() == [True, False]


def test_mapping_of_signals():
    recording = Recording.of(
        {"n": np.ones((4, 3), int), "v": np.ones((4, 2))},
        kinds={"n": "counts"},
        channels={"v": ["x", "y"]},
        units={"v": "m/s"},
    )
    assert recording.signal("n").kind == "counts"
    assert recording.signal("v").names == ["x", "y"]
    assert recording.signal("v").units == "m/s"


def test_recording_stays_the_same_object():
    recording = Recording.of(np.zeros((3, 1)))
    assert Recording.of(recording) is recording
    with refuses("bin_width"):
        Recording.of(recording, bin_width=2.0)


def test_masked_entries_are_not_observed():
    counts = np.ma.masked_equal(np.array([[1, 9], [9, 2]]), 9)
    for data in (counts, [counts, counts]):
        signal = Recording.of({"n": data}, kinds={"n": "counts"}).signal("n")
        assert signal.observed[:2].tolist() == [[True, False], [False, True]]
        assert signal.values[:2].tolist() == [[1, 0], [0, 2]]


def test_times_with_a_gap_mask_it():
    values = np.array([1, 2, 3])
    recording = Recording.of({"n": values}, times=np.array([0.0, 0.5, 1.5]), kinds={"n": "counts"})
    assert recording.signal("n").observed[:, 0].tolist() == [True, True, False, True]
    assert recording.signal("n").values.dtype == values.dtype
    assert recording.history == ("1 missing steps were masked: sequence 0 at 1",)


def test_pandas_series_and_lists():
    assert Recording.of(pd.Series([1.0, 2.0])).n_samples == 2
    assert Recording.of([1.0, 2.0, 3.0]).n_samples == 3


def test_dataarray_brings_clock_channels_and_facts():
    array = xr.DataArray(
        np.arange(8.0).reshape(2, 4),
        dims=("neuron", "time"),
        coords={"time": [0.0, 0.1, 0.2, 0.3], "neuron": ["a", "b"], "area": ("neuron", ["CA1", "LP"])},
        name="rate",
        attrs={"units": "Hz"},
    )
    recording = Recording.of(array)
    assert recording.signal("rate").values[:, 0].tolist() == [0, 1, 2, 3]
    assert recording.signal("rate").names == ["a", "b"]
    assert recording.signal("rate").channels["area"].tolist() == ["CA1", "LP"]
    assert recording.signal("rate").units == "Hz"
    assert recording.bin_width == 0.1


def test_dataset_with_dates():
    time = pd.date_range("2024-01-01", periods=3, freq="s")
    dataset = xr.Dataset({"a": ("time", [1.0, 2, 3]), "b": (("time", "k"), np.ones((3, 2)))}, coords={"time": time})
    recording = Recording.of(dataset)
    assert set(recording.signals) == {"a", "b"}
    assert recording.bin_width == 1


def test_trials_of_a_dataarray_are_sequences():
    array = xr.DataArray(np.arange(24.0).reshape(2, 3, 4), dims=("neuron", "trial", "time"))
    recording = Recording.of(array, sequence="trial")
    assert recording.lengths.tolist() == [4, 4, 4]
    assert recording.signal("signal").values[:4].tolist() == [[0, 12], [1, 13], [2, 14], [3, 15]]


def duck(t, values, epochs=None, columns=None):
    support = None if epochs is None else SimpleNamespace(values=np.asarray(epochs, float))
    return SimpleNamespace(t=np.asarray(t, float), values=np.asarray(values), time_support=support, columns=columns)


def test_pynapple_like_frame():
    recording = Recording.of(duck([0, 1, 2], np.ones((3, 2)), [[0, 2]], ["x", "y"]), kinds={"signal": "counts"})
    assert recording.signal("signal").names == ["x", "y"]
    assert recording.n_sequences == 1


def test_epochs_are_sequences_and_one_of_them_may_be_short():
    recording = Recording.of(duck([0, 5, 5.5, 6], [1.0, 2, 3, 4], [[0, 1], [5, 6], [8, 9]]))
    assert recording.lengths.tolist() == [1, 3]
    assert recording.start.tolist() == [0, 5]
    assert recording.bin_width == 0.5


def test_uneven_second_epoch_is_refused():
    with refuses("sequence 1", "row 3", "no multiple of 1"):
        Recording.of(duck([0, 1, 2, 3, 10, 11, 12.5], np.ones(7), [[0, 3], [10, 13]]))


REFUSED = {
    "infinite": (np.array([[1.0], [np.inf]]), {"name": "x"}, ["x, signal signal", "channel 0", "sample 1", "inf"]),
    "text": (np.array(["a"]), {}, ["signal signal", "must be numbers"]),
    "no signal": ({}, {}, ["at least one signal"]),
    "empty": (np.zeros((0, 2)), {"name": "x"}, ["x, sequence 0", "no sample", "Drop it"]),
    "empty sequence": ([np.ones((2, 1)), np.ones((0, 1))], {"ids": ["p", "q"]}, ["sequence q", "no sample"]),
    "different lengths": ({"a": np.ones(3), "b": np.ones(4)}, {}, ["signal b", "[4]", "[3]", "share one clock"]),
    "different channels": ([np.ones((2, 1)), np.ones((2, 3))], {}, ["sequence 1", "(3,)", "(1,)"]),
    "ragged": ([[1.0], [1.0, 2.0]], {"ids": ["a"]}, ["ids"]),
    "channel names twice": (
        np.ones((2, 2)),
        {"channels": {"signal": ["a", "a"]}},
        ["signal signal", "'a' stands twice"],
    ),
    "too few names": (np.ones((2, 2)), {"channels": {"signal": ["a"]}}, ["1 channel names for 2 channels"]),
    "names of no signal": (np.ones((2, 2)), {"channels": {"signl": ["a"]}}, ["channels", "'signl'", "'signal'"]),
    "negative counts": (np.array([[1], [-1]]), {"kinds": {"signal": "counts"}}, ["sample 1", "-1", "at least 0"]),
    "fraction among counts": (np.array([[1.5]]), {"kinds": {"signal": "counts"}}, ["1.5", "continuous"]),
    "binary": (np.array([[2]]), {"kinds": {"signal": "binary"}}, ["2", "0 or 1"]),
    "ids twice": ([np.ones(2), np.ones(2)], {"ids": ["a", "a"]}, ["'a' stands twice"]),
    "ids too few": ([np.ones(2), np.ones(2)], {"ids": ["a"]}, ["1 ids for 2 sequences"]),
    "starts too many": (np.ones(2), {"start": [0.0, 1.0]}, ["start", "(2,)"]),
    "start and times": (np.ones(2), {"start": 0.0, "times": np.arange(2.0)}, ["start or times"]),
    "times too few": (np.ones(2), {"times": np.arange(3.0)}, ["times", "(3,)"]),
    "uneven": (np.ones(4), {"times": np.array([0, 1, 2, 3.5])}, ["sequence 0", "row 4", "1.5", "even clock"]),
    "bin width": (np.ones(2), {"bin_width": 0.0}, ["bin_width must be positive, got 0"]),
    "no time": (xr.DataArray(np.ones((2, 2)), dims=("tiem", "n")), {}, ["'tiem'", "'time'"]),
}


@pytest.mark.parametrize(("data", "options", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(data, options, words):
    with refuses(*words):
        Recording.of(data, **options)


def test_other_objects_are_refused():
    with refuses("int", "array", error=TypeError):
        Recording.of(3)
    epochs = type("IntervalSet", (), {"__module__": "pynapple.core"})()
    with refuses("IntervalSet", "TsGroup", error=TypeError):
        Recording.of(epochs)
