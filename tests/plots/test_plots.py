"""Every figure shows the values it was given, names its axes and units, and bears missing rows."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.stats import norm

from neurolatent import plots
from neurolatent.plots.calibration import LEVELS
from neurolatent.plots.states import runs_of
from neurolatent.plots.style import RAMP, RAMP_ON_DARK
from neurolatent.plots.transitions import as_probability
from neurolatent.plots.unit import Z90


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


def drawn(ax) -> None:
    """Draw it, so that whatever cannot be drawn fails here."""
    ax.figure.draw_without_rendering()


def texts(ax) -> list[str]:
    return [t.get_text() for t in ax.texts]


def legend(ax) -> list[str]:
    return [t.get_text() for t in ax.get_legend().get_texts()]


def luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


# --- style ------------------------------------------------------------------------------------------------------------


def test_style_holds_inside_the_block_only():
    before = dict(mpl.rcParams)
    with plots.house_style():
        assert mpl.rcParams["svg.fonttype"] == "none"
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("on_dark", [False, True])
@pytest.mark.parametrize("n_states", range(1, 9))
def test_state_colours_fall_in_lightness_so_that_grey_print_keeps_the_order(n_states, on_dark):
    colours = plots.state_colours(n_states, on_dark=on_dark)
    assert len(set(colours)) == n_states
    grey = [luminance(c) ** (1 / 3) for c in colours]
    assert all(a - b > 0.02 for a, b in zip(grey[:-1], grey[1:], strict=True))
    assert colours[0] == (RAMP_ON_DARK if on_dark else RAMP)[0]


# --- states -----------------------------------------------------------------------------------------------------------


def test_runs_skip_unknown_states():
    assert runs_of([-1, 0, 0, 1, -1, 1]) == [(0, 1, 3), (1, 3, 4), (1, 5, 6)]
    assert runs_of([]) == []


def test_ribbon_covers_each_stretch_and_names_it(ax):
    plots.state_ribbon(np.arange(10.0), [-1, 0, 0, 0, 0, 1, 1, 1, 1, 1], ["1", "2"], unit="cycle", ax=ax)
    spans = [p for p in ax.patches if isinstance(p, Rectangle)]
    assert [(p.get_x(), p.get_x() + p.get_width()) for p in spans] == [(0.5, 4.5), (4.5, 9.5)]
    assert texts(ax) == ["1", "2"]
    assert ax.get_xlabel() == "time (cycle)"
    drawn(ax)


def test_stacked_probabilities_reach_one_and_leave_missing_rows_empty(ax):
    values = np.array([[np.nan, np.nan], [0.25, 0.75], [0.5, 0.5]])
    plots.state_probabilities([1.0, 2.0, 3.0], values, ["1", "2"], unit="s", ax=ax)
    lower, upper = (c.get_paths()[0].vertices for c in ax.collections)
    assert lower[:, 0].min() == 2.0
    assert {tuple(v) for v in lower} >= {(2.0, 0.25), (3.0, 0.5), (2.0, 0.0)}
    assert {tuple(v) for v in upper} >= {(2.0, 0.25), (2.0, 1.0), (3.0, 1.0)}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "probability")
    drawn(ax)


def test_handles_name_all_states():
    assert [h.get_label() for h in plots.state_handles(["1", "2", "3"])] == ["state 1", "state 2", "state 3"]


# --- unit -------------------------------------------------------------------------------------------------------------


def view(**changes) -> plots.UnitView:
    time = np.arange(1.0, 21.0)
    y = np.linspace(1, 0, 20)
    y[4] = np.nan
    mean, sd = y + 0.01, np.full(20, 0.02)
    mean[0] = np.nan
    filtered = np.stack([y, 1 - y], axis=1)
    fan = plots.Fan(20 + np.arange(1.0, 4.0), np.linspace(-1, 0, 15).reshape(5, 3))
    fields = {
        "time": time, "clock_unit": "cycle", "state_names": ["1", "2"], "signals": {"health (–)": (y, mean, sd)},
        "filtered": filtered, "path": np.repeat([-1, 0, 1], [1, 9, 10]), "sensors": {"vibration (g)": y * 2},
        "alarm": 12.0, "fans": {"health (–)": fan},
    }  # fmt: skip
    return plots.UnitView(**{**fields, **changes})


def test_signal_and_band_are_the_values_given(ax):
    y, mean, sd = view().signals["health (–)"]
    plots.signal_with_band(np.arange(20.0), y, mean, sd, label="health (–)", unit="cycle", ax=ax)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), y)
    vertices = ax.collections[0].get_paths()[-1].vertices
    at = vertices[vertices[:, 0] == 10.0][:, 1]
    np.testing.assert_allclose([at.min(), at.max()], [mean[10] - Z90 * 0.02, mean[10] + Z90 * 0.02])
    assert pytest.approx(norm.ppf(0.95)) == Z90
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("health (–)", "time (cycle)")


def test_fan_shows_its_quantiles_inner_bands_darker(ax):
    fan = view().fans["health (–)"]
    plots.forecast_fan(fan, label="health (–)", unit="cycle", ax=ax)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), fan.quantile[2])
    assert [c.get_label() for c in ax.collections] == ["90 % of forecasts", "50 % of forecasts"]
    assert ax.collections[0].get_alpha() < ax.collections[1].get_alpha()
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("health (–)", "time (cycle)")


def test_unit_figure_has_all_panels_on_one_clock():
    figure = Figure(layout="constrained")
    panels = plots.unit_figure(view(), figure=figure)
    assert len(panels) == 4
    assert {ax.get_xlim() for ax in panels} == {(0.5, 23.5)}
    assert panels[-1].get_xlabel() == "time (cycle)"
    assert panels[0].get_ylabel() == "health (–)"
    assert panels[-1].get_title(loc="left") + panels[-1].get_title() == "vibration (g)"
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    assert labels == list(dict.fromkeys(labels))
    assert {"observed", "90 % one-step band", "alarm", "forecast median", "state 1", "state 2"} <= set(labels)
    alarms = [line for line in panels[0].lines if line.get_label() == "alarm"]
    assert list(alarms[0].get_xdata()) == [12.0, 12.0]
    figure.draw_without_rendering()


def test_unit_figure_without_alarm_sensors_or_forecast():
    figure = Figure(layout="constrained")
    panels = plots.unit_figure(view(alarm=float("nan"), sensors={}, fans={}), figure=figure)
    assert len(panels) == 3
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    assert "alarm" not in labels
    figure.draw_without_rendering()


def test_no_words_of_the_unit_figure_overlap():
    with plots.house_style():
        figure = Figure(layout="constrained")
        panels = plots.unit_figure(view(), figure=figure)
        FigureCanvasAgg(figure).draw()
        words = [t for ax in panels for t in (ax.title, ax._left_title, ax.yaxis.label, ax.xaxis.label)]
        boxes = [t.get_window_extent() for t in words if t.get_text()]
        boxes.append(figure.legends[0].get_window_extent())
    for number, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[number + 1 :])
        assert figure.bbox.x0 <= one.x0
        assert one.x1 <= figure.bbox.x1 + 1


# --- convergence, calibration, transitions ----------------------------------------------------------------------------


def test_objective_of_each_restart(ax):
    values = np.array([[1.0, 2.0, np.nan], [0.5, 2.5, 3.0]])
    plots.objective_trace(values, best=1, ax=ax)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), values[1])
    assert list(ax.lines[0].get_xdata()) == [1, 2, 3]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step of EM", "objective (nats)")
    assert legend(ax) == ["other restarts (1)", "restart 2, kept"]
    drawn(ax)


def test_noisy_objective_stands_behind_its_moving_mean(ax):
    values = np.append(np.arange(200.0), np.nan)
    plots.objective_trace([values], engine="SVI", noisy=True, ax=ax)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), values)
    np.testing.assert_allclose(ax.lines[1].get_ydata()[[0, 10, 200]], [0.0, 8.5, 198.0])
    assert ax.get_xlabel() == "step of SVI"
    assert legend(ax) == ["each step", "mean of 4 steps"]
    drawn(ax)


def test_a_first_climb_does_not_hide_what_follows():
    values = np.r_[np.full(3, -1e6), np.linspace(-10.0, 0.0, 97)]
    ax = plots.objective_trace([values], engine="VI", noisy=True)
    assert ax.get_ylim()[0] > -20
    assert "first 5 steps" in ax.get_title(loc="left") + ax.get_title()


def test_standardised_residuals_leave_out_what_is_missing():
    np.testing.assert_allclose(plots.standardised([[1.0], [np.nan], [3.0]], [[0.0], [0.0], [2.0]], [[2.0]]), [0.5, 0.5])


def test_pit_of_calibrated_residuals_is_flat(ax):
    z = norm.ppf((np.arange(1000) + 0.5) / 1000)
    plots.pit_histogram(np.append(z, np.nan), bins=10, ax=ax)
    np.testing.assert_allclose([p.get_height() for p in ax.patches], 1.0, atol=1e-9)
    assert "predictive probability" in ax.get_xlabel()
    assert ax.get_ylabel() == "density (1 = calibrated)"
    drawn(ax)


def test_coverage_is_the_share_inside(ax):
    z = np.array([-3.0, -1.0, 0.0, 1.0, np.nan, 1.7])
    np.testing.assert_allclose(plots.coverage_of(z, [0.9, 0.5]), [0.6, 0.2])
    plots.coverage_curve(z, ax=ax)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), plots.coverage_of(z, LEVELS))
    assert legend(ax) == ["as promised", "found"]
    assert ax.get_ylabel() == "share inside"
    assert np.isnan(plots.coverage_of([np.nan], [0.5])).all()


def test_transitions_show_their_numbers(ax):
    plots.transition_matrix([[0.9, 0.1], [0.0, np.nan]], ["1", "2"], ax=ax)
    assert texts(ax) == ["0.900", "0.100", "–", "?"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "2"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("to state", "from state")
    shades = [p.get_facecolor()[3] for p in ax.patches]
    assert shades[0] > shades[1] > shades[2] == 0
    assert [as_probability(p) for p in (1.0, 0.9999, 1e-5)] == ["1.000", ">.999", "<.001"]
    drawn(ax)


# --- comparison, curves -----------------------------------------------------------------------------------------------


def test_comparison_dots_and_intervals(ax):
    table = pd.DataFrame(
        {"rmse": [1.0, np.nan], "rmse_low": [0.5, np.nan], "rmse_high": [2.0, np.nan]}, index=["a", "b"]
    )
    plots.comparison_dots(table, "rmse", unit="cycle", ax=ax)
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1.0, np.nan])
    np.testing.assert_array_equal(ax.collections[0].get_segments()[0], [[0.5, 0], [2.0, 0]])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert ax.get_xlabel() == "rmse (cycle)"
    assert ax.get_ylim() == (1.5, -0.5)
    drawn(ax)


def test_figures_of_a_table_are_its_numbers_without_ends_of_intervals():
    table = pd.DataFrame({"arm": ["a"], "x": [1.0], "x_low": [0.0], "x_high": [2.0], "y": [3], "none": [np.nan]})
    assert plots.figures_of(table) == ["x", "y"]


@pytest.mark.parametrize(("band", "low"), [("sd", 1.0), ("range", 1.0), ("none", None)])
def test_curves_are_means_over_seeds(ax, band, low):
    series = {"soft": np.array([[1.0, 4.0], [3.0, np.nan]]), "hard": [0.0, 1.0]}
    plots.seed_curves([0.0, 0.5], series, labels=("label noise (share)", "adjusted Rand index"), band=band, ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [2.0, 4.0])
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [0.0, 1.0])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("label noise (share)", "adjusted Rand index")
    assert legend(ax) == ["soft", "hard"]
    if low is None:
        assert len(ax.collections) == 0
    else:
        vertices = ax.collections[0].get_paths()[0].vertices
        assert vertices[vertices[:, 0] == 0.0][:, 1].min() == low
    drawn(ax)


# --- chains -----------------------------------------------------------------------------------------------------------


def test_traces_are_the_draws(ax):
    draws = np.arange(12.0).reshape(2, 6)
    plots.chain_traces(draws, label="sigma (mm)", ax=ax)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), draws[1])
    assert [line.get_label() for line in ax.lines] == ["chain 1", "chain 2"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("draw", "sigma (mm)")
    drawn(ax)


def test_ranks_are_flat_where_chains_agree_and_apart_where_they_do_not(ax):
    same = np.stack([np.arange(0, 100, 2), np.arange(1, 101, 2)])
    plots.rank_histograms(same, bins=5, label="x", ax=ax)
    for patch in ax.patches:
        np.testing.assert_allclose(patch.get_data().values, 1.0, atol=0.15)
    apart = Figure().subplots()
    plots.rank_histograms(np.stack([np.zeros(50), np.ones(50)]), bins=2, ax=apart)
    np.testing.assert_allclose(apart.patches[0].get_data().values, [2.0, 0.0])
    assert apart.get_xlabel() == "rank among all draws"


def test_summary_names_what_varies_and_judges_it():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((4, 500, 2)) + np.array([0.0, 5.0])
    values[..., 0] = 1.0
    dims = ("chain", "draw", "state")
    posterior = xr.Dataset({"mean": (dims, values), "scale": (dims[:2], values[..., 1])}, {"state": ["1", "2"]})
    assert list(plots.varying(posterior)) == ["mean[2]", "scale"]
    table = plots.chain_summary(posterior)
    assert table["parameter"].tolist() == ["mean[2]", "scale"]
    np.testing.assert_allclose(table["mean"], values[..., 1].mean())
    np.testing.assert_allclose(table["5 %"], np.quantile(values[..., 1], 0.05))
    assert (table["R-hat"] < 1.02).all()
    assert (table["bulk ESS"] > 1000).all()


# --- all --------------------------------------------------------------------------------------------------------------


def test_every_public_name_exists_and_new_axes_are_made_where_none_are_given():
    for name in plots.__all__:
        assert getattr(plots, name).__doc__
    ax = plots.objective_trace([[1.0, 2.0]])
    assert ax.get_figure() is not None
    assert len(plots.unit_figure(view())) == 4


# --- choice -----------------------------------------------------------------------------------------------------------


def test_held_out_curve_shows_folds_errors_and_the_recommended_one(ax):
    folds = np.array([[0.1, 0.3, 0.32], [0.2, 0.4, 0.38]])
    plots.held_out_curve(
        folds, [0.15, 0.35, 0.36], [0.02, 0.03, 0.0], ["1", "2", "3"], chosen=1, label="bits per spike", ax=ax
    )
    lines = [line.get_ydata() for line in ax.lines]
    np.testing.assert_array_equal(lines[0], folds[0])
    np.testing.assert_array_equal(lines[1], folds[1])
    assert any(np.allclose(line, 0.36) for line in lines[2:])  # the best, as a line
    ring = ax.lines[-1]
    assert (ring.get_label(), ring.get_xdata().tolist(), ring.get_ydata().tolist()) == ("recommended", [1], [0.35])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "2", "3"]
    assert ax.get_ylabel() == "bits per spike"
    drawn(ax)
