"""States along time: the ribbon of likeliest states, and their probabilities as stacked areas."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from neurolatent.plots.style import PAPER, axes_or_new, state_colours, with_unit


def runs_of(path: ArrayLike) -> list[tuple[int, int, int]]:
    """(state, first, last + 1) of each stretch of equal states; negative states (unknown) are left out."""
    states = np.asarray(path)
    if not len(states):
        return []
    edges = [0, *(np.flatnonzero(np.diff(states)) + 1).tolist(), len(states)]
    pairs = zip(edges[:-1], edges[1:], strict=True)
    return [(int(states[a]), a, b) for a, b in pairs if states[a] >= 0]


def state_handles(names: Sequence[str]) -> list[Patch]:
    """Handles of a legend of states."""
    colours = state_colours(len(names))
    return [Patch(facecolor=c, label=f"state {name}") for c, name in zip(colours, names, strict=True)]


def state_ribbon(
    time: ArrayLike, path: ArrayLike, names: Sequence[str], *, unit: str = "", ax: Axes | None = None
) -> Axes:
    """A coloured strip of the most probable state, its name on each stretch that has room.

    Args:
        time: (samples,) evenly spaced.
        path: (samples,) state numbers from 0; negative where unknown.
        names: Of the states, in order.
        unit: Of time.
    """
    ax = axes_or_new(ax, height=1.0)
    times, colours = np.asarray(time, float), state_colours(len(names))
    half = _step(times) / 2
    for state, first, last in runs_of(path):
        left, right = times[first] - half, times[last - 1] + half
        ax.axvspan(left, right, facecolor=colours[state], edgecolor=PAPER, linewidth=0.4)
        if right - left > 0.05 * (times[-1] - times[0] + 2 * half):
            dark = state > 0.55 * (len(names) - 1) and len(names) > 1
            ax.text(
                (left + right) / 2, 0.46, names[state],
                ha="center", va="center", fontsize=8, color="#ffffff" if dark else "#1a1a1a",
            )  # fmt: skip
    ax.set(ylim=(0, 1), yticks=[], xlim=(times[0] - half, times[-1] + half))
    ax.set_xlabel(with_unit("time", unit))
    ax.grid(visible=False)
    return ax


def state_probabilities(
    time: ArrayLike, probability: ArrayLike, names: Sequence[str], *, unit: str = "", ax: Axes | None = None
) -> Axes:
    """State probabilities as areas stacked to one; rows with NaN stay empty.

    Args:
        time: (samples,).
        probability: (samples, states).
        names: Of the states, in order, for the legend.
        unit: Of time.
    """
    ax = axes_or_new(ax, height=1.8)
    times, values = np.asarray(time, float), np.asarray(probability, float)
    low = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    for state, colour in enumerate(state_colours(len(names))):
        ax.fill_between(
            times, low[:, state], low[:, state + 1],
            where=np.isfinite(values).all(axis=1), facecolor=colour, edgecolor="none", linewidth=0,
            label=f"state {names[state]}",
        )  # fmt: skip
    half = _step(times) / 2
    ax.set(ylim=(0, 1), xlim=(times[0] - half, times[-1] + half), yticks=[0, 0.5, 1])
    ax.set_ylabel("probability")
    ax.set_xlabel(with_unit("time", unit))
    return ax


def _step(times: np.ndarray) -> float:
    return float(np.min(np.diff(times))) if len(times) > 1 else 1.0
