"""The course of a decoded signal shows its mean, its band, the truth and the bins that were skipped."""

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from neurolatent import plots


def test_a_decoded_course_shows_what_it_was_given():
    ax = Figure(layout="constrained").subplots()
    time, mean, sd = np.arange(20.0), np.sin(np.arange(20.0)), np.full(20, 0.3)
    truth = np.where(np.arange(20) < 15, mean + 0.1, np.nan)
    skipped = np.arange(20) == 4
    plots.decoded_course(time, mean, sd, truth, skipped=skipped, label="vx", unit="m/s", clock="bin", ax=ax)
    ax.figure.draw_without_rendering()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["95 % band", "true", "decoded", "skipped"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (bin)", "vx (m/s)")
    decoded = next(line for line in ax.lines if line.get_label() == "decoded")
    np.testing.assert_array_equal(decoded.get_ydata(), mean)
    band = ax.collections[0].get_paths()[0].vertices
    half = norm.ppf(0.975) * 0.3
    assert np.isclose(band[:, 1].min(), (mean - half).min())
    assert np.isclose(band[:, 1].max(), (mean + half).max())
    marks = next(line for line in ax.lines if line.get_label() == "skipped")
    assert marks.get_xdata().tolist() == [4.0]


def test_a_course_without_a_truth_has_none():
    ax = Figure(layout="constrained").subplots()
    plots.decoded_course(np.arange(5), np.zeros(5), np.ones(5), np.full(5, np.nan), ax=ax)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["95 % band", "decoded"]
