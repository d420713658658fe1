"""What is measured of a prognosis, by hand on made-up answers and by law on the small fleet."""

import numpy as np
import pytest
from scipy.stats import norm

from neurolatent.prognostics.calibration import LEVELS
from neurolatent.prognostics.measures import Measured, comparison, flat_figures, held_out, line_figures, on_running
from neurolatent.prognostics.prognosis import FUSION, WITHOUT_STATES
from neurolatent.prognostics.row import Told
from neurolatent.prognostics.scores import acting_cost, alpha_lambda, interval_of, pinball_crps
from tests.prognostics.fleets import SETTINGS, fleet, prognosis, running
from tests.recording.refusals import refuses


def told(mean: np.ndarray, half_width: float) -> Told:
    """Uniform distributions around an estimate."""
    quantile = mean[:, None] + half_width * (2 * LEVELS - 1)
    return Told(mean, np.ones(len(mean)), quantile, np.zeros(len(mean)))


def made_up() -> Measured:
    left = np.array([10.0, 20.0, 50.0, 60.0, 90.0, 100.0])
    lines = {
        FUSION: told(left + [1.0, -2.0, 3.0, 0.0, 5.0, -5.0], 10.0),
        "rough": told(left + [10.0, -20.0, 30.0, 0.0, 50.0, -50.0], 10.0),
        "silent": told(np.full(6, np.nan), 10.0),
    }
    return Measured(lines, left, np.array([0, 0, 1, 1, 2, 2]), np.full(6, np.nan), 95.0)


