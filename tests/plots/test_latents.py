"""Pictures of latents and of what they tell show their values, readable on dark cells, with their times."""

import numpy as np
from matplotlib.figure import Figure

from neurolatent.plots.latents import image_strip, leakage_matrix
from neurolatent.report.latents import _truth_words


def test_small_values_have_no_sign_and_dark_cells_light_words():
    ax = leakage_matrix([[0.95, -0.001], [0.3, -0.11]], ["a", "b"], ["x", "y"])
    ax.figure.draw_without_rendering()
    assert [word.get_text() for word in ax.texts] == ["0.95", "0.00", "0.30", "−0.11"]
    assert [word.get_color() == "white" for word in ax.texts] == [True, False, False, False]


def test_frames_bear_their_times():
    figure = Figure(layout="constrained")
    image_strip(np.ones((3, 4, 4)), np.zeros((3, 4, 4)), times=[0.0, 7.0, 14.5], clock="bin", figure=figure)
    figure.draw_without_rendering()
    assert [ax.get_title() for ax in figure.axes[:3]] == ["0", "7", "14.5"]
    assert figure.get_suptitle() == "time (bin)"


def test_narrow_bands_are_named():
    said = _truth_words(["neural 0", "shared 0", "behaviour 0"], np.array([0.93, 0.5, np.nan]))
    assert "of shared 0 less than 80 % lies inside" in said
    assert "narrow" not in _truth_words(["neural 0"], np.array([0.93]))
