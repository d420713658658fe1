"""A decoded signal over time: its mean with the band that was promised, and the truth where it is known."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.stats import norm

from neurolatent.plots.style import ACCENT, ALARM, INK, axes_or_new, legend_above, with_unit


def decoded_course(
    time: ArrayLike,
    mean: ArrayLike,
    sd: ArrayLike,
    truth: ArrayLike | None = None,
    *,
    skipped: ArrayLike | None = None,
    level: float = 0.95,
    label: str = "",
    unit: str = "",
    clock: str = "s",
    ax: Axes | None = None,
) -> Axes:
    """One output: decoded mean, the central band of that probability, the truth, and the bins that were skipped.

    Args:
        time: (bins,) clock times.
        mean, sd: (bins,) of the belief at each bin.
        truth: (bins,); NaN where it is not known.
        skipped: (bins,) true where a bin was missing or not trusted; marked below the course.
        label: Name of the output.
        unit: Of the output.
        clock: Unit of the clock.
    """
    ax = axes_or_new(ax)
    at, centre = np.asarray(time, float), np.asarray(mean, float)
    half = norm.ppf(0.5 + level / 2) * np.asarray(sd, float)
    band = f"{100 * level:.0f} % band"
    ax.fill_between(at, centre - half, centre + half, facecolor=ACCENT, alpha=0.2, linewidth=0, label=band)
    if truth is not None and np.isfinite(np.asarray(truth, float)).any():
        ax.plot(at, np.asarray(truth, float), color=INK, linewidth=1.0, label="true")
    ax.plot(
        at, centre, color=ACCENT, linewidth=2.2, alpha=0.75, label="decoded"
    )  # thick: told from the truth in grey too
    if skipped is not None and np.asarray(skipped, bool).any():
        low = ax.get_ylim()[0]
        gone = np.asarray(skipped, bool)
        ax.plot(at[gone], np.full(int(gone.sum()), low), label="skipped", linestyle="none", marker="|", color=ALARM)
    ax.set(xlim=(at[0], at[-1]), xlabel=with_unit("time", clock), ylabel=with_unit(label, unit))
    legend_above(ax, 4)
    return ax