def test_figures_of_a_line_by_hand():
    got = line_figures(made_up(), FUSION)
    error = np.array([1.0, -2.0, 3.0, 0.0, 5.0, -5.0])  # the last two estimates stand at the cap
    assert got["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert got["rmse_capped95"] == pytest.approx(np.sqrt(np.mean(np.square([1.0, -2, 3, 0, 5, 0]))))
    assert got["coverage50"] == 1.0  # half width 5, and no error is larger
    assert got["coverage50.near"] == 1.0
    assert got["width80"] == pytest.approx(16.0)
    assert got["late_bound"] == 0.0
    assert line_figures(made_up(), "rough")["coverage90"] == pytest.approx(1 / 6)
    assert line_figures(made_up(), "rough")["late_bound"] == pytest.approx(3 / 6)  # 10, 30 and 50 too late
    assert line_figures(made_up(), "silent") == {"answered": 0.0}


def test_flat_names_put_the_line_before_the_figure():
    measured = made_up()
    arm = measured._replace(told={**measured.told, "no_knowledge.fusion": measured.told["rough"]})
    got = flat_figures(arm, "cv.")
    assert got["cv.rul.rmse"] < got["cv.rough.rul.rmse"] == got["cv.no_knowledge.rul.rmse"]


def test_comparison_is_paired_over_units():
    table = comparison(made_up(), seed=0).set_index("line")
    assert list(table.index) == [FUSION, "rough"]
    assert table.loc[FUSION, ["difference", "difference_low", "difference_high"]].tolist() == [0.0, 0.0, 0.0]
    rough = table.loc["rough"]
    assert rough["difference"] == pytest.approx(rough["rmse_capped95"] - table.loc[FUSION, "rmse_capped95"])
    assert 0 < rough["difference_low"] <= rough["difference"] <= rough["difference_high"]
    assert comparison(made_up(), seed=0).equals(comparison(made_up(), seed=0))


def test_a_line_that_answers_where_it_is_easy_is_compared_there():
    """It errs more than the fusion wherever both answer, and less than the fusion does over all rows."""
    measured = made_up()
    error = np.array([1.5, -2.5, np.nan, np.nan, np.nan, np.nan])
    shy = told(measured.left + error, 10.0)
    hard = told(measured.left + [1.0, -2.0, 30.0, 30.0, -30.0, -30.0], 10.0)
    table = comparison(measured._replace(told={FUSION: hard, "shy": shy}), seed=0).set_index("line")
    assert table.loc["shy", "rmse"] < table.loc[FUSION, "rmse"]
    want = np.sqrt((1.5**2 + 2.5**2) / 2) - np.sqrt((1 + 4) / 2)
    row = table.loc["shy", ["difference", "difference_low", "difference_high"]]
    np.testing.assert_allclose(row.to_numpy(float), want)  # one unit alone: every sample that has it is the same


def test_bootstrap_interval_is_that_of_resampled_units():
    """Three units: all 27 samples, listed."""
    measured = made_up()
    error = np.minimum(measured.told[FUSION].mean, 95.0) - measured.left
    squares = np.array([np.sum(error[measured.unit == u] ** 2) for u in range(3)])
    all_samples = [np.sqrt(squares[[a, b, c]].sum() / 6) for a in range(3) for b in range(3) for c in range(3)]
    row = comparison(measured, seed=0).iloc[0]
    assert row["rmse_low"] in [pytest.approx(v) for v in all_samples]
    np.testing.assert_allclose([row["rmse_low"], row["rmse_high"]], np.quantile(all_samples, [0.05, 0.95]), atol=0.3)


def test_crps_of_a_uniform_distribution_has_a_closed_form():
    r"""For U(0, 1): :math:`y^2 - y + 1/3` inside."""
    levels = (np.arange(2000) + 0.5) / 2000
    truth = np.array([0.0, 0.3, 0.5, 1.0])
    got = pinball_crps(np.tile(levels, (4, 1)), levels, truth)
    np.testing.assert_allclose(got, truth**2 - truth + 1 / 3, atol=1e-3)


def test_crps_needs_no_more_levels_than_the_percent_points():
    r"""For N(m, s): :math:`s (z (2 F(z) - 1) + 2 f(z) - \pi^{-1/2})`, Gneiting and Raftery (2007), eq. 21."""
    truth = np.array([-3.5, -1.0, 0.0, 0.4, 2.0, 6.0])
    want = truth * (2 * norm.cdf(truth) - 1) + 2 * norm.pdf(truth) - 1 / np.sqrt(np.pi)
    got = pinball_crps(np.tile(norm.ppf(LEVELS), (6, 1)), LEVELS, truth)
    np.testing.assert_allclose(got, want, rtol=4e-3)
    np.testing.assert_allclose(pinball_crps(np.full((6, 99), 1.0), LEVELS, truth), np.abs(truth - 1))


def test_interval_alpha_lambda_and_cost_by_hand():
    low, high = interval_of(np.arange(1.0, 100)[None], LEVELS, 0.8)
    np.testing.assert_allclose([low[0], high[0]], [10.0, 90.0])
    assert alpha_lambda(np.array([8.0, 12.1, 0.0]), np.array([10.0, 10.0, 0.0])).tolist() == [1.0, 0.0, 1.0]
    cost = acting_cost(np.array([5.0, 15.0, 10.0]), np.array([10.0, 10.0, 10.0]), failure=100.0)
    assert cost.tolist() == [5.0, 100.0, 0.0]


def test_held_out_rows_are_measured_by_rows_that_learned_from_other_units():
    measured = held_out(prognosis())
    assert set(measured.told) == {FUSION, WITHOUT_STATES, *(r.name for r in SETTINGS.all)}
    assert ((measured.life >= 0) & (measured.life <= 1)).all()
    figures = line_figures(measured, FUSION)
    assert figures["answered"] == 1.0
    assert figures["rmse"] < line_figures(measured, "constant")["rmse"]
    assert abs(figures["coverage80"] - 0.8) < 0.15  # 12 units
    near = held_out(prognosis(), life_left=(0.0, 10.0))
    assert near.left.max() <= 10.0
    assert len(near.left) < len(measured.left)


def test_running_units_need_their_truth():
    with refuses("true remaining lives are needed"):
        on_running(prognosis(), fleet(2, seed=5))


def test_running_units_are_measured_at_their_last_row():
    units = running()
    measured = on_running(prognosis(), units)
    np.testing.assert_array_equal(measured.left, units.sequences["remaining"])
    np.testing.assert_array_equal(measured.told[FUSION].mean, prognosis().predict(units)["mean"].values)


def test_a_running_unit_that_is_refused_counts_as_unanswered():
    units = running()
    signal = units.signal("sensors")
    keep = np.ones(signal.observed.shape, bool)
    keep[units.slices()[2]] = False
    hurt = units.with_signal("sensors", signal.masked(keep))
    measured, whole = on_running(prognosis(), hurt), on_running(prognosis(), units)
    assert line_figures(measured, FUSION)["answered"] == 0.75
    np.testing.assert_array_equal(measured.left, whole.left)
    others = [0, 1, 3]
    np.testing.assert_array_equal(measured.told[FUSION].quantile[others], whole.told[FUSION].quantile[others])


def test_only_the_lines_asked_for_are_measured():
    some, whole = held_out(prognosis(), lines=(FUSION, "crossing")), held_out(prognosis())
    assert set(some.told) == {FUSION, "crossing"}
    np.testing.assert_array_equal(some.told["crossing"].quantile, whole.told["crossing"].quantile)
