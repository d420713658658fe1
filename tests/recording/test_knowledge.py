import json

import numpy as np
import pandas as pd
import pytest

from neurolatent.recording import Recording, knowledge
from neurolatent.recording.knowledge import Knowledge, states_of_levels
from tests.recording.refusals import refuses


def fleet(**options):
    options = {"ids": ["a", "b"], "start": 1.0, "clock_unit": "cycle", "name": "fleet", **options}
    return Recording.of([np.ones((4, 1)), np.ones((6, 1))], **options)


def stated(rows, levels=("low", "mid", "high"), **options):
    table = pd.DataFrame(rows, columns=["sequence", "first", "last", "level", "confidence"][: len(rows[0])])
    return knowledge.intervals(fleet(**options), table, levels)


def test_levels_cover_shares_of_the_states():
    # m = 3 levels, K = 6: two states each; K = 4: floor(4i/3) to floor(4(i+1)/3) - 1; m = K: one each
    assert [states_of_levels([i], 3, 6) for i in range(3)] == [{0, 1}, {2, 3}, {4, 5}]
    assert [states_of_levels([i], 3, 4) for i in range(3)] == [{0}, {1}, {2, 3}]
    assert [states_of_levels([i], 3, 3) for i in range(3)] == [{0}, {1}, {2}]
    assert states_of_levels([0, 2], 3, 6) == {0, 1, 4, 5}


def test_more_levels_than_states_share():
    assert [states_of_levels([i], 5, 3) for i in range(5)] == [{0}, {0}, {1}, {1}, {2}]


