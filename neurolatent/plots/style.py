"""The look of our figures: a context of settings, never set at import, and colours that survive grey print."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

INK = "#1c2228"  # text and axes
MUTED = "#66707a"  # what stands back: ticks, notes, single restarts
GRID = "#dde2e7"
ACCENT = "#1f5fa6"  # the main line of a figure
ALARM = "#b3261e"  # alarms and limits
PAPER = "#fdfefe"  # edges that separate filled areas; the colour of the page

# Stops of the ramp of states, healthy to faulty: lightness falls all the way, hues differ for colour-blind readers.
RAMP = ("#c9e9df", "#f0b94f", "#d86b3d", "#98305a", "#3f1a4c")
RAMP_ON_DARK = ("#d3efe6", "#f0bb55", "#df7445", "#b8406f", "#6d4290")  # the same order, above a dark page
SERIES = ("#1f5fa6", "#c9691f", "#1d8a6c", "#8a4fa0", "#6b6f75", "#a8323e")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", ":", "-.")

SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial", "sans-serif"],
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "lines.linewidth": 1.3,
    "svg.fonttype": "none",
    "svg.hashsalt": "neurolatent",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Our settings of matplotlib, inside the ``with`` block only."""
    with mpl.rc_context(SETTINGS):
        yield


def state_colours(n_states: int, *, on_dark: bool = False) -> list[str]:
    """Colours of ordered states, the first one light and the last one dark.

    Args:
        on_dark: Colours for a dark page, in the same order.
    """
    stops = np.array([to_rgb(c) for c in (RAMP_ON_DARK if on_dark else RAMP)])
    at = np.linspace(0, 1, n_states) if n_states > 1 else np.zeros(1)
    mixed = [np.interp(at, np.linspace(0, 1, len(stops)), stops[:, c]) for c in range(3)]
    return [to_hex(rgb) for rgb in np.stack(mixed, axis=1)]


def axes_or_new(ax: Axes | None, width: float = 6.4, height: float = 3.0) -> Axes:
    """The axes that were given, or those of a new figure that a notebook shows.

    Args:
        width, height: Of a new figure, inches.
    """
    if ax is not None:
        return ax
    from matplotlib import pyplot  # chooses a screen or file backend, so only where a new figure is asked for

    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that no screen knows of, for files and pages.

    Args:
        width, height: Inches.
    """
    return Figure(figsize=(width, height), layout="constrained")


def legend_above(ax: Axes, columns: int = 3) -> None:
    """The legend over the axes, where it covers nothing."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, columnspacing=1.2, handlelength=1.6)


def with_unit(label: str, unit: str) -> str:
    """A label with its unit in brackets, where it has one."""
    return f"{label} ({unit})" if unit else label
