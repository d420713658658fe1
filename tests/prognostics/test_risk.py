"""Risks against a slow twin; the table answers for all units, and never with a false 0 or 1."""

import numpy as np
import pytest

from neurolatent.prognostics import fleet_table
from neurolatent.prognostics.risk import COLUMNS, default_horizon, risk_table
from neurolatent.recording import Recording
from tests.prognostics.fleets import fitted, fleet, known_fleet, prognosis, running
from tests.recording.refusals import refuses


def slow_chance(levels: list[float], quantile: list[float], horizon: float) -> float:
    """P(life <= horizon) by walking along the quantiles, straight lines between them."""
    if horizon < quantile[0]:
        return levels[0]
    chance = levels[0]
    for n in range(len(levels) - 1):
        low, high = quantile[n], quantile[n + 1]
        if horizon >= high:
            chance = levels[n + 1]
        elif low <= horizon < high:
            chance = levels[n] + (levels[n + 1] - levels[n]) * (horizon - low) / (high - low)
    return chance


@pytest.mark.parametrize("horizon", [0.5, 4, 10.0, 17.25, 400])
def test_risk_and_life_are_those_of_the_quantiles(horizon):
    units = running(5)
    found = prognosis().predict(units)
    table = risk_table(prognosis(), units, horizon).set_index("unit")
    levels = found["level"].values.tolist()
    for n, unit in enumerate(found["sequence"].values):
        quantile, row = found["quantile"].values[n].tolist(), table.loc[unit]
        assert row["risk"] == pytest.approx(slow_chance(levels, quantile, horizon), abs=1e-12)
        assert 0.01 <= row["risk"] <= 0.99
        told = [row["rul_low"], row["rul_median"], row["rul_high"]]
        assert told == pytest.approx([quantile[levels.index(level)] for level in (0.05, 0.5, 0.95)])
        assert row["mean"] == found["mean"].values[n]


def test_the_greatest_danger_comes_first_equals_by_their_median():
    for horizon in (8.0, 400.0):
        table = risk_table(prognosis(), running(6), horizon)
        keys = list(zip(-table["risk"], table["rul_median"], strict=True))
        assert keys == sorted(keys)
    assert (table["risk"] == 0.99).all()


def test_states_are_those_of_the_fleet_table():
    units = running(4)
    states = fleet_table(fitted(), units).set_index("unit")
    table = risk_table(prognosis(), units, 10.0)
    assert tuple(table.columns) == COLUMNS
    for row in table.to_dict("records"):
        for name in ("last", "state", "state_probability", "fault_probability", "fault_since", "alarm", "failed"):
            np.testing.assert_equal(row[name], states.loc[row["unit"], name])


def mixed() -> Recording:
    """Two units that run, one that failed, one that no step of the preparation can take."""
    units = fleet(4, seed=11)
    kept = units.lengths - np.array([10, 0, 12, 9])
    kept[3] = 1
    return units.cut(0, kept).with_facts(failed=[False, True, False, False])


def test_failed_units_stand_last_and_refused_ones_before_them():
    units = mixed()
    found = prognosis().predict(units)
    table = risk_table(prognosis(), units, 10.0, predicted=without(found, units.ids[3], "its sensors are silent"))
    assert set(table["unit"][:2]) == {units.ids[0], units.ids[2]}
    assert table["unit"].tolist()[2:] == [units.ids[3], units.ids[1]]
    assert table["risk"].notna().tolist() == [True, True, False, False]
    assert "its sensors are silent" in table["note"][2]
    assert table["note"][3].startswith("its life is over")
    assert table.loc[3, ["risk", "rul_low", "rul_median", "rul_high", "mean"]].isna().all()
    assert table["last"][3] == units.lengths[1] - 1


def without(found, unit: str, reason: str):
    """A prediction in which one unit was refused."""
    kept = found.sel(point=found["sequence"].values != unit)
    return kept.drop_vars(["refused", "reason"]).assign(refused=("unanswered", [unit]), reason=("unanswered", [reason]))


def test_a_unit_too_short_for_the_states_is_still_told_its_life():
    units = mixed()
    row = risk_table(prognosis(), units, 10.0).set_index("unit").loc[units.ids[3]]
    assert np.isfinite(row["risk"])
    assert str(row["state"]) == "nan"
    assert "at least" in row["note"]


def test_curves_and_given_tables_give_the_same():
    it, units = prognosis(), running(3)
    want = risk_table(it, units, 12.0)
    curves = it.predict(units, every=5)
    again = risk_table(it, units, 12.0, predicted=curves, fleet=fleet_table(it.fit, units))
    np.testing.assert_array_equal(again.to_numpy(str), want.to_numpy(str))


@pytest.mark.parametrize("horizon", [0, -3.0, np.inf, np.nan, True])
def test_horizons_that_are_no_time_ahead_are_refused(horizon):
    with refuses("horizon must be above 0 and finite, got", "clock units (cycle)"):
        risk_table(prognosis(), running(1), horizon)


def test_default_horizon_is_a_share_of_the_median_life():
    lives = known_fleet().lengths - 1
    assert default_horizon(prognosis()) == float(f"{0.15 * np.median(lives):.1g}")
