"""Lives that end at a threshold, and values that cannot be."""

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.recording import EndOfLife, Recording, knowledge
from tests.recording.refusals import refuses

NAN = np.nan
FADES = {
    "fades": [2.0, 1.8, 1.6, 1.3, 1.5, 1.3, 1.2, 1.1, 1.4],
    "dips": [2.0, 1.0, 2.0, 2.0],
    "begins low": [1.0, 1.1, 2.0, 1.0, 1.0],
    "gap": [NAN, 2.0, 1.3, NAN, NAN, 1.2, 1.1],
    "never seen": [NAN, NAN],
}


def cells(**options):
    pieces = [np.array(v)[:, None] for v in FADES.values()]
    channels = {"capacity": ["Ah"]}
    return Recording.of({"capacity": pieces}, ids=list(FADES), channels=channels, name="cells", start=1.0, **options)


def test_life_ends_at_the_first_sample_of_a_run_below():
    got = cells().ending(EndOfLife("capacity", "Ah", below=1.4, times=2))
    assert got.ids == ["fades", "dips", "gap"]
    assert got.lengths.tolist() == [6, 4, 3]  # masked samples do not break a run
    assert got.failed(True, "x").tolist() == [True, False, True]
    assert got.start.tolist() == [1.0, 1.0, 1.0]
    assert got.history == (
        "end of life, capacity Ah below 1.4, 2 in a row: 2 sequences reached it, 1 did not; "
        "left out, without a life above it: begins low, never seen",
    )


def test_one_sample_is_enough_where_it_is_asked_for():
    got = cells().ending(EndOfLife("capacity", "Ah", below=1.4))
    assert got.lengths.tolist() == [4, 2, 3]
    assert got.failed(True, "x").all()


def test_threshold_as_a_share_of_the_first_values():
    got = cells().ending(EndOfLife("capacity", "Ah", below_share_of_first=0.75, times=2, n_first=3))
    assert dict(zip(got.ids, got.lengths.tolist(), strict=True)) == {
        "fades": 6,  # below 1.35
        "dips": 4,  # one sample below 1.5
        "begins low": 5,  # below 0.825
        "gap": 7,  # below 0.975
    }
    assert got.failed(True, "x").tolist() == [True, False, False, False]


@pytest.mark.parametrize("times", [1, 2, 3, 5])
def test_runs_against_a_plain_loop(times):
    rng = np.random.default_rng(times)
    for _ in range(50):
        values = np.append(2.0, rng.uniform(0.5, 2.0, 12))
        values[rng.uniform(size=13) < 0.2] = NAN
        observed = [i for i, v in enumerate(values) if not np.isnan(v)]
        runs = [i for n, i in enumerate(observed) if all(values[j] < 1.4 for j in observed[n : n + times])]
        runs = [i for i in runs if len(observed) - observed.index(i) >= times]
        if not observed or (runs and runs[0] == observed[0]):
            continue
        got = Recording.of({"x": [values[:, None]]}).ending(EndOfLife("x", "0", below=1.4, times=times))
        assert got.failed(True, "x").tolist() == [bool(runs)]
        assert got.lengths.tolist() == [runs[0] + 1 if runs else 13]


def test_old_outcomes_go_and_knowledge_stays():
    units = cells(failed=False).with_facts(remaining=3.0)
    units = units.with_knowledge(knowledge.start_end(units, 1, 0))
    got = units.ending(EndOfLife("capacity", "Ah", below=1.4, times=2))
    assert "remaining" not in got.sequences
    assert got.sequences["failed"].tolist() == [True, False, True]
    assert set(got.knowledge.statements["sequence"]) == set(got.ids)


def test_values_outside_are_masked_and_keep_their_place():
    got = cells().within({"Ah": (1.15, 1.9)})
    np.testing.assert_array_equal(got.signal("capacity").values[:4, 0], [NAN, 1.8, 1.6, 1.3])
    assert got.lengths.tolist() == cells().lengths.tolist()
    assert got.history == ("masked 13 values of Ah outside 1.15 to 1.9",)
    counts = Recording.of({"n": [np.array([[3], [900]])]}, kinds={"n": "counts"}).within({"0": (0, 10)})
    assert counts.signal("n").observed.tolist() == [[True], [False]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either below or below_share_of_first"),
        ({"below": 1.0, "below_share_of_first": 0.7}, "either below or below_share_of_first"),
        ({"below": float("nan")}, "below must be a finite number"),
        ({"below_share_of_first": 1.4}, r"below_share_of_first must lie in \[0.0, 1.0\], got 1.4"),
        ({"below": 1.0, "times": 0}, "times must be a whole number of at least 1"),
        ({"below": 1.0, "n_first": 0}, "n_first must be a whole number of at least 1"),
    ],
)
def test_rules_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        EndOfLife("capacity", "Ah", **options)


def test_refusals_name_what_is_wrong():
    with refuses("cells: no signal 'capacty'", "Did you mean 'capacity'"):
        cells().ending(EndOfLife("capacty", "Ah", below=1.4))
    with refuses("cells, signal capacity: no channel 'ah'", "'Ah'"):
        cells().ending(EndOfLife("capacity", "ah", below=1.4))
    with refuses("no sequence begins above the threshold (capacity Ah below 14)", "from 1 to 2", "Lower the threshold"):
        cells().ending(EndOfLife("capacity", "Ah", below=14.0))
    with refuses("cells: no channel 'mAh'", "'Ah'"):
        cells().within({"mAh": (0, 1)})
    with refuses("cells, channel Ah: two rising numbers are needed, got [2, 1]"):
        cells().within({"Ah": (2, 1)})
