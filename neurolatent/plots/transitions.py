"""The transition matrix, as numbers on shaded squares."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from neurolatent.plots.style import ACCENT, GRID, axes_or_new


def as_probability(value: float) -> str:
    """Three decimals; a dash for an excluded transition, and no rounding to a false 0 or 1."""
    if not np.isfinite(value):
        return "?"
    if value == 0:
        return "–"
    if value < 0.0005:
        return "<.001"
    return ">.999" if 0.9995 <= value < 1 else f"{value:.3f}"


def transition_matrix(probability: ArrayLike, names: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Probabilities from each state (row) to each state (column), per step.

    Args:
        probability: (states, states) [from, to].
        names: Of the states.
    """
    matrix = np.asarray(probability, float)
    count = len(matrix)
    side = 1.2 + 0.55 * count
    ax = axes_or_new(ax, side, side)
    for row in range(count):
        for column in range(count):
            value = matrix[row, column]
            shade = 0.55 * float(np.sqrt(value)) if np.isfinite(value) else 0.0
            ax.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=(ACCENT, shade), edgecolor=GRID, linewidth=0.8)
            )
            ax.text(column, row, as_probability(value), ha="center", va="center", fontsize=8.5)
    ax.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
    ax.set_xticks(range(count), list(names))
    ax.set_yticks(range(count), list(names))
    ax.set(xlabel="to state", ylabel="from state")
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax
