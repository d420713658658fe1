"""Temporal patterns: parts of an objective, latents of prior and posterior, what a network makes and foresees."""

import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from neurolatent.plots.style import (
    ACCENT,
    ALARM,
    DASHES,
    GRID,
    INK,
    MARKERS,
    MUTED,
    PAPER,
    SERIES,
    axes_or_new,
    house_style,
    legend_above,
    new_figure,
    with_unit,
)

FRAME = 400  # milliseconds of a frame


class LatentCourse(NamedTuple):
    """One latent unit over a sequence: what the data say of it, and what the network expected."""

    name: str
    posterior: Float[np.ndarray, "2 time"]  # mean and standard deviation
    prior: Float[np.ndarray, "2 time"]


def objective_parts(parts: Mapping[str, ArrayLike], *, ax: Axes | None = None) -> Axes:
    """The parts of an objective over the epochs, both axes logarithmic.

    Args:
        parts: Name to (epochs,) nats per sequence; values at or below 0 are not drawn.
    """
    ax = axes_or_new(ax)
    for number, (name, given) in enumerate(parts.items()):
        values = np.asarray(given, float)
        epochs = np.arange(1, len(values) + 1)
        picks = np.unique(np.geomspace(1, len(values), min(400, len(values))).astype(int)) - 1
        drawn = np.where(values > 0, values, np.nan)[picks]
        ax.plot(epochs[picks], drawn, color=SERIES[number % len(SERIES)], linestyle=DASHES[number % 4], label=name)
    ax.set(xscale="log", yscale="log", xlabel="epoch", ylabel="nats per sequence")
    legend_above(ax)
    return ax


def latent_layers(
    time: ArrayLike, latents: Sequence[LatentCourse], activity: Mapping[str, ArrayLike], *, clock: str, figure: Figure
) -> None:
    """Latents of all layers, and the activity of each layer, over one time axis; the top layer stands on top.

    Args:
        latents: Lowest layer first.
        activity: Layer to (time, units).
    """
    rows = len(latents) + len(activity)
    panels = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    at = np.asarray(time, float)
    for ax, unit in zip(panels, reversed(list(latents)), strict=False):
        for (mean, sd), colour, dash, name in (
            (unit.prior, MUTED, "--", "prior"),
            (unit.posterior, ACCENT, "-", "posterior"),
        ):
            ax.fill_between(at, mean - sd, mean + sd, facecolor=colour, alpha=0.2, linewidth=0)
            ax.plot(at, mean, color=colour, linestyle=dash, label=f"{name}, mean ± 1 sd")
        ax.set_ylabel(unit.name.replace(" unit", "\nz"), fontsize=8.5)
    for ax, (name, values) in zip(panels[len(latents) :], reversed(list(activity.items())), strict=True):
        ax.plot(at, np.asarray(values, float), color=INK, linewidth=0.6, alpha=0.55)
        ax.set(ylabel=f"{name}\nd", ylim=(-1.05, 1.05))
        ax.yaxis.label.set_fontsize(8.5)
    panels[-1].set_xlabel(with_unit("time", clock))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize=8.5)


def told_courses(
    courses: Sequence[tuple[str, ArrayLike, ArrayLike]], channels: Sequence[str], *, clock: str, figure: Figure
) -> None:
    """Observed and told values of some sequences: a row for each channel, a column for each sequence.

    Args:
        courses: Name, observed and told values (time, channels) of each sequence.
    """
    panels = figure.subplots(len(channels), len(courses), sharex=True, sharey="row", squeeze=False)
    for column, (name, seen, told) in enumerate(courses):
        for row, channel in enumerate(channels):
            ax = panels[row, column]
            ax.plot(np.asarray(seen, float)[:, row], color=INK, linestyle="--", linewidth=1.0, label="observed")
            ax.plot(np.asarray(told, float)[:, row], color=ACCENT, label="told")
            if column == 0:
                ax.set_ylabel(channel)
        panels[0, column].set_title(name)
        panels[-1, column].set_xlabel(with_unit("time", clock))
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize=8.5)


def told_symbols(
    courses: Sequence[tuple[str, ArrayLike, ArrayLike]], symbols: Sequence[str], *, clock: str, figure: Figure
) -> None:
    """Probabilities of symbols, dark for likely, and a mark at the symbol that was observed.

    Args:
        courses: Name, observed numbers (time,) and probabilities (time, symbols) of each sequence.
    """
    panels = figure.subplots(len(courses), 1, sharex=True, squeeze=False)[:, 0]
    for ax, (name, seen, told) in zip(panels, courses, strict=True):
        ax.imshow(np.asarray(told, float).T, aspect="auto", cmap="Greys", vmin=0, vmax=1.3, interpolation="none")
        at = np.asarray(seen, float)
        mark = {"marker": "o", "markersize": 4.5, "markerfacecolor": PAPER, "markeredgecolor": ACCENT}
        ax.plot(np.arange(len(at)), at, linestyle="none", **mark)
        ax.set_yticks(range(len(symbols)), list(symbols))
        ax.set_ylabel(name, fontsize=8.5)
        ax.grid(visible=False)
    panels[-1].set_xlabel(with_unit("time", clock))


