"""What intervals hold, against closed forms and counts by hand."""

import numpy as np
import pytest
from scipy.stats import norm

from neurolatent.prognostics.calibration import LEVELS
from neurolatent.prognostics.measures import Measured, line_figures
from neurolatent.prognostics.prognosis import FUSION
from neurolatent.prognostics.row import Told
from neurolatent.prognostics.trust import (
    accuracy_along_life,
    coverage_by_third,
    coverage_table,
    groups_of,
    probability_integral,
)
from tests.prognostics.told import made_up, normal_told, with_line


def test_coverage_of_known_distributions_is_what_was_promised():
    promised = np.array([0.1, 0.5, 0.95])
    for values in coverage_by_third(made_up(500), promised).values():
        np.testing.assert_allclose(values, promised, atol=0.03)


def test_table_agrees_with_the_figures_of_the_line():
    measured = made_up()
    table, figures = coverage_table(measured).set_index("group"), line_figures(measured, FUSION)
    for mass in ("50", "80", "90"):
        assert table.loc["all", f"coverage{mass}"] == pytest.approx(figures[f"coverage{mass}"])
        for third in ("near", "middle", "far"):
            assert table.loc[third, f"coverage{mass}"] == pytest.approx(figures[f"coverage{mass}.{third}"])
    assert table.loc["all", "late_bound"] == pytest.approx(figures["late_bound"])
    assert table.loc["all", "width80"] == pytest.approx(figures["width80"])
    assert table["rows"].tolist()[0] == table["rows"].sum() / 2 == 1200
    assert table.loc["near", "to"] < table.loc["middle", "from"] < table.loc["far", "from"]


def test_rows_without_an_answer_are_in_no_group():
    measured = made_up()
    told = measured.told[FUSION]
    mean, quantile = told.mean.copy(), told.quantile.copy()
    mean[::3], quantile[::3] = np.nan, np.nan
    mute = with_line(measured, FUSION, told._replace(mean=mean, quantile=quantile))
    assert not any(rows[::3].any() for rows in groups_of(mute).values())
    assert np.isnan(probability_integral(mute)[::3]).all()
    assert coverage_table(mute)["rows"][0] == 800


def test_probability_integral_is_the_distribution_function():
    measured = made_up()
    told = measured.told[FUSION]
    want = norm.cdf((measured.left - told.mean) / told.spread)
    inside = (want > 0.02) & (want < 0.98)
    np.testing.assert_allclose(probability_integral(measured)[inside], want[inside], atol=2e-3)


def test_probability_integral_at_the_ends_and_where_quantiles_are_equal():
    quantile = np.array([np.r_[np.zeros(40), np.arange(1.0, 60)], np.arange(1.0, 100), np.arange(1.0, 100)])
    told = Told(np.ones(3), np.ones(3), quantile, np.zeros(3))
    left = np.array([0.0, 0.5, 200.0])
    measured = Measured({FUSION: told}, left, np.arange(3), np.zeros(3), 100.0)
    np.testing.assert_allclose(probability_integral(measured), [0.2, 0.005, 0.995])
    middle = measured._replace(left=np.array([1.0, 50.0, 50.5]))
    np.testing.assert_allclose(probability_integral(middle), [LEVELS[40], 0.5, 0.505])


def test_accuracy_along_life_is_counted_by_bins():
    told = normal_told(np.array([10.0, 12.0, 13.0, 5.0, np.nan]), np.ones(5))
    measured = Measured(
        {"x": told}, np.array([10.0, 10.0, 10.0, 10.0, 10.0]), np.arange(5), np.array([0, 0.1, 0.3, 1, 0.3]), 99.0
    )
    got = accuracy_along_life(measured, "x", alpha=0.2, edges=np.array([0, 0.25, 0.5, 0.75, 1.0]))
    np.testing.assert_array_equal(got, [1.0, 0.0, np.nan, 0.0])
