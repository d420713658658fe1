"""How choices follow the stimulus in every state: curves of the model over the shares in the data."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patheffects import Normal, withStroke

from neurolatent.plots.style import INK, MARKERS, axes_or_new, legend_above, state_colours


class Psychometric(NamedTuple):
    """What one state does at each strength of the stimulus."""

    stimulus: Float[np.ndarray, " points"]
    share: Float[np.ndarray, " points"]  # of choices of 1 in the data
    low: Float[np.ndarray, " points"]
    high: Float[np.ndarray, " points"]
    curve_at: Float[np.ndarray, " curve"]
    curve: Float[np.ndarray, " curve"]  # by the model


def psychometric_curves(
    states: Mapping[str, Psychometric], *, stimulus: str, choice: str, ax: Axes | None = None
) -> Axes:
    """One curve per state through the shares in the data with their intervals.

    Args:
        states: By the name of the state, in order.
        stimulus: Label of the stimulus, with its unit.
        choice: Words for a choice of 1, such as "right".
    """
    ax = axes_or_new(ax)
    outline = [withStroke(linewidth=3.0, foreground=INK), Normal()]
    for k, (colour, (name, one)) in enumerate(zip(state_colours(len(states)), states.items(), strict=True)):
        marker = MARKERS[k % len(MARKERS)]
        ax.plot(one.curve_at, one.curve, color=colour, linewidth=1.8, path_effects=outline)
        ends = np.abs(np.nan_to_num(np.stack([one.share - one.low, one.high - one.share])))
        ax.errorbar(
            one.stimulus, one.share, yerr=ends, linestyle="none", color=INK, marker=marker, markersize=5.5,
            markerfacecolor=colour, markeredgewidth=0.9, elinewidth=0.9, capsize=2, label=f"state {name}",
        )  # fmt: skip
    ax.axhline(0.5, color=INK, linestyle=":", linewidth=0.8)
    ax.set(ylim=(-0.02, 1.02), xlabel=stimulus, ylabel=f"P({choice})")
    legend_above(ax, 5)
    return ax


def occupancy_bars(
    share: Float[np.ndarray, "sequences states"],
    names: Sequence[str],
    *,
    rare: float | int = 0.02,
    ax: Axes | None = None,
) -> Axes:
    """Share of all samples in every state, with a dot for every sequence.

    Args:
        share: Of the samples of each sequence in each state.
        rare: Share below which a state counts as rare, drawn as a line.
    """
    ax = axes_or_new(ax, height=0.8 + 0.4 * len(names))
    values, rows = np.asarray(share, float), np.arange(len(names))
    ax.barh(rows, 100 * values.mean(axis=0), color=state_colours(len(names)), edgecolor=INK, linewidth=0.8, height=0.6)
    jitter = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.zeros(1)
    for k in rows:
        ax.plot(
            100 * values[:, k], k + jitter, linestyle="none", marker="o", markersize=2.4, color=INK, alpha=0.5,
            markeredgewidth=0, label="each sequence" if k == 0 else None,
        )  # fmt: skip
    ax.axvline(100 * rare, color=INK, linestyle="--", linewidth=0.9, label=f"{100 * rare:g} %")
    ax.set_yticks(rows, [f"state {n}" for n in names])
    ax.set(xlim=(0, 103), ylim=(len(names) - 0.5, -0.5), xlabel="share of time (%)")
    ax.grid(visible=False, axis="y")
    legend_above(ax)
    return ax
