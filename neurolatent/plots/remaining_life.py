"""Remaining life of one unit as it develops, and of all units of a fleet side by side."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from neurolatent.plots.style import ACCENT, ALARM, INK, PAPER, axes_or_new, legend_above, with_unit

BANDS = ((0.9, 0.16), (0.8, 0.2), (0.5, 0.34))  # mass of a band and its opacity; they lie on top of each other
ROW = 0.2  # inches that a unit of the fleet takes


def life_curve(
    time: ArrayLike,
    quantile: Float[np.ndarray, "points levels"],
    levels: ArrayLike,
    *,
    truth: ArrayLike | None = None,
    horizon: float | int = np.nan,
    unit: str = "",
    is_over: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """What was known of a unit's remaining life at each time: median, and the intervals that hold 50, 80 and 90 %.

    Args:
        time: (points,) rising.
        quantile: NaN where there was no answer.
        levels: (levels,) rising, of the quantiles.
        truth: (points,) true remaining life, where it is known.
        horizon: A remaining life below which a unit is in danger; NaN draws none.
        unit: Of time and life.
        is_over: The unit has failed: its last row is no now.
    """
    ax = axes_or_new(ax)
    at, found, steps = np.asarray(time, float), np.asarray(quantile, float), np.asarray(levels, float)
    for mass, shade in BANDS:
        low, high = (_at(found, steps, 0.5 + side * mass / 2) for side in (-1, 1))
        ax.fill_between(
            at, low, high, facecolor=ACCENT, alpha=shade, edgecolor="none", linewidth=0, label=f"{100 * mass:.0f} %"
        )
    median = _at(found, steps, 0.5)
    ax.plot(at, median, color=ACCENT, label="median")
    if truth is not None:
        ax.plot(at, np.asarray(truth, float), color=INK, linestyle="--", linewidth=1.1, label="truth")
    if np.isfinite(horizon):
        ax.axhline(horizon, color=ALARM, linestyle=":", linewidth=1.2, label=f"horizon ({horizon:g})")
    if not is_over:
        ax.plot(at[-1], median[-1], color=ACCENT, marker="o", markersize=5, markeredgecolor=PAPER, linestyle="none")
        ax.annotate("now", (at[-1], median[-1]), (5, 0), textcoords="offset points", va="center", fontsize=8.5)
    ax.margins(x=0.02)
    ax.set_ylim(bottom=0)
    ax.set(xlabel=with_unit("time", unit), ylabel=with_unit("remaining life", unit))
    legend_above(ax, 6)
    return ax


def _at(found: np.ndarray, levels: np.ndarray, level: float) -> np.ndarray:
    return np.array([np.interp(level, levels, row) for row in found])


def fleet_overview(
    names: Sequence[str],
    low: ArrayLike,
    median: ArrayLike,
    high: ArrayLike,
    *,
    horizon: float | int,
    risk: Sequence[str] = (),
    truth: ArrayLike | None = None,
    unit: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Median and 90 % interval of each unit's remaining life, the first unit on top, against the horizon.

    Args:
        low, median, high: (units,); NaN leaves a row empty.
        risk: Words at the right of each row, such as its chance to fail within the horizon.
        truth: (units,) true remaining life, where it is known.
        unit: Of life.
    """
    ax = axes_or_new(ax, height=0.9 + ROW * len(names))
    rows = np.arange(len(names))
    ends = [np.asarray(values, float) for values in (low, median, high)]
    ax.axvspan(0, horizon, facecolor=ALARM, alpha=0.1, edgecolor="none", linewidth=0)
    ax.axvline(horizon, color=ALARM, linestyle=":", linewidth=1.2, label=with_unit(f"horizon: {horizon:g}", unit))
    ax.hlines(rows, ends[0], ends[2], color=ACCENT, linewidth=3.2, alpha=0.45, label="90 % interval")
    ax.plot(ends[1], rows, linestyle="none", marker="o", markersize=4, color=ACCENT, label="median")
    if truth is not None:
        ax.plot(np.asarray(truth, float), rows, linestyle="none", marker="|", markersize=8, color=INK, label="truth")
    ax.set_yticks(rows, list(names))
    ax.set_ylim(max(len(names), 1) - 0.4, -0.6)
    ax.set_xlim(left=0)
    for row, words in zip(rows, risk, strict=False):
        ax.annotate(
            words, (1.0, row), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="center", fontsize=8.5, annotation_clip=False,
        )  # fmt: skip
    ax.set(xlabel=with_unit("remaining life", unit), ylabel="unit")
    ax.grid(visible=False, axis="y")
    legend_above(ax, 4)
    return ax
