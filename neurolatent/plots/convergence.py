"""How the objective of an engine rose, restart by restart."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from neurolatent.plots.style import ACCENT, MUTED, axes_or_new

EARLY = 20  # the first of so many parts of the steps may be left out
SMOOTHING = 50  # a noisy objective is averaged over this part of its steps


def objective_trace(
    objective: ArrayLike, *, best: int = 0, engine: str = "EM", noisy: bool = False, ax: Axes | None = None
) -> Axes:
    """The objective at each step, the best restart in front; a restart ends where it converged.

    Args:
        objective: (restarts, steps), nats; NaN after the end of a restart.
        best: Number of the restart that was kept.
        engine: What took the steps.
        noisy: Whether each value is an estimate: then their moving mean stands in front of them.
    """
    ax = axes_or_new(ax)
    values = np.atleast_2d(np.asarray(objective, float))
    steps = np.arange(1, values.shape[1] + 1)
    others = [n for n in range(len(values)) if n != best]
    for count, number in enumerate(others):
        label = f"other restarts ({len(others)})" if count == 0 else None
        ax.plot(steps, values[number], color=MUTED, alpha=0.6, linewidth=0.9, label=label)
    if noisy:
        _with_moving_mean(ax, steps, values[best])
    else:
        kept = f"restart {best + 1}, kept" if others else "objective"
        ax.plot(steps, values[best], color=ACCENT, marker="o", markersize=2.6, label=kept)
    ax.set_xlabel(f"step of {engine}")
    ax.set_ylabel("objective (nats)")
    ax.ticklabel_format(axis="y", useOffset=False, style="plain")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if others or noisy:
        ax.legend(loc="lower right")
    return ax


def _with_moving_mean(ax: Axes, steps: np.ndarray, values: np.ndarray) -> None:
    """Single estimates behind the mean of those just before."""
    width = max(len(steps) // SMOOTHING, 1)
    mean = pd.Series(values).rolling(width, min_periods=1).mean()
    ax.plot(steps, values, color=MUTED, alpha=0.5, linewidth=0.5, label="each step")
    ax.plot(steps, mean, color=ACCENT, label=f"mean of {width} steps")
    _leave_out_the_climb(ax, values)


def _leave_out_the_climb(ax: Axes, values: np.ndarray) -> None:
    """Let the axis begin where the first steps are over, where these would hide all that follows."""
    first = len(values) // EARLY
    rest = values[first:][np.isfinite(values[first:])]
    if first == 0 or not len(rest):
        return
    low, high = float(rest.min()), float(rest.max())
    if np.nanmin(values[:first]) < low - 2 * (high - low):
        ax.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
        ax.set_title(f"without the first {first} steps, which lie far below", fontsize=8.5, color=MUTED)
