"""The page with a prognosis: risks come first, all figures are those of the prognosis, doubts are said aloud."""

import functools
import re

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.prognostics.acting import acting, usual_costs
from neurolatent.prognostics.calibration import LEVELS
from neurolatent.prognostics.measures import Measured, comparison, held_out, on_running
from neurolatent.prognostics.prognosis import FUSION, WITHOUT_STATES
from neurolatent.prognostics.risk import risk_table
from neurolatent.prognostics.trust import coverage_table
from neurolatent.report import write_report
from neurolatent.report.lines import states_words
from neurolatent.report.outlook import Measurements
from neurolatent.report.risk import as_risk
from tests.prognostics.fleets import fitted, fleet, known_fleet, prognosis, running
from tests.report.fleets import trained_by_em
from tests.report.test_report import Page

HORIZON = 12


@functools.cache
def measured() -> Measurements:
    return Measurements(held_out(prognosis()), on_running(prognosis(), running()))


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """The page of running units whose truth is known."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    it = prognosis()
    written = write_report(it.fit, running(), path, prognosis=it, horizon=HORIZON, measured=measured(), most_units=2)
    return written.read_text("utf-8")


def table_of(text: str, caption: str) -> list[list[str]]:
    """The table whose caption begins so."""
    captions = re.findall(r"<caption>(.*?)</caption>", text)
    return Page(text).tables[next(n for n, c in enumerate(captions) if c.startswith(caption))]


def write(tmp_path, recording, **options) -> str:
    it = prognosis()
    path = write_report(it.fit, recording, tmp_path / "r.html", prognosis=it, most_units=0, **options)
    return path.read_text("utf-8")


def test_page_is_whole_small_and_needs_nothing_else(text):
    page = Page(text)
    assert page.faults == []
    assert page.open == []
    assert len(text) < 1_500_000
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs["href"][1:] for _, attrs in page.elements if (attrs.get("href") or "").startswith("#")]
    assert set(links) <= set(ids)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
    assert all(len(a.get("alt") or a.get("aria-label") or "") > 15 for a in page.all("svg", "img"))
    assert "nan" not in re.sub(r"<[^>]*>", " ", text[text.index("<body>") :]).lower().split()


def test_verdict_then_units_at_risk_then_the_rest(text):
    places = [text.index(f'id="{anchor}"') for anchor in ("verdict", "at-risk", "fleet", "acting", "trust", "lines")]
    assert places == sorted(places)
    table = risk_table(prognosis(), running(), HORIZON)
    likely = table["unit"][table["risk"] >= 0.5].tolist()
    said = f"{len(likely)} of 4 running units will more likely than not fail within 12 cycles: {', '.join(likely)}."
    assert likely
    assert said in text
    assert "Which units will fail within 12 cycles?" in text
    assert "the horizon that was asked for" in text


def test_fleet_is_sorted_by_risk_with_calibrated_lives(text):
    want = risk_table(prognosis(), running(), HORIZON).to_dict("records")
    rows = table_of(text, "All units, by risk")
    assert [row[0] for row in rows[1:]] == [row["unit"] for row in want]
    assert "life left*" not in text
    for row, told in zip(rows[1:], want, strict=True):
        assert row[2] == as_risk(told["risk"])
        lives = [told[name] for name in ("rul_median", "rul_low", "rul_high")]
        assert [float(cell) for cell in row[3:6]] == pytest.approx(lives, rel=6e-3)


def test_units_have_their_curve_and_their_risk_in_words(text):
    first = risk_table(prognosis(), running(), HORIZON).iloc[0]
    curves = [a["aria-label"] for a in Page(text).all("svg") if "Remaining life of unit" in a.get("aria-label", "")]
    assert len(curves) == 2
    assert curves[0].startswith(f"Remaining life of unit {first['unit']} over time")
    assert f"Risk to fail within 12 cycles: {as_risk(first['risk'])}" in text.replace("&gt;", ">")


def test_checks_of_the_prognosis_stand_among_those_of_the_fit(text):
    rows = {row[1]: row[0] for row in table_of(text, "Checks of the fit")}
    assert rows["units held out for remaining life"] == "warn"
    assert "EM converged" in rows
    assert text.index("units held out for remaining life") < text.index('id="at-risk"')


def test_coverages_and_their_warnings_are_those_of_the_held_out_units(text):
    found, want = table_of(text, "Held-out training units, by"), coverage_table(measured().held_out)
    for row, told in zip(found[1:], want.to_dict("records"), strict=True):
        for cell, mass in zip(row[4:7], (50, 80, 90), strict=True):
            value = told[f"coverage{mass}"]
            assert cell.startswith(f"{100 * value:.1f} %")
            assert ("▲" in cell or "▼" in cell) == (round(abs(value - mass / 100), 9) > 0.03)
    assert "Caution, intervals do not hold what they promise" in text, "twelve units are not calibrated by chance"
    assert len(table_of(text, "Units shown here whose truth is known")) >= 2


def test_all_lines_are_compared_and_the_states_are_not_praised(text):
    lines = comparison(measured().held_out, seed=0)
    found = table_of(text, "Held-out training units. Click")
    assert len(found) == 1 + len(lines)
    assert [float(row[1].split()[0]) for row in found[1:]] == pytest.approx(lines["rmse"].tolist(), rel=6e-3)
    assert "age alone" in {row[0] for row in found}
    assert len(table_of(text, "The 4 units shown here")) == len(found)


def test_words_on_states_follow_the_interval():
    lines = comparison(measured().held_out, seed=0).set_index("line")
    for low, high, words in ((0.1, 0.4, "help to tell"), (-0.4, -0.1, "do harm"), (-0.1, 0.1, "told from chance")):
        lines.loc[WITHOUT_STATES, ["difference_low", "difference_high"]] = low, high
        assert words in states_words(lines.reset_index(), "cycles")
    assert "is not known" in states_words(lines.drop(WITHOUT_STATES).reset_index(), "cycles")


def test_best_quantiles_are_those_of_the_costs(text):
    rows = table_of(text, "Best quantile to act at")
    for row, cost in zip(rows[1:], usual_costs(prognosis()), strict=True):
        found = acting(measured().held_out, cost)
        assert row[1].startswith(f"{100 * LEVELS[found.best]:.0f} %")
        assert float(row[4]) == pytest.approx(found.cost.min(), rel=6e-3)
        assert float(row[7]) == pytest.approx(acting(measured().held_out, cost, "survivors").cost.min(), rel=6e-3)


def test_weights_are_told(text):
    rows = {row[0]: row[1] for row in table_of(text, "Read-outs that the fusion joins")[1:]}
    assert {name.replace("_", " "): f"{weight:.2f}" for name, weight in prognosis().weights.items()} == rows


def test_horizon_is_chosen_and_explained_where_none_is_given(tmp_path):
    text = write(tmp_path, running().with_facts(remaining=[np.nan] * 4), measured=Measurements(measured().held_out))
    assert "No horizon was asked for, so it is 15 % of the median life of the training units" in text
    assert "Units shown here whose truth is known" not in text


def test_a_fleet_that_has_failed_is_told_no_risk(tmp_path):
    text = write(tmp_path, fleet(3, seed=3), measured=Measurements(measured().held_out))
    assert "None of the 3 units runs any more" in text
    assert [row[2] for row in table_of(text, "All units, by risk")[1:]] == ["–"] * 3


def test_calibrated_intervals_are_not_warned_of_and_mute_ones_have_no_figures(tmp_path):
    from tests.prognostics.told import made_up

    text = write(tmp_path, running(), measured=Measurements(made_up(300)))
    assert "hold what they promise within 3 points" in text
    held = made_up(2, 2)
    told = held.told[FUSION]
    mute = Measured({FUSION: told._replace(mean=np.full(4, np.nan), quantile=np.full((4, 99), np.nan))}, *held[1:])
    text = write(tmp_path, running(), measured=Measurements(mute))
    assert "No held-out row had an answer" in text
    assert Page(text).faults == []


def test_risks_at_the_ends_of_the_quantiles():
    assert [as_risk(r) for r in (0.01, 0.0149, 0.5, 0.985, 0.99)] == ["≤ 0.01", "0.01", "0.50", "0.98", "≥ 0.99"]


def test_what_does_not_belong_together_is_refused(tmp_path):
    it = prognosis()
    with pytest.raises(InputError, match="the prognosis belongs to another fit"):
        write_report(trained_by_em()[0], trained_by_em()[1], tmp_path / "r.html", prognosis=it)
    with pytest.raises(InputError, match="horizon must be above 0 and finite, got 0"):
        write_report(it.fit, running(), tmp_path / "r.html", prognosis=it, horizon=0)
    with pytest.raises(InputError, match="and none is given: give prognosis too"):
        write_report(fitted(), known_fleet(), tmp_path / "r.html", horizon=3.0)
