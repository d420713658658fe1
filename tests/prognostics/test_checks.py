"""Every verdict on a prognosis passes where all is well, and fails on a planted fault."""

import numpy as np
import pytest

from neurolatent.diagnostics import Diagnosis, Row
from neurolatent.prognostics.checks import check_prognosis
from neurolatent.prognostics.measures import held_out
from neurolatent.prognostics.prognosis import FUSION
from tests.prognostics.fleets import prognosis
from tests.prognostics.told import made_up, normal_told, with_line


def checked(measured) -> list[Row]:
    """Of the prognosis itself only its seed is asked."""
    return list(check_prognosis(prognosis(), measured))


def verdicts(measured) -> dict[str, str]:
    return {row.what: row.verdict for row in checked(measured)}


def test_a_calibrated_prognosis_passes_all():
    rows = checked(made_up(200))
    assert {row.verdict for row in rows} == {"pass"}
    assert len({row.what for row in rows}) == len(rows) == 11
    assert all(row.advice and row.threshold for row in rows)


@pytest.mark.parametrize(("narrow", "verdict"), [(1.12, "warn"), (1.6, "fail"), (0.6, "fail")])
def test_intervals_that_hold_too_little_or_too_much(narrow, verdict):
    found = verdicts(made_up(200, narrow=narrow))
    assert found["coverage of the 80 % intervals of remaining life"] == verdict
    row = next(r for r in checked(made_up(200, narrow=narrow)) if "80" in r.what)
    assert ("narrow" if narrow > 1 else "wide") in row.advice


def test_the_worst_third_is_found():
    measured = made_up(300)
    told, near = measured.told[FUSION], measured.left < 70
    sd = np.where(near, 0.4, np.where(measured.left > 105, 1.2, 1.0)) * told.spread
    found = {row.what: row for row in checked(with_line(measured, FUSION, normal_told(told.mean, sd)))}
    worst = found["coverage of the 50 % intervals of remaining life, worst third"]
    assert worst.verdict == "fail"
    assert "Intervals near failure are too narrow" in worst.advice
    mine = made_up(300).left
    edges = np.linspace(mine.min(), mine.max(), 4)
    inside = np.abs(mine - told.mean) <= 0.6744897501960817 * sd
    assert worst.value == pytest.approx(inside[mine < edges[1]].mean(), abs=0.003)


def test_lives_that_end_before_their_lower_bound():
    assert verdicts(made_up(200, late=8.0))["share of lives that end before their 5 % point"] == "fail"


def test_a_better_single_line_and_age_alone_are_noticed():
    measured = made_up()
    best = with_line(measured, "best", normal_told(measured.left + 0.1, np.ones(len(measured.left))))
    assert verdicts(best)["RMSE of the best single line less that of the fusion"] == "warn"
    same = with_line(measured, FUSION, measured.told["survivors"])
    found = verdicts(same)
    assert found["RMSE of age alone less that of the fusion"] == "fail"
    advice = [row.advice for row in checked(best) if "single" in row.what]
    assert advice[0].startswith("best alone errs less")


@pytest.mark.parametrize(("units", "verdict"), [(29, "warn"), (30, "pass")])
def test_few_units_are_noted(units, verdict):
    assert verdicts(made_up(units))["units held out for remaining life"] == verdict


@pytest.mark.parametrize(("silent", "verdict"), [(0, "pass"), (60, "warn"), (600, "fail")])
def test_rows_without_an_answer_are_counted(silent, verdict):
    measured = made_up()
    told = measured.told[FUSION]
    mean, quantile = told.mean.copy(), told.quantile.copy()
    mean[:silent], quantile[:silent] = np.nan, np.nan
    row = next(
        row
        for row in checked(with_line(measured, FUSION, told._replace(mean=mean, quantile=quantile)))
        if "without" in row.what
    )
    assert (row.value, row.verdict) == (pytest.approx(silent / 1200), verdict)


def test_no_answer_at_all_fails_and_asks_nothing_else():
    measured = made_up(30, 2)
    told = measured.told[FUSION]
    mute = told._replace(mean=np.full(60, np.nan), quantile=np.full((60, 99), np.nan))
    found = verdicts(with_line(measured, FUSION, mute))
    assert list(found.values()) == ["pass", "fail"]


def test_rows_of_a_real_prognosis_join_those_of_its_fit():
    rows = check_prognosis(prognosis(), held_out(prognosis()))
    first = Row("ran to its end", 1.0, "1", "pass", "")
    joined = Diagnosis((first,)).joined(rows)
    assert joined.rows == (first, *rows)
    assert joined.joined(rows) == joined
    assert {row.what: row.verdict for row in rows}["units held out for remaining life"] == "warn"
