"""How long states last: stays along the likeliest path against the geometric law that the chain implies."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.patheffects import Normal, withStroke
from scipy import stats

from neurolatent.plots.style import INK, MARKERS, axes_or_new, legend_above, state_colours, with_unit


class Stays(NamedTuple):
    """Stays in one state along the likeliest paths."""

    samples: Int[np.ndarray, " stays"]
    cut: Bool[np.ndarray, " stays"]  # touch the start or the end of a sequence: they lasted at least so long
    leave: float  # probability to leave, per sample, by the chain


def survival(stays: Stays) -> tuple[Float[np.ndarray, " steps"], Float[np.ndarray, " steps"]]:
    """Lengths (samples) and the share of stays that last longer, by Kaplan and Meier (1958)."""
    if not len(stays.samples) or stays.cut.all():
        return np.zeros(0), np.zeros(0)
    whole, cut = (stays.samples[mask].astype(float) for mask in (~stays.cut, stays.cut))
    found = stats.ecdf(stats.CensoredData(whole, right=cut)).sf
    return np.asarray(found.quantiles, float), np.asarray(found.probabilities, float)


def dwell_times(
    states: Mapping[str, Stays], *, bin_width: float | int = 1.0, unit: str = "", ax: Axes | None = None
) -> Axes:
    """Share of stays that last longer than a time, by the paths (steps) and by the chain (dashed), one pair per state.

    Args:
        states: By the name of the state, in order.
        bin_width: Clock time of a sample.
        unit: Of the clock.
    """
    ax = axes_or_new(ax)
    outline = [withStroke(linewidth=3.0, foreground=INK), Normal()]
    longest = max([int(s.samples.max(initial=1)) for s in states.values()], default=1)
    for k, (colour, (name, stays)) in enumerate(zip(state_colours(len(states)), states.items(), strict=True)):
        at, share = survival(stays)
        grid = np.arange(1, longest + 1)
        ax.plot(grid * bin_width, (1 - stays.leave) ** grid, color=INK, linestyle="--", linewidth=0.9)
        if len(at):
            ax.step(
                np.append(0, at) * bin_width, np.append(1.0, share), where="post", color=colour, linewidth=1.8,
                path_effects=outline,
            )  # fmt: skip
        mean = f"mean {bin_width / stays.leave:.3g}" if stays.leave > 0 else "never left"
        ax.plot(
            [bin_width / stays.leave if stays.leave > 0 else np.nan], [np.exp(-1)], linestyle="none", color=INK,
            marker=MARKERS[k % len(MARKERS)], markerfacecolor=colour, markersize=6.5,
            label=f"state {name}: {mean}",
        )  # fmt: skip
    ax.set(xlim=(0, longest * bin_width), ylim=(0, 1.03), ylabel="share of stays that last longer")
    ax.set_xlabel(with_unit("length of a stay", unit))
    legend_above(ax, 2)
    return ax


def stays_of(paths: list[np.ndarray], state: int, leave: float) -> Stays:
    """The stays in a state along paths, one per sequence; negative numbers are unknown and cut a stay."""
    samples, cut = [], []
    for path in paths:
        edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
        for first, last in zip(edges[:-1], edges[1:], strict=True):
            if path[first] == state:
                samples.append(last - first)
                unknown = (first > 0 and path[first - 1] < 0) or (last < len(path) and path[last] < 0)
                cut.append(first == 0 or last == len(path) or unknown)
    return Stays(np.array(samples, int), np.array(cut, bool), leave)
