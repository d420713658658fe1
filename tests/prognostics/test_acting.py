"""The cost of acting, by hand, by enumeration, and in closed form."""

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.prognostics.acting import acting, median_life, usual_costs
from neurolatent.prognostics.calibration import LEVELS
from neurolatent.prognostics.measures import Measured
from neurolatent.prognostics.prognosis import FUSION
from neurolatent.prognostics.row import Told
from tests.prognostics.fleets import known_fleet, prognosis
from tests.prognostics.told import made_up, normal_told, with_line


def test_costs_by_hand():
    """Two looks at one unit, one at another; quantiles are 1, 2, ..., 99 cycles, so level q plans for 100 q cycles."""
    quantile = np.tile(100 * LEVELS, (3, 1))
    measured = Measured(
        {FUSION: Told(np.full(3, 50.0), np.ones(3), quantile, np.zeros(3))},
        np.array([10.0, 30.0, 60.0]), np.array([7, 7, 9]), np.zeros(3), 99.0,
    )  # fmt: skip
    found = acting(measured, 40.0)
    at = {10: (0 + 20) / 2, 20: (40 + 10) / 2, 61: (40 + 40) / 2}
    other = {10: 50, 20: 40, 61: 40}
    for planned, cost in at.items():
        assert found.cost[planned - 1] == pytest.approx((cost + other[planned]) / 2)
    assert found.failed[19] == pytest.approx((0.5 + 0) / 2)
    assert found.given_up[19] == pytest.approx((10 / 2 + 40) / 2)
    np.testing.assert_allclose(found.cost, found.given_up + 40 * found.failed)


@pytest.mark.parametrize("failure", [3.0, 30.0])
def test_every_quantile_against_a_loop(failure):
    measured = made_up(10, 3)
    found = acting(measured, failure)
    told = measured.told[FUSION].quantile
    for n in (0, 20, 98):
        costs = [failure if left < plan else left - plan for left, plan in zip(measured.left, told[:, n], strict=True)]
        assert found.cost[n] == pytest.approx(np.mean(costs))
    assert found.cost[found.best] == found.cost.min()
    low, high = found.nearly
    assert low <= LEVELS[found.best] <= high


def test_dearer_failures_are_acted_on_earlier():
    measured = made_up(200)
    best = [acting(measured, cost).best for cost in (2.0, 20.0, 200.0)]
    assert best[0] > best[1] > best[2]


def test_uniform_lives_have_their_best_plan_at_the_edge_that_the_cost_decides():
    """Life uniform in [0, 100]: the cost of planning for t is (100 - t)^2 / 200 + C t / 100, least at t = 100 - C."""
    left = np.linspace(0, 100, 20001)
    told = Told(np.full(20001, 50.0), np.ones(20001), np.tile(100 * LEVELS, (20001, 1)), np.zeros(20001))
    measured = Measured({FUSION: told}, left, np.zeros(20001, int), np.zeros(20001), 100.0)
    for failure in (20.0, 70.0):
        found = acting(measured, failure)
        plan = 100 * LEVELS
        np.testing.assert_allclose(found.cost, (100 - plan) ** 2 / 200 + failure * plan / 100, atol=0.02)
        assert LEVELS[found.best] == pytest.approx(1 - failure / 100, abs=0.011)


def test_rows_without_an_answer_have_no_part():
    measured = made_up(4, 5)
    told = measured.told[FUSION]
    mean, quantile = told.mean.copy(), told.quantile.copy()
    mean[5:10], quantile[5:10] = np.nan, np.nan
    keep = np.r_[0:5, 10:20]
    rest = Measured(
        {FUSION: Told(*(leaf[keep] for leaf in told))},
        measured.left[keep],
        measured.unit[keep],
        measured.life[keep],
        1.0,
    )
    mute = with_line(measured, FUSION, told._replace(mean=mean, quantile=quantile))
    np.testing.assert_allclose(acting(mute, 9.0).cost, acting(rest, 9.0).cost)
    silent = with_line(measured, FUSION, normal_told(np.full(20, np.nan), np.ones(20)))
    with pytest.raises(InputError, match="fusion has no answer at any row"):
        acting(silent, 9.0)


@pytest.mark.parametrize("failure", [0.0, -1.0, np.inf, np.nan])
def test_costs_that_are_none_are_refused(failure):
    with pytest.raises(InputError, match="the cost of a failure must be above 0 and finite"):
        acting(made_up(2, 2), failure)


def test_usual_costs_are_shares_of_the_median_life():
    life = float(np.median(known_fleet().lengths - 1))
    assert median_life(prognosis()) == life
    assert usual_costs(prognosis(), (0.5, 2.0)) == (float(f"{0.5 * life:.1g}"), float(f"{2 * life:.1g}"))
