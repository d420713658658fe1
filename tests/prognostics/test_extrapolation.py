"""Extrapolations against closed forms; they see no future and no other unit; one cell left out at a time."""

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.fitting import fit
from neurolatent.models.arphmm import ARPHMM
from neurolatent.prognostics.extrapolation import Extrapolation, crossing
from neurolatent.prognostics.measures import held_out
from neurolatent.prognostics.prognosis import Prognosis, prognose
from neurolatent.prognostics.readout import lives_of
from neurolatent.prognostics.row import cross_told, learn_row, tell
from neurolatent.prognostics.settings import EXTRAPOLATIONS, RemainingLife
from neurolatent.prognostics.view import look
from tests.prognostics.cells import LEVEL, SETTINGS, cells, courses, fitted, prognosis
from tests.prognostics.fleets import fleet
from tests.recording.refusals import refuses

KNOWN = {"level": np.asarray(LEVEL), "sign": np.asarray(1.0), "cap": np.asarray(100.0)}
TIME = np.arange(40.0)
CURVES = {
    "linear": lambda rate: 2.0 - rate * TIME,
    "exponential": lambda rate: 2.0 * np.exp(-rate * TIME),
}
TRUE_END = {"linear": lambda rate: 0.6 / rate, "exponential": lambda rate: np.log(2.0 / 1.4) / rate}


def told(readout: Extrapolation, course: np.ndarray, rows, known=KNOWN):
    return readout.estimate(look(fitted(), courses([course[:, None]])).view, known, np.atleast_1d(rows))


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("window", [None, 7])
def test_course_without_noise_is_drawn_on_to_its_crossing(curve, window):
    rate = 0.01
    got = told(Extrapolation(curve, window), CURVES[curve](rate), [4, 11, 30])
    np.testing.assert_allclose(got.mean, TRUE_END[curve](rate) - np.array([4, 11, 30]), rtol=1e-8)
    np.testing.assert_allclose(got.sd, 0.0, atol=1e-6)


@pytest.mark.parametrize("curve", CURVES)
def test_a_spoilt_value_and_a_gap_change_nothing(curve):
    course = CURVES[curve](0.01)
    course[7], course[12:20] = 0.4, np.nan
    got = told(Extrapolation(curve), course, [25])
    np.testing.assert_allclose(got.mean, TRUE_END[curve](0.01) - 25, rtol=1e-6)


def test_signals_that_rise_to_failure():
    rising = {**KNOWN, "sign": np.asarray(-1.0)}
    got = told(Extrapolation("linear"), 0.5 + 0.01 * TIME, [20], rising)
    np.testing.assert_allclose(got.mean, 90.0 - 20, rtol=1e-8)
    got = told(Extrapolation("exponential"), 0.5 * np.exp(0.02 * TIME), [20], rising)
    np.testing.assert_allclose(got.mean, np.log(1.4 / 0.5) / 0.02 - 20, rtol=1e-8)


def test_where_the_course_does_not_lead_to_failure():
    assert told(Extrapolation(), 2.0 - 0.001 * TIME, [20]).mean.tolist() == [100.0]  # slower than the cap
    assert told(Extrapolation(), 2.0 + 0.01 * TIME, [20]).mean.tolist() == [100.0]  # away from it
    assert told(Extrapolation(), np.full(40, 2.0), [20]).mean.tolist() == [100.0]
    assert told(Extrapolation(), 1.3 - 0.01 * TIME, [20]).mean.tolist() == [0.0]  # beyond it
    assert np.isnan(told(Extrapolation(), 2.0 - 0.01 * TIME, [3]).mean).all()  # four values
    assert np.isnan(told(Extrapolation("exponential"), 0.1 - 0.01 * TIME, [20]).mean).all()  # below zero
    endless = {**KNOWN, "cap": np.asarray(np.inf)}
    assert np.isnan(told(Extrapolation(), 2.0 + 0.01 * TIME, [20], endless).mean).all()


