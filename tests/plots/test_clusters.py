"""What the pictures of clusters draw: the order of neurons, the shares of counts, frames and bands."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from neurolatent.plots import clusters
from neurolatent.plots.clusters import Epoch

LABEL, AREA = np.array([1, 0, 1, 0, 2]), ["b", "b", "a", "a", "a"]
EPOCHS = [Epoch(0.0, 10.0, "dark"), Epoch(10.0, 20.0, "film")]


def test_neurons_stand_by_cluster_and_then_by_area():
    assert clusters.sorted_by(LABEL, AREA).tolist() == [3, 1, 2, 0, 4]
    assert clusters.sorted_by(LABEL).tolist() == [1, 3, 0, 2, 4]


def test_a_raster_shows_each_neuron_in_its_own_shades_and_cuts_where_clusters_end():
    counts = np.random.default_rng(0).poisson([5.0, 1.0, 20.0, 3.0, 2.0], (40, 5)).astype(float)
    counts[7, 2] = np.nan
    figure = Figure(layout="constrained")
    ax = clusters.clustered_raster(
        np.arange(40.0) / 2, counts, LABEL, group=AREA, epochs=EPOCHS, unit="s", figure=figure
    )
    drawn = ax.images[0].get_array()
    order = clusters.sorted_by(LABEL, AREA)
    assert drawn.shape == (5, 40)
    np.testing.assert_allclose(drawn[0], counts[:, order[0]] / np.quantile(counts[:, order[0]], 0.99))
    assert drawn.mask[2, 7]
    assert sorted({line.get_ydata()[0] for line in ax.lines}) == [1.02, 1.5, 3.5]
    assert {"dark", "film", "1 (2)", "2 (2)", "3 (1)"} <= {text.get_text() for text in ax.texts}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_similarity_is_drawn_in_the_order_of_the_partition():
    together = (LABEL[:, None] == LABEL[None, :]) * 0.9
    ax = clusters.similarity_matrix(together, LABEL, ax=Figure().subplots())
    block = np.asarray(ax.images[0].get_array())
    assert np.all(block[:2, :2] == 0.9)
    assert np.all(block[:2, 2:] == 0.0)
    assert len(ax.lines) == 3


def test_bars_are_the_shares_over_all_chains():
    numbers = np.array([[3, 3, 4, 5], [3, 4, 4, 4]])
    ax = clusters.block_counts(numbers, what="clusters", ax=Figure().subplots())
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([3 / 8, 4 / 8, 1 / 8])
    assert ax.lines[1].get_ydata().tolist() == pytest.approx([0.25, 0.75, 0.0])


def test_each_cluster_has_a_panel_with_its_band():
    mean = np.cumsum(np.random.default_rng(0).normal(size=(30, 2)), axis=0)
    figure = Figure(layout="constrained")
    clusters.cluster_courses(
        np.arange(30.0), mean, mean - 1, mean + 1, ["one", "two"], truth=mean, epochs=EPOCHS, label="rate",
        figure=figure,
    )  # fmt: skip
    assert len(figure.axes) == 2
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), mean[:, 1])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["95 % band", "posterior mean", "true"]


def test_bins_stand_in_the_order_of_time():
    together = np.eye(4)
    ax = clusters.bin_similarity(np.arange(4.0), together, unit="s", ax=Figure().subplots())
    np.testing.assert_array_equal(ax.images[0].get_array(), together)
    assert ax.get_xlabel() == "time (s)"