@pytest.mark.parametrize("of", range(1, 8))
@pytest.mark.parametrize("n_states", range(1, 8))
def test_levels_together_cover_all_states_in_order(of, n_states):
    covered = [sorted(states_of_levels([i], of, n_states)) for i in range(of)]
    assert sorted(set().union(*covered)) == list(range(n_states))
    assert all(covered)
    if of <= n_states:
        assert sum(covered, []) == list(range(n_states))
        assert [c[0] for c in covered] == [i * n_states // of for i in range(of)]


def test_start_end_renders_for_any_number_of_states():
    recording = fleet(failed=[True, False])
    body = knowledge.start_end(recording, 1, 2)
    for n_states in (2, 3, 5):
        out = body.render(recording, n_states)
        first, last = np.eye(n_states)[0], np.eye(n_states)[-1]
        np.testing.assert_array_equal(out[[0, 4]], [first, first])
        np.testing.assert_array_equal(out[[2, 3]], [last, last])
        assert (out[[1, 5, 6, 7, 8, 9]] == 1).all()


def test_intervals():
    body = stated([("a", 2, 3, "low", 1.0), ("b", 1, 2, "mid|high", 0.5), ("b", 2, 2, "mid", 0.5)])
    out = body.render(fleet(), 3)
    np.testing.assert_allclose(out[:4], [[1, 1, 1], [1, 0, 0], [1, 0, 0], [1, 1, 1]])
    np.testing.assert_allclose(out[4:7], [[0.5, 1, 1], [0.25, 1, 0.5], [1, 1, 1]])


def test_missing_confidence_is_one():
    table = pd.DataFrame({"sequence": ["a"], "first": [1], "last": [1], "level": ["low"], "confidence": [np.nan]})
    body = knowledge.intervals(fleet(), table, ["low", "high"])
    np.testing.assert_array_equal(body.render(fleet(), 2)[0], [1, 0])


def test_boundaries_hold_on_a_clock_that_was_cut():
    recording = Recording.of(np.ones((1000, 1)), bin_width=0.1)
    body = knowledge.start_end(recording, 303, 0)
    for cut in range(0, 300, 7):
        part = recording.with_knowledge(body).cut(cut)
        assert (part.knowledge.render(part, 2)[:, 1] == 0).sum() == 303 - cut


def test_life_fraction_agrees_with_the_weights():
    recording = fleet(failed=[False, True])
    out = knowledge.life_fraction(recording, [0, 0.5, 1], overlap=0.1, off=0.05).render(recording, 2)
    assert (out[:4] == 1).all()
    np.testing.assert_allclose(out[4:], [[1, 0.05], [1, 0.05], [1, 1], [1, 1], [0.05, 1], [0.05, 1]])


def test_labels_for_another_number_of_states():
    level = np.array([0, 1, np.nan, np.nan, 1, 0, 0, 0, 0, 0])
    out = knowledge.labels(level, 2).render(fleet(), 4)
    np.testing.assert_array_equal(out[:3], [[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]])
    doubtful = knowledge.labels(level, 2, nu=0.2).render(fleet(), 4)
    np.testing.assert_allclose(doubtful[0], [1, 1, 0.2, 0.2])
    noisy = knowledge.labels(level, 2, error=0.2).render(fleet(), 4)
    np.testing.assert_allclose(noisy[1], [0.1, 0.1, 0.9, 0.9])
    np.testing.assert_allclose(knowledge.labels(level, 2, error=0.2).render(fleet(), 2)[0], [0.9, 0.1])


def test_and_multiplies():
    ready = knowledge.plausibility(np.tile([1, 0.5], (10, 1)))
    both = ready & knowledge.labels(np.zeros(10), 2, nu=0.5) & Knowledge()
    np.testing.assert_allclose(both.render(fleet(), 2)[0], [1, 0.25])
    assert Knowledge().is_empty
    assert not both.is_empty
    assert "labels at 10 samples" in both.describe()


def test_statements_are_kept_as_text_and_numbers():
    table = knowledge.start_end(fleet(failed=True), 1, 1).statements
    assert json.loads(table.levels.iloc[0]) == [0]


TABLE = pd.DataFrame({"sequence": ["a"], "first": [1], "last": [2], "level": ["low"]})
LEVELS = ["low", "high"]
REFUSED = {
    "sequence": (TABLE.assign(sequence="c"), ["knowledge table, row 1", "'c'", "'a'"]),
    "level": (TABLE.assign(level="hgih"), ["row 1", "'hgih'", "Did you mean 'high'"]),
    "order": (TABLE.assign(last=0), ["row 1", "starts at 1", "ends at 0"]),
    "confidence": (TABLE.assign(confidence=2.0), ["row 1", "confidence", "2.0"]),
    "column": (TABLE.rename(columns={"level": "levels"}), ["'level'", "Did you mean 'levels'"]),
}


@pytest.mark.parametrize(("table", "words"), REFUSED.values(), ids=REFUSED)
def test_refused_intervals(table, words):
    with refuses(*words):
        knowledge.intervals(fleet(), table, LEVELS)


def test_other_refusals():
    with refuses("fleet, a", "4 samples", "n_start + n_end = 6"):
        knowledge.start_end(fleet(failed=True), 3, 3)
    with refuses("fleet", "which sequences ran to failure"):
        knowledge.start_end(fleet(), 1, 1)
    with refuses("sample 1", "level 2", "0 to 1"):
        knowledge.labels([0, 2], 2)
    with refuses("sample 1", "0.5", "whole"):
        knowledge.labels([0, 0.5], 2)
    with refuses("nu and error", "[0, 1]"):
        knowledge.labels([0, 1], 2, nu=2.0)
    with refuses("edges", "rising"):
        knowledge.life_fraction(fleet(failed=True), [1, 0])
    with refuses("fleet, plausibilities", "(10, 3)", "(10, 2)"):
        knowledge.plausibility(np.ones((10, 2))).render(fleet(), 3)
    with refuses("row 3", "all states are excluded"):
        knowledge.plausibility(np.array([[1, 1]] * 3 + [[0, 0]]))
    with refuses("fleet, sequence a, row 2, cycle 2", "exclude every state", "Lower the confidence"):
        stated([("a", 1, 4, "low"), ("a", 2, 3, "high")]).render(fleet(), 3)
