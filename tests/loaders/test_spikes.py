"""Spike times in two columns, and what a recipe does with them."""

import numpy as np
import pandas as pd
import pytest

from neurolatent.loaders import load
from neurolatent.preparation import DropSilent, PreparationWarning, prepare
from neurolatent.recipe.data import recording_of
from tests.recording.refusals import refuses


def columns(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"times": np.sort(rng.uniform(0, 30, 200)), "units": rng.choice([0, 2, 3], 200)}


@pytest.fixture
def path(tmp_path):
    np.savez(tmp_path / "s.npz", **columns(), total=5, stop_s=30.0)
    return tmp_path / "s.npz"


def test_arrays_and_tables_make_the_same_recording(path, tmp_path):
    got = load(path, format="spikes", bin_width=0.5, stop="stop_s", n_units="total")
    want = [np.histogram(columns()["times"][columns()["units"] == u], np.arange(0, 30.5, 0.5))[0] for u in range(5)]
    np.testing.assert_array_equal(got.signal("spikes").values, np.column_stack(want))
    pd.DataFrame(columns()).to_csv(tmp_path / "s.csv", index=False)
    pd.DataFrame(columns()).to_parquet(tmp_path / "s.parquet")
    for name in ("s.csv", "s.parquet"):
        other = load(tmp_path / name, format="spikes", bin_width=0.5, stop=30.0, n_units=5)
        assert other.fingerprint() == got.fingerprint()


def test_without_ends_the_spikes_tell_the_time(path):
    got = load(path, format="spikes", bin_width=0.5)
    assert got.signal("spikes").names == ["0", "2", "3"]
    assert got.start[0] == pytest.approx(columns()["times"][0] + 0.25)
    later = load(path, format="spikes", bin_width=0.5, start=10.0)
    assert later.start.tolist() == [10.25]


REFUSED = {
    "bin width": ({"bin_width": None}, ["s.npz", "bin_width"]),
    "times": ({"times": "tmes"}, ["'tmes'", "'times'"]),
    "stop": ({"stop": "times"}, ["'times'", "one number", "(200,)"]),
    "backwards": ({"start": 9.0, "stop": 3.0}, ["from 9 to 3"]),
    "units": ({"n_units": 2}, ["'2'", "not among the channels"]),
}


@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(path, options, words):
    with refuses(*words):
        load(path, format="spikes", **{"bin_width": 0.5, **options})


def test_steps_of_a_recipe(path):
    table = {"path": str(path), "format": "spikes", "bin_width": 0.25, "stop": 30, "n_units": 5}
    got = recording_of({**table, "bin": 2, "min_spikes": 50, "blocks": 20}, "r: [data]", 0)
    counts = np.bincount(columns()["units"], minlength=5)
    assert got.signal("spikes").names == [str(u) for u in np.flatnonzero(counts >= 50)]
    assert (got.ids, got.lengths.tolist()) == (["0/0", "0/1", "0/2"], [20, 20, 20])
    np.testing.assert_allclose(got.start, [0.25, 10.25, 20.25])
    with refuses("[data].blocks", "int"):
        recording_of({**table, "blocks": 2.5}, "r: [data]", 0)
    with refuses("no unit has 500 spikes"):
        recording_of({**table, "min_spikes": 500}, "r: [data]", 0)


def test_blocks_keep_facts_and_say_what_they_drop(path):
    whole = load(path, format="spikes", bin_width=0.5, stop=30.0).with_facts(failed=[True], remaining=[0.0])
    got = whole.blocks(25)
    assert got.sequences.block.tolist() == [0, 1]
    assert got.sequences.failed.tolist() == [False, False]
    assert got.sequences.remaining.tolist() == [17.5, 5.0]
    assert "10 samples at the ends were dropped" in got.history[-1]
    assert whole.blocks(30).sequences.failed.tolist() == [False, True]
    values = whole.signal("spikes").values
    np.testing.assert_array_equal(got.signal("spikes").values, values[:50])
    with refuses("60 samples", "block of 61"):
        whole.blocks(61)


def test_units_with_few_spikes_are_dropped_by_training(path):
    train = load(path, format="spikes", bin_width=0.5, stop=30.0, n_units=5)
    least = int(np.bincount(columns()["units"])[[0, 2, 3]].min()) + 1
    with pytest.warns(PreparationWarning, match=f"fewer than {least} spikes"):
        done, _ = prepare(train, [DropSilent(min_spikes=least)])
    assert len(done.recording.signal("spikes").names) == 2
    with refuses("fewer than 999 spikes"):
        prepare(train, [DropSilent(min_spikes=999)])


def test_linear_track(real_data):
    folder = real_data / "linear_track"
    table = {"path": str(folder / "spike_times.npz"), "format": "spikes", "bin_width": 0.1, "times": "time_s"}
    table |= {"units": "unit", "stop": "duration_s", "n_units": "n_units"}
    whole = recording_of(table, "r: [data]", 0).signal("spikes").values
    with np.load(folder / "binned_100ms.npz") as binned:
        np.testing.assert_array_equal(whole, binned["counts"])
    got = recording_of({**table, "min_spikes": 90, "blocks": 100}, "r: [data]", 0)
    assert got.signal("spikes").n_channels == 19
    assert got.lengths.tolist() == [100] * 93
