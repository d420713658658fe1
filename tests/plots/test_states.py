"""Figures of models with states: each shows the values it was given, names axes and units, and reads in grey."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from neurolatent import plots
from neurolatent.ops.metrics import wilson_interval
from neurolatent.plots.dwell import survival
from neurolatent.plots.weights import type_entropy


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


@pytest.fixture
def figure():
    return Figure(layout="constrained")


def test_squares_have_the_area_of_their_weights_and_negative_ones_are_hollow(ax):
    plots.weight_squares(np.array([[1.0, -0.25], [0.0, 0.5]]), ["a", "b"], ["a", "b"], largest=1.0, ax=ax)
    filled, hollow = ax.collections
    areas = sorted(np.ptp(p.vertices[:, 0]) * np.ptp(p.vertices[:, 1]) for p in filled.get_paths())
    np.testing.assert_allclose(areas, [0.5 * 0.92**2, 0.92**2])
    assert len(hollow.get_paths()) == 1
    assert hollow.get_facecolor().size == 0
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]


def test_maps_share_one_scale(figure):
    weights = np.stack([np.eye(3), 4 * np.eye(3)])
    axes = plots.weight_maps(weights, ["state 1", "state 2"], list("abc"), list("abc"), figure=figure)
    sides = [np.ptp(ax.collections[0].get_paths()[0].vertices[:, 0]) for ax in axes]
    assert sides[1] == pytest.approx(2 * sides[0])
    assert [ax.get_title(loc="left") or ax.get_title() for ax in axes] == ["state 1", "state 2"]
    assert "a full cell: 4" in figure.get_suptitle()
    assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == ("from", "to")
    figure.draw_without_rendering()


def test_connectome_shows_expected_type_and_entropy(figure):
    one = np.array([[[0, 0, 1.0], [1 / 3, 1 / 3, 1 / 3]], [[0.5, 0.5, 0], [0, 1, 0]]])
    axes = plots.connectome_maps(one, list("ab"), list("ab"), figure=figure)
    np.testing.assert_allclose(axes[1].images[0].get_array(), [[0, np.log2(3)], [1, 0]])
    np.testing.assert_allclose(type_entropy(one), stats.entropy(one, base=2, axis=-1), atol=1e-12)
    figure.draw_without_rendering()


def test_covariate_weights_stand_with_their_intervals(ax):
    weights = np.array([[2.0, 0.5], [1.0, -0.5]])
    plots.covariate_weights(weights, weights - 0.1, weights + 0.3, ["stimulus", "bias"], ["1", "2"], ax=ax)
    points = [c.lines[0].get_ydata() for c in ax.containers]
    np.testing.assert_array_equal(points, weights)
    (bar,) = ax.containers[0].lines[2]
    assert bar.get_segments()[0][:, 1] == pytest.approx([1.9, 2.3])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["state 1", "state 2"]
    assert len({c.lines[0].get_marker() for c in ax.containers}) == 2  # told apart in grey


def test_psychometric_curves_lie_over_their_data(ax):
    low, high = wilson_interval(np.array([0.2, 0.9]), np.array([10.0, 20.0]))
    one = plots.Psychometric(np.array([-1.0, 1.0]), np.array([0.2, 0.9]), low, high, np.zeros(3), np.full(3, 0.5))
    plots.psychometric_curves({"1": one}, stimulus="contrast", choice="right", ax=ax)
    np.testing.assert_array_equal(ax.containers[0].lines[0].get_ydata(), [0.2, 0.9])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("contrast", "P(right)")
    ax.figure.draw_without_rendering()


def test_wilson_interval_is_that_of_scipy():
    low, high = wilson_interval(np.array([0.3, 1.0]), np.array([10.0, 7.0]))
    for place, (hits, count) in enumerate(((3, 10), (7, 7))):
        wanted = stats.binomtest(hits, count).proportion_ci(0.9, method="wilson")
        assert (low[place], high[place]) == pytest.approx((wanted.low, wanted.high))


def test_stays_that_touch_an_end_are_cut():
    got = plots.stays_of([np.array([0, 0, 1, 1, 1, 0]), np.array([1, 0, 0, -1, 0])], 0, 0.1)
    assert got.samples.tolist() == [2, 1, 2, 1]
    assert got.cut.tolist() == [True, True, True, True]
    assert plots.stays_of([np.array([0, 1, 1, 0])], 1, 0.1).cut.tolist() == [False]


def test_survival_of_geometric_stays_follows_the_law(ax):
    rng = np.random.default_rng(0)
    whole = rng.geometric(0.2, size=4000)
    limit = rng.geometric(0.1, size=4000)
    stays = plots.Stays(np.minimum(whole, limit), limit < whole, 0.2)
    at, share = survival(stays)
    np.testing.assert_allclose(share[at <= 10], 0.8 ** at[at <= 10], atol=0.03)
    plots.dwell_times({"1": stays}, bin_width=0.1, unit="s", ax=ax)
    assert ax.get_xlabel() == "length of a stay (s)"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["state 1: mean 0.5"]


def test_occupancy_shows_mean_and_every_sequence(ax):
    share = np.array([[0.7, 0.3], [0.5, 0.5], [0.9, 0.1]])
    plots.occupancy_bars(share, ["1", "2"], ax=ax)
    assert [p.get_width() for p in ax.patches] == pytest.approx([70, 30])
    np.testing.assert_allclose(ax.lines[1].get_xdata(), 100 * share[:, 1])


def test_raster_and_choices_stand_over_their_states(figure):
    time, probability = np.arange(4.0), np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.5, 0.5]])
    counts = np.array([[0, 2.0], [1, 1], [np.nan, np.nan], [2, 0]])
    draw = lambda ax: plots.spike_raster(time, counts, ["u1", "u2"], ax=ax)  # noqa: E731
    upper, middle, lower = plots.over_states(draw, time, probability, [0, 1, 1, 1], ["1", "2"], unit="s", figure=figure)
    np.testing.assert_allclose(upper.images[0].get_array()[0].filled(-1), [0, 0.5, -1, 1])
    assert [t.get_text() for t in upper.get_yticklabels()] == ["u1", "u2"]
    assert (middle.get_ylabel(), lower.get_xlabel()) == ("P(state)", "time (s)")
    figure.draw_without_rendering()


def test_choices_are_marked_on_their_side_and_missed_ones_are_not(ax):
    plots.choice_strip([0, 1, 2], [1, 0, np.nan], [0.5, -1, 0.2], names=("left", "right"), label="contrast", ax=ax)
    marks = {line.get_label(): line.get_xdata().tolist() for line in ax.lines if line.get_label() in ("left", "right")}
    assert marks == {"right": [0.0], "left": [1.0]}
    assert ax.get_ylabel() == "contrast"
    ax.figure.draw_without_rendering()


def test_transitions_along_an_input_have_a_panel_for_each_state(figure):
    at, low = np.linspace(-1, 1, 5), np.full((5, 2, 2), 0.1)
    probability = np.stack([np.array([[0.9 - 0.1 * x, 0.1 + 0.1 * x], [0.2, 0.8]]) for x in at])
    axes = plots.transition_curves(
        plots.Pushed(at, probability, low, low + 0.8), ["1", "2"], label="cue", figure=figure
    )
    assert [ax.get_title() for ax in axes] == ["from state 1", "from state 2"]
    for k, ax in enumerate(axes):
        np.testing.assert_array_equal([line.get_ydata() for line in ax.lines], probability[:, k].T)
        assert ax.get_xlabel() == "cue"
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["to state 1", "to state 2"]
    figure.draw_without_rendering()
