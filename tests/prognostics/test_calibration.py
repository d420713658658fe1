"""Predictive distributions of remaining life against a slow twin, and their coverage on units never seen."""

import numpy as np
import pytest

from neurolatent.prognostics.calibration import (
    CHECKED,
    LEVELS,
    Calibration,
    Past,
    alone,
    calibrate,
    chance_below,
    quantiles,
    thirds,
)
from neurolatent.prognostics.scores import interval_of


def fleet_of_errors(units: int, per_unit: int, seed: int) -> tuple[np.ndarray, ...]:
    """Estimate, spread, life, weight, unit: errors grow with life, and each unit has an offset of its own."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), per_unit)
    life = rng.uniform(0, 100, units * per_unit)
    offset = rng.normal(size=units)[unit]
    estimate = np.clip(life + (2 + 0.1 * life) * (0.6 * offset + 0.8 * rng.normal(size=len(life))), 0, 90)
    return estimate, np.full(len(life), 3.0), life, np.full(len(life), 1 / per_unit), unit


def plain(seed: int = 0, neighbours: float = 0.2) -> tuple[Calibration, tuple[np.ndarray, ...]]:
    data = fleet_of_errors(12, 5, seed)
    found = calibrate(Past(*data), neighbours=neighbours)
    return found._replace(stretch=np.ones_like(found.stretch)), data


def twin(calibration: Calibration, estimate: float, spread: float, unit: int | None) -> np.ndarray:
    """One row in plain steps: kernel weights, own unit silenced, weighted quantiles at the middle of each mass."""
    distance = [abs(estimate - m) for m in calibration.estimate]
    reach = int(np.ceil(float(calibration.neighbours) * len(distance)))
    width = sorted(d for d, u in zip(distance, calibration.unit, strict=True) if u != unit)[reach - 1]
    weight = [w * np.exp(-0.5 * (d / width) ** 2) for w, d in zip(calibration.weight, distance, strict=True)]
    weight = [0.0 if u == unit else w for w, u in zip(weight, calibration.unit, strict=True)]
    places, total = [], 0.0
    for w in weight:
        places.append(total + w / 2)
        total += w
    return np.maximum(estimate + spread * np.interp(LEVELS, np.array(places) / total, calibration.error), 0.0)


@pytest.mark.parametrize("row", [0, 7, 31, 59])
@pytest.mark.parametrize("silence", [False, True])
def test_quantiles_match_the_plain_steps(row, silence):
    calibration, (estimate, spread, _, _, unit) = plain()
    own = unit[[row]] if silence else None
    got = quantiles(calibration, estimate[[row]], spread[[row]], unit=own)[0]
    np.testing.assert_allclose(got, twin(calibration, estimate[row], spread[row], unit[row] if silence else None))


def test_where_only_the_own_rows_are_near_the_others_speak_from_afar():
    """Two units far apart: neither is left without a distribution."""
    estimate = np.array([1.0, 1.1, 1.2, 90.0, 90.1, 90.2])
    unit = np.array([0, 0, 0, 1, 1, 1])
    found = calibrate(Past(estimate, np.ones(6), estimate + [1, 2, 3, -1, -2, -3.0], np.ones(6), unit), neighbours=0.2)
    got = quantiles(found, estimate, np.ones(6), unit=unit)
    assert np.isfinite(got).all()
    assert (got[3:, 50] > estimate[3:]).all(), "the other unit lived longer than told"


def test_a_unit_does_not_speak_for_itself():
    calibration, (estimate, spread, _, _, unit) = plain()
    mine = calibration.unit == 3
    other = calibration._replace(error=np.where(mine, calibration.error + 0.0, calibration.error))
    moved = other._replace(weight=np.where(mine, 50.0, calibration.weight))
    rows = unit == 3
    a = quantiles(calibration, estimate[rows], spread[rows], unit=unit[rows])
    b = quantiles(moved, estimate[rows], spread[rows], unit=unit[rows])
    np.testing.assert_allclose(a, b, atol=1e-9)
    assert not np.allclose(quantiles(moved, estimate[rows], spread[rows]), b)


def test_with_all_rows_alike_it_is_the_distribution_of_errors():
    rng = np.random.default_rng(0)
    error = rng.normal(size=4000)
    even = np.full(4000, 50.0)
    found = calibrate(Past(even, np.ones(4000), 50 + error, np.ones(4000), np.arange(4000)), neighbours=1.0)
    got = quantiles(found._replace(stretch=np.ones_like(found.stretch)), np.array([50.0]), np.ones(1))[0]
    np.testing.assert_allclose(got, 50 + np.quantile(error, LEVELS), atol=0.02)


def test_quantiles_rise_and_are_no_negative_lives():
    data = fleet_of_errors(20, 6, 1)
    found = calibrate(Past(*data), neighbours=0.1)
    got = quantiles(found, np.linspace(-1, 95, 40), np.full(40, 5.0))
    assert (np.diff(got, axis=1) >= 0).all()
    assert (got >= 0).all()


def test_intervals_cover_on_new_units_overall_and_in_each_third():
    """A thousand new units of the same kind: four standard errors, units counted, on top of what calibrating costs."""
    found = calibrate(Past(*fleet_of_errors(300, 8, 2)), neighbours=0.1)
    estimate, spread, life, _, _ = fleet_of_errors(1000, 3, 3)
    got = quantiles(found, estimate, spread)
    for mass in CHECKED:
        low, high = (np.array([np.interp(0.5 + s * mass / 2, LEVELS, row) for row in got]) for s in (-1, 1))
        inside = (low <= life) & (life <= high)
        for group in (np.ones(len(life), bool), *thirds(life)):
            slack = 4 * np.sqrt(mass * (1 - mass) / (group.sum() / 3)) + 0.02
            assert abs(inside[group].mean() - mass) < slack, mass


def capped(rows: int, seed: int) -> tuple[np.ndarray, ...]:
    """Estimates that tell lives apart below 60 alone, as those of early life do."""
    rng = np.random.default_rng(seed)
    life = rng.uniform(0, 100, rows)
    estimate = np.clip(life + (3 + 0.15 * life) * rng.normal(size=rows), 0, 60)
    return estimate, np.full(rows, 3.0), life, np.ones(rows), np.arange(rows)


def test_the_stretch_mends_coverage_given_the_truth():
    """Where the estimate is capped, given it intervals hold without the stretch; given the truth they do not."""
    found = calibrate(Past(*capped(2000, 0)), neighbours=0.1)
    estimate, spread, life, _, _ = capped(5000, 1)

    def miss(calibration: Calibration) -> float:
        got = quantiles(calibration, estimate, spread)
        inside = (got[:, 24] <= life) & (life <= got[:, 74])
        return max(abs(inside[g].mean() - 0.5) for g in thirds(life))

    without = miss(found._replace(stretch=np.ones_like(found.stretch)))
    assert without > 0.1
    assert miss(found) < 0.6 * without


def test_chance_below_is_the_quantile_function_turned_round():
    rows = np.stack([np.linspace(10, 108, 99), np.full(99, np.nan), np.concatenate([np.zeros(50), np.arange(1.0, 50)])])
    np.testing.assert_allclose(chance_below(rows, 58.0), [0.49, np.nan, 0.99])
    np.testing.assert_allclose(chance_below(rows, 5.0), [0.0, np.nan, 0.55])
    np.testing.assert_allclose(chance_below(rows, 1000.0), [0.99, np.nan, 0.99])


def test_thirds_are_of_the_range():
    near, middle, far = thirds(np.array([0.0, 29.0, 31.0, 59.0, 61.0, 90.0]))
    assert near.tolist() == [True, True, False, False, False, False]
    assert middle.tolist() == [False, False, True, True, False, False]
    assert far.tolist() == [False, False, False, False, True, True]


def test_what_rows_say_of_one_another_is_the_calibration_without_its_stretch():
    """Two spreads at once, each by the same steps as alone."""
    estimate, _, life, weight, unit = fleet_of_errors(12, 5, 4)
    pasts = [Past(estimate, spread, life, weight, unit) for spread in (np.full(60, 3.0), 1.0 + estimate / 50)]
    for past, found in zip(pasts, alone(pasts, neighbours=0.2), strict=True):
        made = calibrate(past, neighbours=0.2)
        plain = made._replace(stretch=np.ones_like(made.stretch))
        want = quantiles(plain, estimate, past.spread, unit=unit)
        np.testing.assert_allclose(np.maximum(found, 0.0), want, atol=1e-9)


def test_narrow_intervals_and_those_that_end_at_zero_are_not_too_wide():
    """Lives near zero, told within few steps: the lower ends of many intervals are cut."""

    def near_the_end(rows: int, seed: int) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(seed)
        life = rng.uniform(0, 30, rows)
        estimate = np.clip(life + rng.normal(size=rows) * (2 + life / 6), 0, 25)
        return estimate, np.full(rows, 6.0), life, np.ones(rows), np.arange(rows)

    found = calibrate(Past(*near_the_end(3000, 0)), neighbours=0.1)
    estimate, spread, life, _, _ = near_the_end(6000, 1)
    got = quantiles(found, estimate, spread)
    for mass in CHECKED:
        low, high = interval_of(got, LEVELS, mass)
        inside = (low <= life) & (life <= high)
        for group in (np.ones(6000, bool), thirds(life)[0]):
            assert abs(inside[group].mean() - mass) < 0.028, mass
