"""A table of choices: missed trials, words for choices, facts of sessions."""

import numpy as np
import pandas as pd
import pytest

from neurolatent.loaders import load
from neurolatent.recording import Recording
from tests.recording.refusals import refuses

TABLE = pd.DataFrame(
    {
        "session": ["a"] * 4 + ["b"] * 3,
        "trial": [0, 1, 2, 3, 0, 1, 2],
        "mouse": ["m1"] * 4 + ["m2"] * 3,
        "fold": [0] * 4 + [1] * 3,
        "choice": ["left", "right", "miss", "right", "left", None, "left"],
        "contrast": [-1.0, 0.5, 0.0, 1.0, -0.5, 0.25, -1.0],
    }
)
OPTIONS = {
    "sequence": "session",
    "clock": "trial",
    "clock_unit": "trial",
    "signals": {"choice": ["choice"], "task": ["contrast"]},
    "levels": {"choice": ["left", "right"]},
    "missing": {"choice": "miss"},
    "per_sequence": ["mouse", "fold"],
}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_choices_of_sessions(tmp_path, suffix):
    path = tmp_path / f"choices.{suffix}"
    TABLE.to_csv(path, index=False) if suffix == "csv" else TABLE.to_parquet(path)
    got = load(path, **OPTIONS)
    choice = got.signal("choice")
    assert (choice.kind, got.ids, got.lengths.tolist()) == ("binary", ["a", "b"], [4, 3])
    assert choice.observed[:, 0].tolist() == [True, True, False, True, True, False, True]
    assert choice.values[:, 0].tolist() == [0, 1, 0, 1, 0, 0, 0]
    assert got.signal("task").values[:, 0].tolist() == TABLE.contrast.tolist()
    assert got.sequences.to_dict("list") == {"id": ["a", "b"], "mouse": ["m1", "m2"], "fold": [0, 1]}
    assert got.history == ("1 values of choice were codes for missing (miss)", "levels of choice: 0 = left, 1 = right")


def test_numbers_may_be_codes_and_levels():
    table = TABLE.assign(choice=[-1, 1, 0, 1, -1, -9, -1])
    numbers = {"levels": {"choice": [-1, 1]}, "missing": {"choice": [0, -9]}}
    got = Recording.of(table, **{**OPTIONS, **numbers}).signal("choice")
    assert got.values[:, 0].tolist() == [0, 1, 0, 1, 0, 0, 0]
    assert got.observed[:, 0].tolist() == [True, True, False, True, True, False, True]


def test_words_may_come_with_their_codes():
    table = TABLE.assign(choice=[-1, 1, 0, 1, -1, -9, -1])
    named = {"levels": {"choice": {"left": -1, "right": 1}}, "missing": {"choice": [0, -9]}}
    made = Recording.of(table, **{**OPTIONS, **named})
    assert made.signal("choice").values[:, 0].tolist() == [0, 1, 0, 1, 0, 0, 0]
    assert made.signal("choice").levels() == ["left", "right"]
    assert made.signal("task").levels() == []
    assert made.history[-1] == "levels of choice: 0 = left, 1 = right"


def test_words_of_levels_are_saved(tmp_path):
    Recording.of(TABLE, **OPTIONS).save(tmp_path / "a.nc")
    assert Recording.load(tmp_path / "a.nc").signal("choice").levels() == ["left", "right"]


def test_more_levels_are_a_category():
    got = Recording.of(TABLE, **{**OPTIONS, "missing": None, "levels": {"choice": ["miss", "left", "right"]}})
    assert got.signal("choice").kind == "category"
    assert got.signal("choice").values[:, 0].tolist() == [1, 2, 0, 2, 1, 0, 1]


def test_facts_of_sessions_are_not_channels():
    got = Recording.of(TABLE, sequence="session", clock="trial", per_sequence="fold")
    assert got.signal("signal").names == ["contrast"]


def changed(column, row, value):
    table = TABLE.astype({"choice": object, "session": object, "mouse": object})
    table.loc[row, column] = value
    return table


REFUSED = {
    "not constant": (changed("mouse", 5, "m3"), {}, ["session b", "row 6", "column mouse", "'m3'", "'m2'"]),
    "not together": (changed("session", 1, "b"), {}, ["session", "row", "do not stand together"]),
    "no such fact": (TABLE, {"per_sequence": ["mose"]}, ["'mose'", "'mouse'"]),
    "no level": (TABLE, {"missing": None}, ["row 3", "column choice", "'miss'", "['left', 'right']", "missing="]),
    "missing column": (TABLE, {"missing": {"choise": 0}}, ["missing", "'choise'", "'choice'"]),
    "levels column": (TABLE, {"levels": {"choise": [0, 1]}}, ["levels", "'choise'", "'choice'"]),
    "one level": (TABLE, {"levels": {"choice": ["left"]}}, ["choice", "different levels"]),
    "levels twice": (TABLE, {"levels": {"choice": ["left", "left"]}}, ["choice", "different levels"]),
    "out of range": (
        TABLE.assign(choice=[0, 1, 2, 0, 1, 0, 1]),
        {"levels": None, "missing": None, "kinds": {"choice": "binary"}},
        ["signal choice", "0 or 1"],
    ),
}


@pytest.mark.parametrize(("table", "options", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(table, options, words):
    with refuses(*words):
        Recording.of(table, **{**OPTIONS, **options})


def test_choices_of_a_mouse(real_data):
    path = real_data / "ibl_choice" / "ibl_cshl008_5050.csv"
    task = ["signed_contrast", "feedback"]
    options = {"sequence": "session", "clock": "trial", "clock_unit": "trial", "kinds": {"choice": "binary"}}
    got = load(path, signals={"choice": ["choice"], "task": task}, per_sequence=["session_id", "fold"], **options)
    assert got.lengths.tolist() == [90] * 56
    assert got.signal("choice").values.sum() == 2518
    contrast, feedback = got.signal("task").values.T
    assert (feedback == 1).sum() == 3872
    right = got.signal("choice").values[:, 0] == (contrast > 0)
    assert right[contrast != 0].mean() == pytest.approx(0.8036, abs=5e-5)
    assert np.bincount(got.sequences["fold"]).tolist() == [12, 10, 12, 11, 11]
