"""Recordings over their states: a raster of spike counts, or choices with the stimulus, above what the states do."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from neurolatent.plots.states import state_handles, state_probabilities, state_ribbon
from neurolatent.plots.style import ACCENT, ALARM, INK, MUTED, axes_or_new

MOST_UNIT_LABELS = 20


def spike_raster(
    time: ArrayLike, counts: Float[np.ndarray, "time units"], units: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Counts of every unit as shades of grey, darkest at its own largest count; NaN (not observed) is left white.

    Args:
        time: (time,) clock times, even.
        units: Names, from top to bottom.
    """
    ax = axes_or_new(ax)
    values, times = np.asarray(counts, float), np.asarray(time, float)
    top = np.nanmax(np.where(np.isfinite(values), values, 0), axis=0, initial=0.0)
    half = (times[1] - times[0]) / 2 if len(times) > 1 else 0.5
    extent = (times[0] - half, times[-1] + half, len(units) - 0.5, -0.5)
    shades = np.ma.masked_invalid(values / np.where(top > 0, top, 1)).T
    ax.imshow(shades, cmap="Greys", vmin=0, vmax=1, aspect="auto", extent=extent, interpolation="nearest")
    every = -(-len(units) // MOST_UNIT_LABELS)
    ax.set_yticks(range(0, len(units), every), [str(units[i]) for i in range(0, len(units), every)])
    ax.tick_params(axis="y", labelsize=6.5, length=0)
    ax.set_ylabel("unit")
    ax.grid(visible=False)
    return ax


def choice_strip(
    trial: ArrayLike,
    choice: ArrayLike,
    stimulus: ArrayLike,
    *,
    names: tuple[str, str],
    label: str,
    ax: Axes | None = None,
) -> Axes:
    """The stimulus of every trial as a bar, and the choice as a mark above (1) or below (0); missed trials have none.

    Args:
        trial: (trials,).
        choice: (trials,) 0 or 1, NaN where it was missed.
        stimulus: (trials,); its sign is the side.
        names: Words for a choice of 0 and of 1.
        label: Of the stimulus, with its unit.
    """
    ax = axes_or_new(ax, height=1.6)
    at, chosen, strength = (np.asarray(v, float) for v in (trial, choice, stimulus))
    reach = 1.25 * float(np.nanmax(np.abs(strength), initial=1e-9))
    ax.vlines(at, 0, strength, color=MUTED, linewidth=1.6)
    ax.axhline(0, color=INK, linewidth=0.6)
    ax.plot(at[chosen == 1], np.full((chosen == 1).sum(), reach), "^", color=ACCENT, markersize=3.4, label=names[1])
    ax.plot(
        at[chosen == 0], np.full((chosen == 0).sum(), -reach), "v", markerfacecolor="none", markeredgecolor=ALARM,
        markersize=3.4, markeredgewidth=0.9, label=names[0],
    )  # fmt: skip
    ax.set(ylim=(-1.15 * reach, 1.15 * reach), ylabel=label)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    return ax


def over_states(
    draw: Any,
    time: ArrayLike,
    probability: Float[np.ndarray, "time states"],
    path: ArrayLike,
    names: Sequence[str],
    *,
    unit: str,
    figure: Figure,
) -> list[Axes]:
    """A drawing of the data above the probabilities of the states and their likeliest course.

    Args:
        draw: Called with the upper axes as ``ax``.
        probability: Of each state given all data; NaN rows stay empty.
        path: (time,) likeliest states from 0; negative where unknown.
        names: Of the states.
        unit: Of the clock.
    """
    upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=(3.2, 1.4, 0.45))
    draw(ax=upper)
    state_probabilities(time, probability, names, ax=middle)
    state_ribbon(time, path, names, unit=unit, ax=lower)
    for ax in (upper, middle):
        ax.set_xlabel("")
    middle.set_ylabel("P(state)")
    figure.legend(handles=state_handles(names), loc="outside upper left", ncols=6, fontsize=8.5)
    return [upper, middle, lower]
