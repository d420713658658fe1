import numpy as np
import pandas as pd
import pytest

from neurolatent.recording import Recording
from tests.recording.refusals import refuses


def table(**columns):
    base = {"unit": [1, 1, 1, 2, 2], "cycle": [1, 2, 3, 1, 2], "a": [1.0, 2, 3, 4, 5], "b": [5.0, 4, 3, 2, 1]}
    return pd.DataFrame({**base, **columns})


def read(frame, **options):
    return Recording.of(frame, **{"sequence": "unit", "clock": "cycle", "name": "fleet.csv", **options})


def test_one_sequence_per_unit():
    recording = read(table(), clock_unit="cycle", failed=True)
    assert recording.ids == ["1", "2"]
    assert recording.lengths.tolist() == [3, 2]
    assert recording.signal("signal").names == ["a", "b"]
    assert recording.signal("signal").values[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert recording.sequences.failed.tolist() == [True, True]
    assert recording.bin_width == 1


def test_named_signals_and_kinds():
    recording = read(table(), signals={"x": ["b"], "n": ["a"]}, kinds={"n": "counts"})
    assert recording.signal("n").values.dtype == np.int64
    assert recording.signal("n").kind == "counts"
    assert list(recording.signals) == ["x", "n"]


def test_missing_cells_are_masked_whatever_they_are_called():
    recording = read(table(a=["1", "", "nan", "NA", "5"]))
    assert recording.signal("signal").observed[:, 0].tolist() == [True, False, False, False, True]


def test_missing_cycle_is_masked_and_listed():
    recording = read(table(cycle=[1, 2, 5, 3, 4]))
    assert recording.lengths.tolist() == [5, 2]
    assert recording.start.tolist() == [1, 3]
    assert recording.signal("signal").observed.all(axis=1).tolist() == [True, True, False, False, True, True, True]
    assert recording.history == ("2 missing steps were masked: sequence 1 at 3, sequence 1 at 4",)


def test_many_missing_cycles_are_counted():
    frame = pd.DataFrame({"t": [0, 1, 2, 50], "a": [1.0, 2, 3, 4]})
    assert "47 missing steps" in Recording.of(frame, clock="t").history[0]
    assert "and 42 more" in Recording.of(frame, clock="t").history[0]


def test_rounded_time_stamps_do_not_drift():
    exact = np.arange(20_000) / 30
    recording = Recording.of(pd.DataFrame({"t": np.round(exact, 5), "a": 1.0}), clock="t")
    assert recording.n_samples == 20_000
    assert recording.bin_width == pytest.approx(1 / 30, rel=1e-6)


def test_tenths_stay_tenths():
    assert Recording.of(pd.DataFrame({"t": np.arange(7000) * 0.1, "a": 1.0}), clock="t").bin_width == 0.1


def test_bin_width_without_clock_makes_no_gaps():
    recording = Recording.of(pd.DataFrame({"a": [1.0, 2, 3]}), bin_width=0.1)
    assert recording.n_samples == 3
    np.testing.assert_allclose(recording.clock(), [0, 0.1, 0.2])


@pytest.mark.parametrize("kind", ["dates", "text"])
def test_dates_become_seconds(kind):
    dates = pd.date_range("2024-01-01", periods=4, freq="2min")
    frame = pd.DataFrame({"t": dates if kind == "dates" else dates.strftime("%Y-%m-%dT%H:%M:%S"), "a": [1.0, 2, 3, 4]})
    assert Recording.of(frame, clock="t").bin_width == 120


def test_number_columns_may_have_numbers_for_names():
    assert Recording.of(pd.DataFrame(np.ones((4, 2)))).signal("signal").names == ["0", "1"]


def test_text_columns_are_left_out_and_named():
    recording = read(table(note=["x", "y", "z", "x", "y"]))
    assert recording.signal("signal").names == ["a", "b"]
    assert recording.history == ("left out columns without numbers: note",)


def test_ids_that_became_floats_are_whole_again():
    assert read(table(unit=[1.0, 1, 1, 2, 2])).ids == ["1", "2"]


def test_channel_without_any_value_stays():
    recording = read(table(b=np.nan))
    assert not recording.signal("signal").observed[:, 1].any()
    assert "never observed: b" in recording.describe()


REFUSED = {
    "missing column": (table(), {"signals": {"x": ["aa"]}}, ["fleet.csv", "'aa'", "Did you mean 'a'"]),
    "missing clock": (table(), {"clock": "cycel"}, ["fleet.csv", "'cycel'", "Did you mean 'cycle'"]),
    "missing sequence": (table(), {"sequence": "units"}, ["fleet.csv", "'units'", "Did you mean 'unit'"]),
    "text": (
        table(a=["1", "2", "3", "4", "oops"]),
        {},
        ["fleet.csv", "unit 2", "row 5", "column a", "'oops'", "leave the cell empty"],
    ),
    "text in the clock": (table(cycle=["1", "2", "x", "1", "2"]), {}, ["unit 1", "row 3", "column cycle", "'x'"]),
    "infinite": (table(b=[1, 2, np.inf, 4, 5]), {}, ["fleet.csv", "unit 1", "row 3", "column b", "inf", "empty"]),
    "doubled cycle": (
        table(cycle=[1, 2, 2, 1, 2]),
        {},
        ["fleet.csv", "unit 1", "row 3", "cycle 2", "stands twice", "drop what is doubled"],
    ),
    "decreasing cycle": (table(cycle=[1, 3, 2, 1, 2]), {}, ["unit 1", "row 3", "cycle 2", "comes after 3", "sort"]),
    "no cycle": (table(cycle=[1, np.nan, 3, 1, 2]), {}, ["unit 1", "row 2", "no cycle"]),
    "uneven": (
        table(cycle=[0, 1, 2.4, 0, 1]),
        {},
        ["fleet.csv", "unit 1", "row 3", "steps by 1.4", "no multiple of 1", "resample", "bin_width"],
    ),
    "drifting": (
        pd.DataFrame({"unit": 1, "cycle": np.arange(3000) * 1.0005, "a": 1.0}),
        {"bin_width": 1.0},
        ["unit 1", "drifted", "even clock"],
    ),
    "bin width too small": (table(), {"bin_width": 0.5}, ["fleet.csv", "bin_width=0.5", "Leave bin_width out"]),
    "bin width too large": (table(), {"bin_width": 5000.0}, ["fleet.csv", "no multiple of 5000"]),
    "bin width negative": (table(), {"bin_width": -1.0}, ["bin_width must be positive, got -1"]),
    "vast gap": (table(cycle=[1, 2, 10**9, 1, 2]), {}, ["unit 1", "row 3", "steps of the cycle are missing"]),
    "scattered": (
        table(unit=[1, 2, 1, 2, 2], cycle=[1, 1, 2, 2, 3]),
        {},
        ["unit 1", "row 3", "do not stand together", "Sort the table by unit"],
    ),
    "empty id": (table(unit=[1, np.nan, 1, 2, 2]), {}, ["fleet.csv", "row 2", "'unit' is empty"]),
    "negative counts": (
        table(a=[1, -2, 3, 4, 5]),
        {"signals": {"n": ["a"]}, "kinds": {"n": "counts"}},
        ["fleet.csv", "signal n", "channel a", "sample 1", "-2", "at least 0"],
    ),
    "unknown kind": (table(), {"kinds": {"signal": "count"}}, ["signal signal: kind", "'count'", "'counts'"]),
    "kind of no signal": (table(), {"kinds": {"sginal": "counts"}}, ["kinds", "'sginal'", "Did you mean 'signal'"]),
    "no rows": (table().iloc[:0], {}, ["fleet.csv", "no rows"]),
    "no numbers": (table(a="x", b="y"), {}, ["fleet.csv", "none holds numbers", "signals="]),
    "signal without columns": (table(), {"signals": {"x": []}}, ["signal x", "at least one column"]),
    "column named twice": (table(), {"signals": {"x": ["a", "a"]}}, ["signal x", "'a' stands twice"]),
}


@pytest.mark.parametrize(("frame", "options", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(frame, options, words):
    with refuses(*words):
        read(frame, **options)


def test_column_that_stands_twice_is_refused():
    frame = table()
    frame.columns = ["unit", "cycle", "a", "a"]
    with refuses("'a' stands twice", "Rename"):
        read(frame)


def test_message_without_file_begins_with_the_place():
    with pytest.raises(ValueError, match=r"^row 3: t 1 stands twice"):
        Recording.of(pd.DataFrame({"t": [0, 1, 1], "a": [1.0, 2, 3]}), clock="t")
