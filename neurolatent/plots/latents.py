"""Continuous latents: their courses with bands, against another signal, and how they leak between groups."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from neurolatent.plots.style import ACCENT, GRID, INK, axes_or_new, with_unit

BAND = 1.959963984540054  # standard deviations of a central 95 % interval
DARK = 0.75  # share of variance from which a cell is dark


class Course(NamedTuple):
    """Latents over one sequence."""

    name: str
    time: Float[np.ndarray, " bins"]
    mean: Float[np.ndarray, "bins latents"]
    sd: Float[np.ndarray, "bins latents"]
    truth: Float[np.ndarray, "bins latents"] | None = None


def latent_courses(
    courses: Sequence[Course], names: Sequence[str], *, clock: str, label: str = "", figure: Figure
) -> None:
    """A row of panels for each latent, a column for each sequence: mean, 95 % band, and the truth where it is known.

    Args:
        names: Of the latents.
        clock: Unit of the clock.
        label: Of the value axes; a latent has no unit of its own.
    """
    panels = figure.subplots(len(names), len(courses), sharex="col", sharey="row", squeeze=False)
    for place, name in enumerate(names):
        for ax, course in zip(panels[place], courses, strict=True):
            mean, half = course.mean[:, place], BAND * course.sd[:, place]
            ax.fill_between(
                course.time, mean - half, mean + half, facecolor=ACCENT, alpha=0.25, linewidth=0, label="95 % band"
            )
            ax.plot(course.time, mean, color=ACCENT, label="posterior mean")
            if course.truth is not None:
                ax.plot(course.time, course.truth[:, place], color=INK, linewidth=1.0, linestyle="--", label="true")
            if place == 0:
                ax.set_title(course.name)
        panels[place, 0].set_ylabel(with_unit(name, label))
    for ax in panels[-1]:
        ax.set_xlabel(with_unit("time", clock))
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3, fontsize=8.5)


def spikes_and_rates(
    time: ArrayLike, counts: ArrayLike, rates: ArrayLike, *, clock: str, unit: str, figure: Figure
) -> None:
    """Counts of one sequence beside the rates that the latents give, neuron by neuron, dark for many.

    Args:
        counts, rates: (bins, neurons).
        unit: Of the rates.
    """
    at = np.asarray(time, float)
    edge = (at[1] - at[0]) / 2 if len(at) > 1 else 0.5
    pairs = (("counts", "spikes per bin", np.asarray(counts, float)), ("rates", unit, np.asarray(rates, float)))
    panels = figure.subplots(1, 2, sharey=True)
    for ax, (title, words, values) in zip(panels, pairs, strict=True):
        extent = (at[0] - edge, at[-1] + edge, values.shape[1] + 0.5, 0.5)
        top = max(float(np.nanquantile(values, 0.99)), 1e-9)
        drawn = ax.imshow(values.T, aspect="auto", cmap="Greys", vmin=0, vmax=top, extent=extent, interpolation="none")
        ax.set(title=title, xlabel=with_unit("time", clock))
        ax.grid(visible=False)
        figure.colorbar(drawn, ax=ax, label=words, shrink=0.8)
    panels[0].set_ylabel("neuron")


def image_strip(seen: ArrayLike, told: ArrayLike, *, times: Sequence[float], clock: str, figure: Figure) -> None:
    """Frames of one sequence above their reconstructions.

    Args:
        seen, told: (frames, height, width), on one scale of brightness.
        times: Of the frames.
    """
    rows = (("seen", np.asarray(seen, float)), ("told", np.asarray(told, float)))
    low, high = float(np.nanmin(rows[0][1])), float(np.nanmax(rows[0][1]))
    panels = figure.subplots(2, len(rows[0][1]), squeeze=False)
    for line, (word, frames) in zip(panels, rows, strict=True):
        for ax, frame in zip(line, frames, strict=True):
            ax.imshow(frame, cmap="Greys_r", vmin=low, vmax=high)
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
        line[0].set_ylabel(word)
    for ax, time in zip(panels[0], times, strict=True):
        ax.set_title(f"{time:g}", fontsize=8.5, loc="center")
    figure.suptitle(with_unit("time", clock), fontsize=8.5)


def signal_and_reconstruction(
    time: ArrayLike, seen: ArrayLike, told: ArrayLike, *, clock: str, label: str, ax: Axes | None = None
) -> Axes:
    """One channel of behaviour and what the latents tell of it.

    Args:
        seen, told: (bins,).
    """
    ax = axes_or_new(ax)
    ax.plot(time, seen, color=INK, linewidth=1.0, linestyle="--", label="observed")
    ax.plot(time, told, color=ACCENT, label="told by the latents")
    ax.set(xlabel=with_unit("time", clock), ylabel=label)
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    return ax


def latent_against(latent: ArrayLike, signal: ArrayLike, *, name: str, label: str, ax: Axes | None = None) -> Axes:
    """A latent against a channel of behaviour, a dot for each bin.

    Args:
        latent, signal: (bins,).
    """
    ax = axes_or_new(ax, 4.4, 3.2)
    ax.plot(signal, latent, linestyle="none", marker=".", markersize=2.5, color=ACCENT, alpha=0.35)
    ax.set(xlabel=label, ylabel=name)
    return ax


def leakage_matrix(r2: ArrayLike, true: Sequence[str], estimated: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Share of variance of each true latent (row) that each single estimated one (column) tells.

    Args:
        r2: (true, estimated); below 0 it is drawn as nothing.
    """
    matrix = np.asarray(r2, float)
    ax = axes_or_new(ax, 1.6 + 0.8 * matrix.shape[1], 1.2 + 0.6 * matrix.shape[0])
    ax.imshow(np.clip(matrix, 0, 1), cmap="Greys", vmin=0, vmax=1.4, aspect="auto")
    for (row, column), value in np.ndenumerate(matrix):
        word = f"{value if abs(value) >= 0.005 else 0:.2f}".replace("-", "−")
        ax.text(column, row, word, ha="center", va="center", color="white" if value > DARK else INK, fontsize=8.5)
    ax.set_xticks(range(matrix.shape[1]), list(estimated))
    ax.set_yticks(range(matrix.shape[0]), list(true))
    ax.set_xticks(np.arange(matrix.shape[1] - 1) + 0.5, minor=True)
    ax.set(xlabel="estimated", ylabel="true")
    ax.grid(visible=False)
    ax.grid(visible=True, which="minor", color=GRID)
    ax.tick_params(length=0, which="both")
    return ax