def plane_paths(
    training: Sequence[ArrayLike], made: Sequence[ArrayLike], channels: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Paths in the plane: those of the training data, and those that the network made.

    Args:
        training, made: (time, 2) each.
    """
    ax = axes_or_new(ax, 4.4, 4.0)
    for number, path in enumerate(training):
        x, y = np.asarray(path, float).T
        ax.plot(x, y, color=GRID, linewidth=2.5, label=None if number else "training")
    for number, path in enumerate(made):
        x, y = np.asarray(path, float).T
        ax.plot(x, y, color=ACCENT, linewidth=0.9, label=None if number else "made by the prior")
    ax.set(xlabel=channels[0], ylabel=channels[1])
    legend_above(ax)
    return ax


def lead_curve(leads: ArrayLike, errors: Mapping[str, ArrayLike], *, ax: Axes | None = None) -> Axes:
    """Errors by how far ahead they look.

    Args:
        errors: Method to (leads,) root mean squared errors.
    """
    ax = axes_or_new(ax)
    for number, (name, values) in enumerate(errors.items()):
        colour, dash = SERIES[number % len(SERIES)], DASHES[number % len(DASHES)]
        ax.plot(leads, values, color=colour, linestyle=dash, marker=MARKERS[number % 6], markersize=4, label=name)
    ax.set(xlabel="steps ahead", ylabel="error (rms)")
    ax.set_ylim(bottom=0)
    legend_above(ax)
    return ax


class Watched(NamedTuple):
    """One sequence as error regression follows it."""

    seen: Float[np.ndarray, "time channels"]
    told: Float[np.ndarray, "time channels"]  # each observation, as the window reconstructed it when it came
    mean: Float[np.ndarray, "time horizon channels"]
    low: Float[np.ndarray, "time horizon channels"]
    high: Float[np.ndarray, "time horizon channels"]
    window: int


def regression_frame(watched: Watched, at: int, channels: Sequence[str], *, figure: Figure) -> None:
    """What is known after one observation: the window, what it tells, what is foreseen, and the error so far."""
    count, horizon = len(watched.seen), watched.mean.shape[1]
    panels = figure.subplots(len(channels) + 1, 1, sharex=True)
    ahead = np.arange(at + 1, at + 1 + horizon)
    for channel, ax in enumerate(panels[:-1]):
        ax.axvspan(max(at - watched.window + 1, 0) - 0.5, at + 0.5, color=GRID, alpha=0.7, linewidth=0)
        ax.plot(watched.seen[:, channel], color=MUTED, linewidth=0.8, linestyle=":", label="to come")
        ax.plot(watched.seen[: at + 1, channel], color=INK, linestyle="--", linewidth=1.0, label="observed")
        ax.plot(watched.told[: at + 1, channel], color=ACCENT, label="recognised")
        low, high = (part[at, :, channel] for part in (watched.low, watched.high))
        ax.fill_between(ahead, low, high, facecolor=ALARM, alpha=0.18, linewidth=0)
        ax.plot(ahead, watched.mean[at, :, channel], color=ALARM, linestyle="-.", label="foreseen, 5 to 95 %")
        span = np.nanmax(watched.seen[:, channel]) - np.nanmin(watched.seen[:, channel])
        ax.set_ylim(
            np.nanmin(watched.seen[:, channel]) - 0.15 * span, np.nanmax(watched.seen[:, channel]) + 0.15 * span
        )
        ax.set_ylabel(channels[channel])
    error = np.sqrt(np.mean((watched.mean[: count - 1, 0] - watched.seen[1:]) ** 2, axis=1))
    panels[-1].plot(np.arange(1, at + 1), error[:at], color=INK)
    panels[-1].set(ylabel="error, one\nstep ahead", xlabel="step", xlim=(0, count - 1 + horizon))
    panels[-1].set_ylim(0, max(float(np.nanmax(error)) * 1.05, 1e-9))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=4, fontsize=8)


def regression_animation(watched: Watched, channels: Sequence[str], *, most: int = 25) -> bytes:
    """A GIF of error regression along a sequence, of at most so many evenly spread frames."""
    from PIL import Image  # comes with matplotlib, and only this figure needs it

    frames = []
    for at in np.unique(np.linspace(0, len(watched.seen) - 1, most).astype(int)):
        with house_style():
            figure = new_figure(6.8, 1.2 + 1.1 * (len(channels) + 1))
            regression_frame(watched, int(at), channels, figure=figure)
            page = io.BytesIO()
            figure.savefig(page, format="png", dpi=110, facecolor="white")
            frames.append(Image.open(page).convert("P", palette=Image.Palette.ADAPTIVE, colors=32))
            figure.clear()
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=FRAME, loop=0, optimize=True)
    return out.getvalue()
