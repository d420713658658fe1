"""Covariates of choices against a plain loop, against a published table, and against leaks."""

import numpy as np
import pandas as pd
import pytest

from neurolatent.loaders import load
from neurolatent.preparation import ChoiceCovariates, PreparationWarning, prepare, replay
from neurolatent.recording import Recording
from tests.recording.refusals import refuses

FULL = ChoiceCovariates("contrast", win_stay_lose_switch="feedback")


def table(seed: int = 0, sessions: int = 3, trials: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = sessions * trials
    choice = np.where(rng.uniform(size=n) < 0.2, np.nan, rng.integers(0, 2, n))
    outcome = rng.choice([-1.0, 1.0], n)
    contrast = rng.choice([-1, -0.25, 0, 0.25, 1], n)
    session = np.repeat(np.arange(sessions), trials)
    return pd.DataFrame({"session": session, "choice": choice, "contrast": contrast, "feedback": outcome})


def recording_of(data: pd.DataFrame, kind: str = "binary") -> Recording:
    signals = {"choice": ["choice"], "task": ["contrast", "feedback"]}
    return Recording.of(data, sequence="session", signals=signals, kinds={"choice": kind}, clock_unit="trial")


def by_loop(data: pd.DataFrame, own: bool = False) -> np.ndarray:
    """Previous choice and win-stay-lose-switch, one trial at a time."""
    out = []
    for _, session in data.groupby("session"):
        last = (0.0, 0.0)
        for trial, row in enumerate(session.itertuples()):
            made = not np.isnan(row.choice)
            now = ((2 * row.choice - 1), (2 * row.choice - 1) * (1 if row.feedback == 1 else -1)) if made else last
            out.append(now if own and trial == 0 else last)
            last = now
    return np.array(out)


def covariates(data: pd.DataFrame, step: ChoiceCovariates = FULL, kind: str = "binary"):
    return prepare(recording_of(data, kind), [step])[0].recording.signal("covariates")


@pytest.mark.parametrize("first", ["zero", "own"])
@pytest.mark.parametrize("codes", [(-1, 1), (0, 1)])
def test_the_past_is_that_of_a_loop(first, codes):
    data = table()
    step = ChoiceCovariates("contrast", win_stay_lose_switch="feedback", first=first)
    got = covariates(data.assign(feedback=data.feedback.map({-1: codes[0], 1: codes[1]})), step)
    assert got.names == ["contrast", "previous_choice", "win_stay_lose_switch"]
    np.testing.assert_array_equal(got.values[:, 1:], by_loop(data, first == "own"))
    z = (data.contrast - data.contrast.mean()) / data.contrast.std(ddof=0)
    np.testing.assert_allclose(got.values[:, 0], z)
    assert got.observed.all()


def test_no_choice_enters_its_own_row_or_an_earlier_one():
    data = table()
    before = covariates(data).values
    for row in (0, 5, 29, 30, 44):
        for other in (0.0, 1.0, np.nan):
            changed = data.copy()
            changed.loc[row, "choice"] = other
            changed.loc[row, "feedback"] = -changed.loc[row, "feedback"]
            np.testing.assert_array_equal(covariates(changed).values[: row + 1], before[: row + 1])
    changed = data.assign(choice=data.choice.mask(data.index == 29, 1 - data.choice.fillna(0)))
    np.testing.assert_array_equal(covariates(changed).values[30:], before[30:])  # the next session


def test_own_first_leaks_and_says_so():
    data = table()
    data.loc[0, "choice"] = 1.0
    step = ChoiceCovariates(first="own")
    made = prepare(recording_of(data), [step])[0].recording
    assert made.signal("covariates").values[0, 0] == 1
    assert "leaks" in made.history[-1]


def test_scale_is_learned_once_and_undone():
    train, new = recording_of(table(0)), recording_of(table(1).assign(contrast=lambda t: t.contrast + 5))
    _, learned = prepare(train, [FULL])
    z = replay(new, [FULL], learned).recording.signal("covariates").values
    raw = table(0).contrast
    np.testing.assert_allclose(z[:, 0], (table(1).contrast + 5 - raw.mean()) / raw.std(ddof=0))
    back = FULL.restore("covariates", z, learned[0])
    np.testing.assert_allclose(back[:, 0], table(1).contrast + 5)
    np.testing.assert_array_equal(back[:, 1:], z[:, 1:])
    assert FULL.restore("covariates", np.ones(3), learned[0], is_spread=True)[0] == pytest.approx(raw.std(ddof=0))
    assert FULL.restore("task", z, learned[0]) is z


def test_several_stimuli_and_a_missing_one():
    data = table().assign(contrast=lambda t: t.contrast.mask(t.index == 3))
    got = covariates(data, ChoiceCovariates(("contrast", "feedback"), previous_choice=False))
    assert got.names == ["contrast", "feedback"]
    assert got.observed.all(axis=1).sum() == len(data) - 1


def test_more_classes_get_a_column_each():
    data = table().assign(choice=lambda t: np.arange(len(t)) % 3)
    got = covariates(data, ChoiceCovariates(win_stay_lose_switch="feedback"), kind="category")
    assert got.names[:2] == ["previous_choice_1", "previous_choice_2"]
    assert got.values[:4, :2].tolist() == [[0, 0], [0, 0], [1, 0], [0, 1]]
    np.testing.assert_array_equal(got.values[1:30, 2], got.values[1:30, 0] * data.feedback[:29])


def test_published_columns_of_a_mouse(real_data):
    path = real_data / "ibl_choice" / "ibl_cshl008_5050.csv"
    task = ["signed_contrast", "feedback"]
    truth = ["stim_z_population", "prev_choice", "wsls"]
    signals = {"choice": ["choice"], "task": task, "published": truth}
    got = load(path, sequence="session", clock="trial", signals=signals, kinds={"choice": "binary"})
    slope, shift = 2.09430131, 0.00111352
    scale = (-shift / slope, 1 / slope)
    step = ChoiceCovariates("signed_contrast", scale, win_stay_lose_switch="feedback", first="own")
    made = prepare(got, [step])[0].recording.signal("covariates").values
    np.testing.assert_allclose(made, got.signal("published").values, atol=1e-7)
    honest = ChoiceCovariates("signed_contrast", scale, win_stay_lose_switch="feedback")
    values = prepare(got, [honest])[0].recording.signal("covariates").values
    differs = (values != made).any(axis=1)
    assert np.flatnonzero(differs).tolist() == list(range(0, 5040, 90))  # one label a session


SETTINGS = {
    "nothing": ({"previous_choice": False}, ["makes no column"]),
    "scale": ({"stimulus": "contrast", "scale": (0.0, 0.0)}, ["standard deviation above 0"]),
    "scale of none": ({"scale": (0.0, 1.0)}, ["one stimulus"]),
}


@pytest.mark.parametrize(("settings", "words"), SETTINGS.values(), ids=SETTINGS)
def test_settings_are_refused(settings, words):
    with refuses(*words):
        ChoiceCovariates(**settings)


REFUSED = {
    "channel": (table(), ChoiceCovariates("contrst"), ["'contrst'", "'contrast'"]),
    "outcome": (
        table().assign(feedback=0.5),
        ChoiceCovariates(win_stay_lose_switch="feedback"),
        ["sequence 0", "channel feedback", "0.5", "1 (rewarded)"],
    ),
    "constant": (table().assign(contrast=0.5), ChoiceCovariates("contrast"), ["'contrast'", "0.5 everywhere"]),
    "choice": (table(), ChoiceCovariates("contrast", choice="chioce"), ["'chioce'", "'choice'"]),
    "kind": (table(), ChoiceCovariates(choice="task"), ["signal task", "2 of kind 'continuous'"]),
}


@pytest.mark.parametrize(("data", "step", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(data, step, words):
    with refuses(*words):
        prepare(recording_of(data), [step])


def test_a_class_that_training_did_not_have_is_refused():
    step = ChoiceCovariates()
    _, learned = prepare(recording_of(table().assign(choice=lambda t: np.arange(len(t)) % 3), "category"), [step])
    with refuses("the choice 3", "3 classes"):
        replay(recording_of(table().assign(choice=lambda t: np.arange(len(t)) % 4), "category"), [step], learned)


def test_collinear_covariates_are_named():
    always = table().assign(feedback=1.0)
    with pytest.warns(PreparationWarning, match="previous_choice, win_stay_lose_switch are collinear"):
        covariates(always)
