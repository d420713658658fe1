"""Counts against plain histograms, what counts as observed, and the messages of refusals."""

import numpy as np
import pandas as pd
import pytest

from neurolatent.recording import Recording
from tests.recording.refusals import refuses

EPOCHS = np.array([[0.0, 10.0], [20.0, 27.3], [40.0, 41.0]])


def trains(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: np.sort(rng.uniform(-5, 50, n)) for name, n in (("a", 200), ("b", 30), ("c", 0))}


def histograms(spikes, epochs, width):
    """(samples, units) by numpy alone."""
    parts = []
    for low, high in epochs:
        edges = low + width * np.arange(int((high - low) / width + 1e-9) + 1)
        parts.append(np.column_stack([np.histogram(train, edges)[0] for train in spikes.values()]))
    return np.concatenate(parts)


@pytest.mark.parametrize("width", [0.1, 0.25, 1.0])
def test_counts_are_histograms(width):
    got = Recording.from_spikes(trains(), bin_width=width, epochs=EPOCHS)
    signal = got.signal("spikes")
    np.testing.assert_array_equal(signal.values, histograms(trains(), EPOCHS, width))
    assert (signal.kind, signal.names, got.bin_width) == ("counts", ["a", "b", "c"], width)
    assert got.lengths.tolist() == [int((b - a) / width + 1e-9) for a, b in EPOCHS]
    np.testing.assert_allclose(got.start, EPOCHS[:, 0] + width / 2)
    assert "units without a spike in this time: c" in got.history


def test_a_last_part_and_short_epochs_are_dropped_and_named():
    got = Recording.from_spikes(trains(), bin_width=2.0, epochs=EPOCHS)
    assert got.ids == ["0", "1"]
    assert "left out 1 sequences shorter than one bin: 2" in got.history
    assert "dropped the last part of 1 sequences, shorter than one bin" in got.history


def test_all_forms_of_spike_times_agree():
    want = Recording.from_spikes(trains(), bin_width=0.5, epochs=[0, 10])
    units, times = zip(*trains().items(), strict=True)
    listed = Recording.from_spikes(list(times), bin_width=0.5, epochs=[0, 10], channels=units)
    flat, of = np.concatenate(times), np.repeat(units, [len(t) for t in times])
    order = np.argsort(flat)
    joined = Recording.from_spikes(flat[order], of[order], bin_width=0.5, epochs=[0, 10], channels=units)
    assert want.fingerprint() == listed.fingerprint() == joined.fingerprint()


def test_units_of_one_array_are_those_with_spikes_unless_channels_say_more():
    flat, of = [0.1, 0.2, 0.9], [3.0, 10.0, 3.0]
    got = Recording.from_spikes(np.array(flat), np.array(of), bin_width=0.4, epochs=[0, 1.2])
    assert got.signal("spikes").names == ["3", "10"]
    assert got.signal("spikes").values.tolist() == [[1, 1], [0, 0], [1, 0]]
    facts = pd.DataFrame({"area": ["CA1", "LP", "LP"]}, index=[3, 4, 10])
    got = Recording.from_spikes(np.array(flat), np.array(of), bin_width=0.4, epochs=[0, 1.2], channels=facts)
    assert got.signal("spikes").channels["area"].tolist() == ["CA1", "LP", "LP"]
    assert got.signal("spikes").values.sum(axis=0).tolist() == [2, 0, 1]


def test_a_spike_on_an_edge_belongs_to_the_bin_that_begins_there():
    edges = np.array([0.0, 0.1, 0.2, 0.3, 0.6, 0.7])  # 3 * 0.1 is more than 0.3 in floating point
    got = Recording.from_spikes([edges], bin_width=0.1, epochs=[0.0, 0.7])
    assert got.signal("spikes").values[:, 0].tolist() == [1, 1, 1, 1, 0, 0, 1]


def test_without_epochs_time_runs_from_the_first_spike_to_the_last():
    got = Recording.from_spikes([np.array([3.0, 3.5, 5.2])], bin_width=1.0)
    assert got.signal("spikes").values[:, 0].tolist() == [2, 0]
    assert got.start.tolist() == [3.5]
    assert any("no epochs were given" in line for line in got.history)


def test_outside_its_observed_time_a_unit_is_not_silent_but_unobserved():
    observed = {"a": [[-1, 2], [2, 4.05], [6, 100]], "c": np.zeros((0, 2))}
    got = Recording.from_spikes(trains(), bin_width=1.0, epochs=[0, 10], observed=observed)
    signal = got.signal("spikes")
    assert signal.observed[:, 0].tolist() == [True] * 4 + [False] * 2 + [True] * 4
    assert signal.observed[:, 1].all()
    assert not signal.observed[:, 2].any()
    inside = histograms(trains(), [[0, 10]], 1.0)[:, 0] * signal.observed[:, 0]
    assert signal.values[:, 0].tolist() == inside.tolist()
    assert any("not counted: a" in line for line in got.history)


ONE = np.array([0.5, 1.5, 2.5])
REFUSED = {
    "bin width": ([ONE], {"bin_width": 0.0}, ["bin_width", "above 0"]),
    "descending": ({"u7": ONE[::-1]}, {}, ["unit u7", "spike 2 at 1.5 comes after 2.5", "Sort"]),
    "missing": ({"u7": np.array([1.0, np.nan])}, {}, ["unit u7", "spike 2", "nan"]),
    "no spike": ([ONE[:0]], {}, ["no unit has a spike", "epochs"]),
    "no unit": ([], {"epochs": [0, 3]}, ["there is no unit"]),
    "overlap": ([ONE], {"epochs": [[0, 2], [5, 9], [1, 3]]}, ["0 and 2", "overlap by 1"]),
    "backwards": ([ONE], {"epochs": [[2, 1]]}, ["sequence 0", "from 2 to 1"]),
    "too short": ([ONE], {"bin_width": 9, "epochs": [0, 3]}, ["one bin of 9", "lasts 3"]),
    "too many": ([ONE], {"bin_width": 1e-12}, ["bin_width in seconds", "samples"]),
    "epochs": ([ONE], {"epochs": [0, 1, 2]}, ["pairs of begin and end", "(3,)"]),
    "units needed": (ONE, {}, ["units=..."]),
    "lengths": (ONE, {"units": [1, 2]}, ["(3,)", "(2,)"]),
    "units of parts": (ONE, {"units": [1.0, 2.5, 1.0]}, ["unit 2.5", "whole number"]),
    "channels": ([ONE], {"channels": ["a", "b"]}, ["2 channels for 1 arrays"]),
    "unknown": ({"a": ONE}, {"channels": ["b"]}, ["'a'", "not among the channels"]),
    "observed": ({"a": ONE}, {"observed": {"b": [[0, 1]]}}, ["'b'", "not among the channels"]),
}


@pytest.mark.parametrize(("times", "options", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(times, options, words):
    with refuses(*words):
        Recording.from_spikes(times, **{"bin_width": 1.0, **options})
