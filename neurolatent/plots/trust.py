"""Whether told remaining lives can be trusted: coverage by how near failure is, estimates against truth, accuracy."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from neurolatent.plots.style import ACCENT, INK, MARKERS, MUTED, SERIES, axes_or_new, legend_above, with_unit

TOLERANCE = 0.03  # of coverage: within it a promise counts as kept
BAND_BINS = 12  # in which the announced interval is averaged


def coverage_by_group(promised: ArrayLike, found: Mapping[str, ArrayLike], *, ax: Axes | None = None) -> Axes:
    """Found less promised coverage of central intervals, one line for each group; the band is 3 points wide.

    The difference is drawn, since all curves lie on the diagonal else.

    Args:
        promised: (levels,) shares.
        found: Group to (levels,) shares of the truths inside.
    """
    ax = axes_or_new(ax)
    at = 100 * np.asarray(promised, float)
    ax.axhspan(-100 * TOLERANCE, 100 * TOLERANCE, facecolor=MUTED, alpha=0.18, edgecolor="none", linewidth=0)
    ax.axhline(0, color=MUTED, linestyle="--", linewidth=1.0)
    for number, (name, values) in enumerate(found.items()):
        style = {"color": SERIES[number % len(SERIES)], "marker": MARKERS[number % len(MARKERS)], "markersize": 3.6}
        ax.plot(at, 100 * np.asarray(values, float) - at, label=name, **style, linewidth=1.8 if number == 0 else 1.0)
    reach = max(8.0, 1.15 * float(np.nanmax(np.abs(ax.get_ylim()))))
    ax.set(xlim=(5, 100), ylim=(-reach, reach))
    ax.set(xlabel="promised coverage of the interval (%)", ylabel="found less promised (points)")
    legend_above(ax, 2)
    return ax


def estimate_and_truth(
    estimate: ArrayLike, truth: ArrayLike, low: ArrayLike, high: ArrayLike, *, unit: str = "", ax: Axes | None = None
) -> Axes:
    """True remaining life at each estimate, over the 90 % band that was announced there.

    Below the line the unit failed earlier than was told: the dangerous side. The band is the mean of the announced
    intervals over neighbouring estimates.

    Args:
        estimate, truth, low, high: (rows,); NaN rows are left out.
    """
    ax = axes_or_new(ax, height=4.0)
    given = np.stack([np.asarray(values, float) for values in (estimate, truth, low, high)])
    told, true, *ends = given[:, np.isfinite(given).all(axis=0)]
    order = np.argsort(told, kind="stable")
    parts = [part for part in np.array_split(order, BAND_BINS) if len(part)]
    centre, below, above = (np.array([values[part].mean() for part in parts]) for values in (told, *ends))
    ax.fill_between(
        centre, below, above, facecolor=ACCENT, alpha=0.2, edgecolor="none", linewidth=0, label="announced 90 %"
    )
    top = 1.05 * float(max(told.max(initial=1.0), true.max(initial=1.0)))
    ax.plot([0, top], [0, top], color=INK, linestyle="--", linewidth=1.0, label="as estimated")
    ax.plot(
        told, true, linestyle="none", marker="o", markersize=2.6, markeredgewidth=0, color=ACCENT, alpha=0.5,
        label="held-out rows",
    )  # fmt: skip
    ax.text(0.98, 0.03, "failed earlier than told", transform=ax.transAxes, ha="right", color=MUTED, fontsize=8.5)
    ax.set(xlim=(0, max(told.max(initial=1.0), 1.0) * 1.03), ylim=(0, top))
    ax.set(xlabel=with_unit("estimated remaining life", unit), ylabel=with_unit("true remaining life", unit))
    legend_above(ax, 2)
    return ax


def accuracy_curve(
    edges: Float[np.ndarray, " edges"], accuracy: Mapping[str, ArrayLike], *, alpha: float, ax: Axes | None = None
) -> Axes:
    """Alpha-lambda accuracy along the share of life, one line for each way to tell it; NaN leaves a gap.

    Args:
        edges: Of the bins of the share of life.
        accuracy: Name to (bins,).
        alpha: Share of the true remaining life by which an estimate may be off.
    """
    ax = axes_or_new(ax)
    middle = 100 * (np.asarray(edges, float)[1:] + np.asarray(edges, float)[:-1]) / 2
    for number, (name, values) in enumerate(accuracy.items()):
        style = {"color": SERIES[number % len(SERIES)], "marker": MARKERS[number % len(MARKERS)], "markersize": 4}
        ax.plot(middle, 100 * np.asarray(values, float), label=name, **style)
    ax.set(xlim=(0, 100), ylim=(0, 103), xlabel="share of life behind the unit (%)")
    ax.set_ylabel(f"estimates within {100 * alpha:.0f} % of the truth")
    ax.yaxis.set_major_formatter(PercentFormatter(decimals=0, symbol=" %"))
    legend_above(ax, 2)
    return ax