def test_spread_is_that_of_the_crossing():
    """Against the spread over many noisy courses of the time at which a noisy course crosses."""
    rng, time = np.random.default_rng(0), np.arange(-39.0, 1.0)
    found = [crossing(time, 1.7 - 0.01 * time + 0.02 * rng.normal(size=40), LEVEL, 1.0, 1e3) for _ in range(400)]
    mean, sd = np.array(found).T
    noise = 0.02 / 0.01  # of the value at the crossing, in steps
    assert np.mean(mean) == pytest.approx(30, abs=0.5)
    assert np.median(sd) == pytest.approx(np.sqrt(np.var(mean) + noise**2), rel=0.15)


@pytest.mark.parametrize("readout", EXTRAPOLATIONS, ids=[r.name for r in EXTRAPOLATIONS])
@pytest.mark.parametrize("kept", [5, 14, 26])
def test_rows_after_t_and_other_units_change_no_answer(readout, kept):
    whole, learned = cells(4, seed=3), KNOWN
    cut = whole.take(whole.ids[1]).cut(0, kept + 1)
    row = whole.slices()[1].start + kept
    want = readout.estimate(look(fitted(), whole).view, learned, np.array([row - 1, row]))
    got = readout.estimate(look(fitted(), cut).view, learned, np.array([kept]))
    assert np.isfinite(got.mean).all()
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a[0], b[1])


def test_level_is_that_of_training_units_at_their_failure():
    view = look(fitted(), cells()).view
    learned = Extrapolation().learn(view, lives_of(view, 50.0), seed=0)
    ends = cells().lengths.cumsum()[:4] - 1
    assert learned["level"] == np.median(cells().signal("capacity").values[ends, 0])
    assert learned["sign"] == 1.0


def test_several_features_are_refused():
    view = look(fit(ARPHMM(2), fleet(3), seed=0), fleet(3)).view
    with refuses("the read-out 'linear_extrapolation' needs one modelled signal", "3 features"):
        Extrapolation().learn(view, lives_of(view, 50.0), seed=0)


def test_windows_that_are_too_short_are_refused():
    with pytest.raises(InputError, match="window must be a whole number of at least 5, got 4"):
        Extrapolation(window=4)


# --- one cell left out at a time -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_as_many_folds_as_failed_cells_leave_one_out():
    it = prognosis()
    held = it.held.whole
    assert np.unique(held.unit).tolist() == [0, 1, 2, 3]  # the cell that still runs is never asked
    columns, share = it.columns["fusion"], float(SETTINGS.neighbours)
    crossed = cross_told(held=it.held, columns=columns, cap=it.cap, neighbours=share, folds=4, seed=it.seed)
    for unit in range(4):
        others = type(it.held)(*(h.take(np.flatnonzero(h.unit != unit)) for h in it.held))
        mine = np.flatnonzero(held.unit == unit)
        want = tell(learn_row(others, columns, it.cap, share), held.take(mine).answers)
        np.testing.assert_array_equal(crossed.quantile[mine], want.quantile)


def test_more_folds_than_units_that_were_asked():
    """A unit too short to be asked leaves no empty fold behind."""
    it = prognosis()
    rows = np.flatnonzero(it.held.whole.unit != 2)
    held = type(it.held)(*(h.take(np.flatnonzero(h.unit != 2)) for h in it.held))
    found = cross_told(held, it.columns["fusion"], it.cap, 0.5, folds=4, seed=0)
    assert len(found.mean) == len(rows)
    assert np.isfinite(found.mean).all()


def test_straight_cells_are_told_by_the_line_and_not_by_age():
    measured = held_out(prognosis())
    error = {name: np.nanmean(np.abs(row.mean - measured.left)) for name, row in measured.told.items()}
    assert error["linear_extrapolation"] < 0.7 * error["survivors"]
    assert error["fusion"] < 0.7 * error["survivors"]


def test_folds_need_units_to_learn_from():
    few = cells(3)  # two of which failed
    with refuses("2 folds need 2 units that ran to failure", "2 of them left to learn from", "there are 2"):
        prognose(fit(ARPHMM(2), few, seed=0), few, RemainingLife(EXTRAPOLATIONS, (), folds=2))


def test_saved_prognosis_predicts_the_same(tmp_path):
    again = Prognosis.load(prognosis().save(tmp_path / "p.nc"))
    units = cells(2, seed=4).cut(0, 15)
    assert again.settings == SETTINGS
    np.testing.assert_array_equal(again.predict(units)["quantile"], prognosis().predict(units)["quantile"])
