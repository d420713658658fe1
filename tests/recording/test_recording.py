import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurolatent.recording import Recording, Signal, knowledge, make_signal
from tests.recording.refusals import refuses


def fleet(lengths=(5, 3, 8), **options):
    total = sum(lengths)
    values = np.arange(2.0 * total).reshape(total, 2)
    pieces = np.split(values, np.cumsum(lengths)[:-1])
    counts = [np.arange(len(p)) for p in pieces]
    options = {"ids": [f"u{n}" for n in range(len(lengths))], "start": 1.0, "clock_unit": "cycle", **options}
    return Recording.of({"x": pieces, "n": counts}, kinds={"n": "counts"}, name="fleet", **options)


def test_take_keeps_order_start_facts_and_rows():
    recording = fleet(start=[1.0, 2.0, 3.0], failed=[True, False, True])
    part = recording.take(["u2", "u0"])
    assert part.ids == ["u2", "u0"]
    assert part.start.tolist() == [3, 1]
    assert part.sequences.failed.tolist() == [True, True]
    np.testing.assert_array_equal(part.signal("x").values[:8], recording.signal("x").values[8:])
    assert part.history == ("took 2 of 3 sequences",)
    assert recording.take("u1").ids == ["u1"]


def test_cut_keeps_its_place_on_the_clock():
    recording = fleet(bin_width=0.5)
    part = recording.cut(1, [3, 2, 100])
    assert part.lengths.tolist() == [2, 1, 7]
    assert part.start.tolist() == [1.5, 1.5, 1.5]
    inside = [t for times, length in zip(recording.times(), [3, 2, 8], strict=True) for t in times[1:length]]
    np.testing.assert_array_equal(part.clock(), inside)
    assert part.signal("x").values[2].tolist() == recording.signal("x").values[6].tolist()


def test_cut_knows_what_it_takes_from_a_life():
    recording = fleet(failed=True, bin_width=2.0).with_facts(remaining=[0.0, 0.0, 10.0])
    part = recording.cut(0, 4)
    assert part.sequences.failed.tolist() == [False, True, False]
    assert part.sequences.remaining.tolist() == [2, 0, 18]


def test_split_time_puts_nothing_in_both_and_loses_nothing():
    past, future = fleet().split_time(0.4)
    assert (past.lengths + future.lengths).tolist() == [5, 3, 8]
    assert future.start.tolist() == (past.start + past.lengths).tolist()


def test_split_and_folds_share_out_the_sequences():
    recording = fleet(lengths=(2,) * 7)
    first, second = recording.split(0.4, seed=3)
    assert sorted(first.ids + second.ids) == recording.ids
    assert first.n_sequences == 3
    assert recording.split(0.4, seed=3)[0].ids == first.ids
    held = [test.ids for _, test in recording.folds(3, seed=0)]
    assert sorted(sum(held, [])) == recording.ids
    assert all(not set(train.ids) & set(test.ids) for train, test in recording.folds(3, seed=0))


def test_split_channels():
    named, rest = fleet().split_channels("x", ["1"])
    assert named.signal("x").names == ["1"]
    assert rest.signal("x").names == ["0"]
    assert named.signal("x").values[:2, 0].tolist() == [1, 3]
    assert rest.history == ("kept 1 of 2 channels of x",)


def test_hidden_entries_are_masked_and_gone():
    recording = fleet(lengths=(400,))
    hidden = recording.hide("x", 0.25, seed=0).signal("x")
    assert 0.15 < 1 - hidden.observed.mean() < 0.35
    assert np.isnan(hidden.values[~hidden.observed]).all()
    assert (recording.hide("n", 0.25, seed=0).signal("n").values >= 0).all()
    assert recording.signal("x").observed.all()


def test_bins_add_counts_and_average_values():
    recording = fleet(lengths=(5, 4), failed=True).with_facts(remaining=[0.0, 3.0])
    coarse = recording.bin(2)
    assert coarse.lengths.tolist() == [2, 2]
    assert coarse.bin_width == 2
    assert coarse.start.tolist() == [1.5, 1.5]
    assert coarse.signal("n").values[:, 0].tolist() == [1, 5, 1, 5]
    np.testing.assert_allclose(coarse.signal("x").values[0], [1, 2])
    assert coarse.sequences.remaining.tolist() == [1.5, 3.5]


