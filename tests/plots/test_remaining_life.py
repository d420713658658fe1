"""Figures of remaining life show the values they were given, name axes and units, and keep legends off the data."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.stats import norm

from neurolatent import plots
from tests.plots.test_plots import drawn, legend, texts

LEVELS = np.arange(1, 100) / 100


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


def quantiles(mean, sd) -> np.ndarray:
    return np.asarray(mean)[:, None] + np.asarray(sd)[:, None] * norm.ppf(LEVELS)


def ends_at(collection, x: float) -> tuple[float, float]:
    vertices = np.concatenate([path.vertices for path in collection.get_paths()])
    at = vertices[vertices[:, 0] == x][:, 1]
    return at.min(), at.max()


def legend_is_above(ax) -> None:
    FigureCanvasAgg(ax.figure).draw()
    box = ax.get_legend().get_window_extent()
    assert box.y0 >= ax.bbox.y1 - 1
    assert box.x1 <= ax.figure.bbox.x1


# --- one unit, and the fleet ------------------------------------------------------------------------------------------


def test_bands_hold_what_they_are_named_after(ax):
    time, mean, sd = np.arange(0.0, 50, 10), np.linspace(60, 20, 5), np.linspace(9, 1, 5)
    plots.life_curve(time, quantiles(mean, sd), LEVELS, truth=mean + 1, horizon=30, unit="cycles", ax=ax)
    assert [c.get_label() for c in ax.collections] == ["90 %", "80 %", "50 %"]
    for band, mass in zip(ax.collections, (0.9, 0.8, 0.5), strict=True):
        half = norm.ppf(0.5 + mass / 2)
        np.testing.assert_allclose(ends_at(band, 20.0), [40 - half * sd[2], 40 + half * sd[2]])
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(lines["median"].get_ydata(), mean)
    np.testing.assert_array_equal(lines["truth"].get_ydata(), mean + 1)
    assert lines["truth"].get_linestyle() == "--"
    assert list(lines["horizon (30)"].get_ydata()) == [30, 30]
    assert texts(ax) == ["now"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (cycles)", "remaining life (cycles)")
    legend_is_above(ax)


def test_curves_without_truth_horizon_or_answers_are_drawn(ax):
    found = quantiles([30.0, 20, 10], [1.0, 1, 1])
    found[1] = np.nan
    plots.life_curve([1.0, 2, 3], found, LEVELS, is_over=True, ax=ax)
    assert legend(ax) == ["90 %", "80 %", "50 %", "median"]
    assert texts(ax) == []
    assert np.isnan(ax.lines[0].get_ydata()[1])
    drawn(ax)


def test_fleet_has_a_bar_for_each_unit_the_first_on_top(ax):
    low, median, high = [1.0, 5, np.nan], [2.0, 8, np.nan], [4.0, 12, np.nan]
    risk = ["≥ 0.99", "0.40", "–"]
    plots.fleet_overview(["a", "b", "c"], low, median, high, horizon=6.0, risk=risk, truth=[3.0, 7, 9], unit="h", ax=ax)
    bars = next(c for c in ax.collections if c.get_label() == "90 % interval")
    np.testing.assert_array_equal(bars.get_segments()[:2], [[[1, 0], [4, 0]], [[5, 1], [12, 1]]])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert texts(ax) == risk
    assert legend(ax) == ["horizon: 6 (h)", "90 % interval", "median", "truth"]
    assert ax.get_xlabel() == "remaining life (h)"
    legend_is_above(ax)


# --- trust ------------------------------------------------------------------------------------------------------------


def test_coverage_is_drawn_as_difference_to_the_promise(ax):
    promised = np.array([0.1, 0.5, 0.9])
    plots.coverage_by_group(promised, {"overall": [0.1, 0.55, 0.9], "near": [0.0, 0.5, 0.8]}, ax=ax)
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(lines["overall"].get_ydata(), [0, 5, 0], atol=1e-9)
    np.testing.assert_allclose(lines["near"].get_ydata(), [-10, 0, -10])
    assert lines["near"].get_marker() != lines["overall"].get_marker(), "groups are told apart in grey"
    assert ax.get_ylim()[0] < -10
    legend_is_above(ax)


def test_probabilities_are_counted(ax):
    plots.probability_histogram([0.05, 0.15, 0.15, 0.95, np.nan], bins=10, ax=ax)
    np.testing.assert_allclose([p.get_height() for p in ax.patches], np.array([1, 2, 0, 0, 0, 0, 0, 0, 0, 1]) * 2.5)


def test_truths_stand_over_the_announced_band(ax):
    estimate = np.append(np.linspace(1, 120, 240), np.nan)
    plots.estimate_and_truth(estimate, estimate + 3, estimate - 9, estimate + 9, unit="cycles", ax=ax)
    points = next(line for line in ax.lines if line.get_label() == "held-out rows")
    np.testing.assert_allclose(points.get_ydata() - points.get_xdata(), 3)
    vertices = ax.collections[0].get_paths()[0].vertices
    gap = vertices[:, 1] - vertices[:, 0]
    np.testing.assert_allclose(np.unique(gap.round(6)), [-9, 9])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("estimated remaining life (cycles)", "true remaining life (cycles)")
    legend_is_above(ax)


def test_accuracy_stands_in_the_middle_of_its_bin(ax):
    plots.accuracy_curve(np.array([0, 0.5, 1]), {"fusion": [1.0, 0.25], "age": [0.5, np.nan]}, alpha=0.2, ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[25, 100], [75, 25]])
    assert ax.get_ylabel() == "estimates within 20 % of the truth"
    legend_is_above(ax)


# --- acting, lines ----------------------------------------------------------------------------------------------------


def test_the_least_of_each_cost_curve_is_marked(ax):
    costs = {50.0: (LEVELS - 0.2) ** 2 + 1, 100.0: (LEVELS - 0.05) ** 2 + 3}
    plots.cost_curves(LEVELS, costs, unit="cycles", ax=ax)
    marks = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(marks, [[20, 1], [5, 3]])
    assert legend(ax) == ["50: 20 %", "100: 5 %"]
    assert ax.lines[0].get_linestyle() != ax.lines[2].get_linestyle(), "curves are told apart in grey"
    assert ax.get_ylabel() == "mean cost per unit (cycles)"
    legend_is_above(ax)


def test_differences_are_drawn_against_a_line(ax):
    table = pd.DataFrame({"difference": [-1.0, 2.0], "difference_low": [-2.0, 1.0], "difference_high": [0.5, 3.0]})
    plots.comparison_dots(table, "difference", unit="h", arms=["a", "b"], label="RMSE less x", reference=0.0, ax=ax)
    assert ax.get_xlabel() == "RMSE less x (h)"
    assert list(ax.lines[0].get_xdata()) == [0.0, 0.0]
    np.testing.assert_array_equal(ax.collections[0].get_segments()[1], [[1.0, 1], [3.0, 1]])
    legend_is_above(ax)
