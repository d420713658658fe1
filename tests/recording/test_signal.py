import numpy as np
import pandas as pd
import pytest

from neurolatent.recording import make_signal
from tests.recording.refusals import refuses


def test_missing_values_are_not_observed():
    signal = make_signal(np.array([[1.0, np.nan], [np.nan, 2.0]]))
    assert signal.observed.tolist() == [[True, False], [False, True]]


def test_counts_with_missing_entries_are_whole_numbers():
    signal = make_signal(np.array([[1.0], [np.nan], [3.0]]), kind="counts")
    assert signal.values[:, 0].tolist() == [1, 0, 3]
    assert signal.values.dtype == np.int64


def test_whole_samples_can_be_missing():
    signal = make_signal(np.ones((3, 2, 2)), kind="image", observed=np.array([True, False, True]))
    assert signal.observed[:, 1, 1].tolist() == [True, False, True]
    assert np.isnan(signal.values[1]).all()


def test_infinite_values_behind_the_mask_do_no_harm():
    signal = make_signal(np.array([[1.0], [np.inf]]), observed=np.array([[True], [False]]))
    assert np.isnan(signal.values[1, 0])


def test_narrow_types_stay_narrow():
    assert make_signal(np.ones((3, 1), np.uint8), kind="counts").values.dtype == np.uint8
    assert make_signal(np.ones((3, 1), np.float32)).values.dtype == np.float32


def test_channels_with_facts():
    facts = pd.DataFrame({"area": ["CA1", "LP", "LP"]}, index=["a", "b", "c"])
    signal = make_signal(np.ones((2, 3)), channels=facts)
    assert signal.names == ["a", "b", "c"]
    picked = signal.pick(signal.channels["area"].to_numpy() == "LP")
    assert picked.names == ["b", "c"]
    assert picked.n_channels == 2


REFUSED = {
    "kind": ({"values": np.ones(2), "kind": "spikes", "where": "f"}, ["f: kind", "'spikes'", "'counts'"]),
    "text": ({"values": np.array(["a"]), "where": "f"}, ["f: ", "numbers", "text"]),
    "scalar": ({"values": np.array(1.0)}, ["signal: ", "samples"]),
    "infinite": (
        {"values": np.array([[1, -np.inf]]), "where": "f, signal x", "channels": ["a", "b"]},
        ["f, signal x, channel b, sample 0", "-inf", "NaN where nothing was observed"],
    ),
    "infinite pixel": ({"values": np.full((1, 2, 2), np.inf), "kind": "image"}, ["channel (0, 0)", "sample 0"]),
    "negative": ({"values": np.array([-1]), "kind": "counts"}, ["channel 0", "-1", "whole numbers of at least 0"]),
    "names": ({"values": np.ones((1, 2)), "channels": ["a", "a"]}, ["'a' stands twice", "Rename"]),
    "few names": ({"values": np.ones((1, 2)), "channels": ["a"]}, ["1 channel names for 2"]),
    "mask": ({"values": np.ones((3, 2)), "observed": np.ones(2, bool)}, ["(2,)", "(3, 2)"]),
    "wide mask": ({"values": np.ones((3, 2)), "observed": np.ones((3, 3), bool)}, ["(3, 3)", "(3, 2)"]),
}


@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(options, words):
    with refuses(*words):
        make_signal(**options)
