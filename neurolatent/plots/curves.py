"""Mean or median curves with bands over seeds: what a sweep shows, as agreement against the share of wrong labels."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from neurolatent.plots.style import DASHES, MARKERS, SERIES, axes_or_new


def seed_curves(
    x: ArrayLike,
    series: Mapping[str, ArrayLike],
    *,
    labels: tuple[str, str],
    band: Literal["sd", "range", "none"] = "sd",
    centre: Literal["mean", "median"] = "mean",
    ax: Axes | None = None,
) -> Axes:
    """The mean or median over seeds of several series, each with a band.

    Args:
        x: (points,).
        series: Name to (seeds, points); NaN (a run that failed) is left out of mean and band.
        labels: Of the horizontal and the vertical axis, with their units.
        band: One standard deviation, from the smallest to the largest, or none.
        centre: What is drawn as the curve.
    """
    ax = axes_or_new(ax)
    at = np.asarray(x, float)
    for number, (name, given) in enumerate(series.items()):
        values = np.ma.masked_invalid(np.atleast_2d(np.asarray(given, float)))
        middle = values.mean(axis=0) if centre == "mean" else np.ma.median(values, axis=0)
        mean = np.ma.filled(middle, np.nan)
        colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
        dash = DASHES[number % len(DASHES)]
        if band != "none":
            spread = values.std(axis=0).filled(np.nan)
            low = mean - spread if band == "sd" else values.min(axis=0).filled(np.nan)
            high = mean + spread if band == "sd" else values.max(axis=0).filled(np.nan)
            ax.fill_between(at, low, high, facecolor=colour, alpha=0.18, edgecolor="none", linewidth=0)
        ax.plot(at, mean, color=colour, linestyle=dash, marker=marker, markersize=4, label=name)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    ax.legend(
        loc="best", title={"sd": f"{centre} ± 1 sd", "range": f"{centre} and range"}.get(band), title_fontsize=8.5
    )
    return ax
