"""The transition matrix as numbers on shaded squares, and transitions along an input as curves."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, withStroke
from numpy.typing import ArrayLike

from neurolatent.plots.style import ACCENT, GRID, INK, MARKERS, axes_or_new, state_colours

MOST_IN_A_ROW = 4  # panels side by side


class Pushed(NamedTuple):
    """Transitions along an input."""

    at: Float[np.ndarray, " points"]
    probability: Float[np.ndarray, "points states states"]  # [from, to]
    low: Float[np.ndarray, "points states states"]  # ends of the interval; equal to the probability where there is none
    high: Float[np.ndarray, "points states states"]


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


def transition_curves(curves: Pushed, names: Sequence[str], *, label: str, figure: Figure) -> list[Axes]:
    """A panel for each state, with a line for each state that the next step may lead to.

    Args:
        names: Of the states.
        label: Of the input, with its unit.
    """
    columns = min(len(names), MOST_IN_A_ROW)
    rows = -(-len(names) // columns)
    panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel())
    for unused in panels[len(names) :]:
        unused.set_visible(False)
    outline = [withStroke(linewidth=3.0, foreground=INK), Normal()]
    for k, (ax, name) in enumerate(zip(panels, names, strict=False)):
        for j, colour in enumerate(state_colours(len(names))):
            ax.fill_between(curves.at, curves.low[:, k, j], curves.high[:, k, j], color=colour, alpha=0.3, linewidth=0)
            ax.plot(
                curves.at, curves.probability[:, k, j], color=colour, linewidth=1.8, path_effects=outline,
                marker=MARKERS[j % len(MARKERS)], markevery=0.25, markersize=5, markeredgecolor=INK,
                label=f"to state {names[j]}",
            )  # fmt: skip
        ax.set(title=f"from state {name}", ylim=(-0.02, 1.02), xlabel=label if k >= len(names) - columns else "")
    for row in range(rows):
        panels[row * columns].set_ylabel("P(next state)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=5, fontsize=8.5)
    return panels[: len(names)]