def test_bins_with_missing_entries():
    values, counts = np.array([1.0, np.nan, np.nan, np.nan]), np.ma.array([1, 2, 3, 4], mask=[0, 1, 0, 0])
    coarse = Recording.of({"x": values, "n": counts}, kinds={"n": "counts"}).bin(2)
    assert coarse.signal("x").values[0, 0] == 1
    assert coarse.signal("x").observed[:, 0].tolist() == [True, False]
    assert coarse.signal("n").observed[:, 0].tolist() == [False, True]
    assert coarse.signal("n").values[1, 0] == 7


def test_knowledge_follows_takes_and_cuts():
    recording = fleet(bin_width=0.1)
    stated = knowledge.start_end(recording, 2, 0)
    level = np.where(np.arange(16) == 12, 1.0, np.nan)
    recording = recording.with_knowledge(stated & knowledge.labels(level, 2) & knowledge.plausibility(np.ones((16, 2))))
    whole = recording.knowledge.render(recording, 2)
    pieces = np.split(whole, np.cumsum([5, 3]))
    part = recording.take(["u2", "u0"])
    np.testing.assert_array_equal(part.knowledge.render(part, 2), np.concatenate([pieces[2], pieces[0]]))
    cut = recording.cut(1)
    np.testing.assert_array_equal(cut.knowledge.render(cut, 2), np.concatenate([p[1:] for p in pieces]))


def test_whereabouts():
    assert fleet().whereabouts(6) == "fleet, sequence u1, row 2, cycle 2"


def test_arrays_cannot_be_changed_and_the_users_own_still_can():
    mine = np.zeros((4, 2))
    recording = Recording.of(mine)
    for part in (recording, recording.take(["0"]), recording.cut(1), recording.hide("signal", 0.5, seed=0)):
        for array in (part.signal("signal").values, part.signal("signal").observed, part.lengths, part.start):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
    mine[0] = 1
    assert recording.signal("signal").values[0, 0] == 0


def test_fingerprint_sees_data_and_not_their_width():
    recording = fleet()
    narrow = Recording.of({"n": np.arange(5, dtype=np.uint8)}, kinds={"n": "counts"})
    wide = Recording.of({"n": np.arange(5)}, kinds={"n": "counts"})
    assert narrow.fingerprint() == wide.fingerprint()
    assert recording.fingerprint() == fleet().fingerprint()
    others = [
        fleet(bin_width=2.0),
        fleet(start=0.0),
        fleet(ids=["a", "b", "c"]),
        fleet(channels={"x": ["a", "b"]}),
        recording.hide("x", 0.3, seed=0),
    ]
    assert len({recording.fingerprint(), *(r.fingerprint() for r in others)}) == 6


def test_description_says_what_is_there():
    words = fleet().describe()
    for word in ("fleet: 3 sequences of 3 to 8 samples", "x: continuous, 2 channels", "n: counts", "nothing is known"):
        assert word in words


def test_a_recording_and_its_signals_show_themselves_in_few_words():
    assert repr(fleet()) == fleet().describe()
    assert repr(fleet().signal("x")) == "Signal: continuous, 16 x 2, 0.0% not observed"


def test_failed_must_be_known_when_it_is_needed():
    assert not fleet().failed(False, "test").any()
    with refuses("fleet", "life_fraction", "failed=True", "with_facts"):
        fleet().failed(True, "life_fraction")
    with refuses("fleet", "sequence u1", "'no'", "True or False"):
        fleet().with_facts(failed=[True, "no", True]).failed(True, "test")
    with refuses("sequence u0", "nan"):
        fleet().with_facts(failed=[np.nan, 1.0, 0.0]).failed(True, "test")


REFUSED = {
    "no signal": (lambda r: r.signal("y"), ["fleet", "'y'", "'x'"]),
    "select": (lambda r: r.select("nn"), ["'nn'", "Did you mean 'n'"]),
    "take": (lambda r: r.take(["u3"]), ["fleet", "'u3'", "'u0'"]),
    "take nothing": (lambda r: r.take([]), ["at least one sequence"]),
    "take twice": (lambda r: r.take(["u0", "u0"]), ["'u0' stands twice"]),
    "cut all": (lambda r: r.cut(3), ["fleet, sequence u1", "none of its 3 samples", "Choose another"]),
    "cut before": (lambda r: r.cut(-1), ["first", "at least 0", "-1"]),
    "cut end before": (lambda r: r.cut(0, -1), ["last", "at least 0", "-1"]),
    "cut number": (lambda r: r.cut([1, 2]), ["first", "one per sequence (3)"]),
    "cut fraction": (lambda r: r.cut(np.array([0.5, 1, 1])), ["first", "whole number"]),
    "split": (lambda r: r.split(1.5, seed=0), ["0 < fraction < 1", "1.5"]),
    "split of one": (lambda r: r.take("u0").split(0.5, seed=0), ["at least two sequences"]),
    "folds": (lambda r: r.folds(4, seed=0), ["n_folds", "2..3", "4"]),
    "split time": (lambda r: r.split_time(0.0), ["0 < fraction < 1", "0.0"]),
    "split channels": (lambda r: r.split_channels("x", ["7"]), ["fleet, signal x", "'7'"]),
    "split no channel": (lambda r: r.split_channels("x", []), ["signal x", "without a channel"]),
    "hide": (lambda r: r.hide("x", 1.5, seed=0), ["fraction", "[0.0, 1.0]", "1.5"]),
    "bin": (lambda r: r.bin(4), ["fleet, sequence u1", "3 samples", "one bin of 4", "smaller factor"]),
    "bin 0": (lambda r: r.bin(0), ["factor", "at least 1", "0"]),
    "bin angles": (
        lambda r: Recording.of(np.ones(4), kinds={"signal": "angle"}, name="a").bin(2),
        ["a, signal signal", "'angle'"],
    ),
    "bin labels": (lambda r: r.with_knowledge(knowledge.labels(np.zeros(16), 2)).bin(2), ["bin before"]),
    "knowledge of another": (lambda r: r.with_knowledge(knowledge.labels(np.zeros(9), 2)), ["9 rows", "16 samples"]),
    "signal of another": (
        lambda r: r.with_signal("y", make_signal(np.ones(4))),
        ["fleet, signal y", "4 samples", "16 together"],
    ),
}


@pytest.mark.parametrize(("step", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(step, words):
    with refuses(*words):
        step(fleet())


def test_recording_without_table_of_sequences_is_refused():
    with refuses("column 'id'"):
        Recording({"x": make_signal(np.ones(3))}, np.array([3]), np.zeros(1))
    with refuses("2 start times for 1 sequences"):
        Recording({"x": make_signal(np.ones(3))}, np.array([3]), np.zeros(2), sequences=pd.DataFrame({"id": ["a"]}))


lengths = st.lists(st.integers(1, 6), min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@given(lengths)
def test_taking_all_sequences_changes_nothing(lengths):
    recording = fleet(tuple(lengths))
    assert recording.take(recording.ids).fingerprint() == recording.fingerprint()


@settings(max_examples=40, deadline=None)
@given(lengths, st.integers(0, 10))
def test_pieces_put_together_are_the_whole(lengths, at):
    recording = fleet(tuple(n + 1 for n in lengths), bin_width=0.1)
    at = np.clip(at, 1, recording.lengths - 1)
    pieces = recording.cut(0, at), recording.cut(at)
    for number, part in enumerate(recording.slices()):
        halves = [p.signal("x").values[p.slices()[number]] for p in pieces]
        np.testing.assert_array_equal(np.concatenate(halves), recording.signal("x").values[part])
        clocks = [p.times()[number] for p in pieces]
        np.testing.assert_allclose(np.concatenate(clocks), recording.times()[number], rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(lengths, st.integers(0, 99))
def test_any_order_of_sequences_can_be_undone(lengths, seed):
    recording = fleet(tuple(lengths))
    order = np.random.default_rng(seed).permutation(recording.ids)
    assert recording.take(order).take(recording.ids).fingerprint() == recording.fingerprint()


def test_signal_rows_and_filled():
    signal = make_signal(np.array([[1.0, np.nan], [3, 4]]))
    assert isinstance(signal.rows(slice(0, 1)), Signal)
    assert signal.filled(-1.0).tolist() == [[1, -1], [3, 4]]
