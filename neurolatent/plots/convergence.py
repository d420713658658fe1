"""How the objective of EM rose, restart by restart."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from neurolatent.plots.style import ACCENT, MUTED, axes_or_new


def objective_trace(objective: ArrayLike, *, best: int = 0, ax: Axes | None = None) -> Axes:
    """The objective at each step, the best restart in front; a restart ends where it converged.

    Args:
        objective: (restarts, steps), nats; NaN after the end of a restart.
        best: Number of the restart that was kept.
    """
    ax = axes_or_new(ax)
    values = np.atleast_2d(np.asarray(objective, float))
    steps = np.arange(1, values.shape[1] + 1)
    others = [n for n in range(len(values)) if n != best]
    for count, number in enumerate(others):
        label = f"other restarts ({len(others)})" if count == 0 else None
        ax.plot(steps, values[number], color=MUTED, alpha=0.6, linewidth=0.9, label=label)
    kept = f"restart {best + 1}, kept" if others else "objective"
    ax.plot(steps, values[best], color=ACCENT, marker="o", markersize=2.6, label=kept)
    ax.set_xlabel("step of EM")
    ax.set_ylabel("objective (nats)")
    ax.ticklabel_format(axis="y", useOffset=False, style="plain")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if others:
        ax.legend(loc="lower right")
    return ax
