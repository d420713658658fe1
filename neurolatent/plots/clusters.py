"""Neurons in clusters: counts sorted by cluster, how often two items meet, how many blocks there are, and courses."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from neurolatent.plots.style import ACCENT, ALARM, GRID, INK, MARKERS, MUTED, SERIES, axes_or_new, with_unit

FEW = 3  # neurons of a cluster below which its name has no room beside the raster
BRIGHT = 0.99  # quantile of a neuron's counts that is drawn black


class Epoch(NamedTuple):
    """A stretch of the experiment, such as a stimulus."""

    begin: float
    end: float
    name: str


def sorted_by(label: ArrayLike, group: Sequence[str] | None = None) -> Int[np.ndarray, " items"]:
    """Items by block, and within a block by their group: areas, say."""
    blocks = np.asarray(label, int)
    second = np.zeros(len(blocks), int) if group is None else np.unique(np.asarray(group, str), return_inverse=True)[1]
    return np.lexsort((np.arange(len(blocks)), second, blocks))


def clustered_raster(
    time: ArrayLike,
    counts: Float[np.ndarray, "bins neurons"],
    label: ArrayLike,
    *,
    group: Sequence[str] | None = None,
    epochs: Sequence[Epoch] = (),
    unit: str = "",
    figure: Figure,
) -> Axes:
    """Counts of neurons sorted by cluster, each in shades up to its own bright counts, with their groups beside.

    Args:
        time: (bins,) clock times, even.
        counts: NaN where nothing was observed: left white.
        label: (neurons,) clusters from 0.
        group: Of each neuron: its area, say.
        epochs: Drawn above.
        unit: Of the clock.
    """
    order, blocks = sorted_by(label, group), np.asarray(label, int)
    times, values = np.asarray(time, float), np.asarray(counts, float)[:, order]
    top = np.maximum(np.nanquantile(values, BRIGHT, axis=0), 1.0)
    half = (times[1] - times[0]) / 2 if len(times) > 1 else 0.5
    extent = (times[0] - half, times[-1] + half, len(order) - 0.5, -0.5)
    if group is None:
        ax = leftmost = figure.subplots()
    else:
        leftmost, ax = figure.subplots(1, 2, width_ratios=(1, 40), sharey=True, gridspec_kw={"wspace": 0.02})
        _group_strip([str(group[i]) for i in order], leftmost)
    shades = np.ma.masked_invalid(values / top).T
    ax.imshow(shades, cmap="Greys", vmin=0, vmax=1, aspect="auto", extent=extent, interpolation="nearest")
    for block, first, last in _runs(blocks[order]):
        if first:
            ax.axhline(first - 0.5, color=ALARM, linewidth=0.9)
        if last - first >= FEW or len(order) < 40:
            words = f"{block + 1} ({last - first})"
            ax.text(1.005, (first + last - 1) / 2, words, transform=ax.get_yaxis_transform(), va="center", fontsize=8)
    ax.text(1.005, -0.02, "cluster\n(neurons)", transform=ax.transAxes, va="top", fontsize=8, color=MUTED)
    ax.set(yticks=[], xlabel=with_unit("time", unit))
    leftmost.set_ylabel("neurons")
    ax.grid(visible=False)
    mark_epochs(ax, epochs)
    return ax


def _group_strip(names: Sequence[str], ax: Axes) -> None:
    """A strip of colours with a legend; lightness differs, so that it survives grey print."""
    kinds = sorted(set(names))
    for place, name in enumerate(names):
        ax.axhspan(place - 0.5, place + 0.5, facecolor=_group_colour(kinds.index(name), len(kinds)), linewidth=0)
    handles = [ax.axhspan(-9, -9, facecolor=_group_colour(n, len(kinds)), label=kind) for n, kind in enumerate(kinds)]
    ax.set(xticks=[], yticks=[], ylim=(len(names) - 0.5, -0.5))
    ax.grid(visible=False)
    figure = ax.get_figure()
    assert figure is not None
    figure.legend(handles=handles, loc="outside upper left", ncols=8, fontsize=8.5)


def _group_colour(number: int, of: int) -> str:
    """From light to dark."""
    ramp = ("#cfe3f1", "#7fb0d6", "#2f6ea6", "#173a5e", "#f0c78a", "#b5732c")
    return ramp[number % len(ramp)] if of > 3 else ("#d5e5f0", "#6f9fc8", "#1c3f66")[number]


def mark_epochs(ax: Axes, epochs: Sequence[Epoch]) -> None:
    """Lines above the axes, with the names of the epochs; nothing crosses the data."""
    edge = ax.get_xaxis_transform()
    for number, epoch in enumerate(epochs):
        colour = (INK, MUTED)[number % 2]
        span = [epoch.begin, epoch.end]
        ax.plot(span, [1.02, 1.02], transform=edge, color=colour, linewidth=2.4, clip_on=False, solid_capstyle="butt")
        middle = (epoch.begin + epoch.end) / 2
        ax.text(middle, 1.04, epoch.name, transform=edge, ha="center", va="bottom", fontsize=8)


def similarity_matrix(
    together: Float[np.ndarray, "items items"],
    label: ArrayLike,
    *,
    group: Sequence[str] | None = None,
    what: str = "neurons",
    ax: Axes | None = None,
) -> Axes:
    """Share of the draws in which two items are in one block, sorted by a partition whose blocks are framed.

    Args:
        label: (items,) the partition.
        what: Word for the items.
    """
    ax = axes_or_new(ax, 4.4, 3.8)
    order, blocks = sorted_by(label, group), np.asarray(label, int)
    drawn = ax.imshow(together[np.ix_(order, order)], cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    for _, first, last in _runs(blocks[order]):
        edge = np.array([first, last]) - 0.5
        square = np.array([edge[[0, 1, 1, 0, 0]], edge[[0, 0, 1, 1, 0]]])
        ax.plot(*square, color=ALARM, linewidth=1.1, clip_on=False)
    ax.set(xlabel=f"{what}, by block", ylabel=f"{what}, by block", xticks=[], yticks=[])
    ax.grid(visible=False)
    figure = ax.get_figure()
    assert figure is not None
    figure.colorbar(drawn, ax=ax, label="share of draws together", shrink=0.85)
    return ax


def bin_similarity(
    time: ArrayLike, together: Float[np.ndarray, "bins bins"], *, unit: str = "", ax: Axes | None = None
) -> Axes:
    """Share of the draws in which two bins are in one state, in the order of time.

    Args:
        time: (bins,) clock times, even.
        unit: Of the clock.
    """
    ax = axes_or_new(ax, 4.4, 3.8)
    times = np.asarray(time, float)
    extent = (times[0], times[-1], times[-1], times[0])
    drawn = ax.imshow(together, cmap="Greys", vmin=0, vmax=1, extent=extent, interpolation="nearest")
    ax.set(xlabel=with_unit("time", unit), ylabel=with_unit("time", unit))
    ax.grid(visible=False)
    figure = ax.get_figure()
    assert figure is not None
    figure.colorbar(drawn, ax=ax, label="share of draws in one state", shrink=0.85)
    return ax


def block_counts(numbers: Int[np.ndarray, "chains draws"], *, what: str, ax: Axes | None = None) -> Axes:
    """Posterior of a number of blocks: bars over all chains, a marker for each chain.

    Args:
        what: Word for the blocks: clusters, states.
    """
    ax = axes_or_new(ax, 4.4, 2.6)
    values = np.arange(int(numbers.min()), int(numbers.max()) + 1)
    share = (numbers[..., None] == values).mean(axis=1)
    ax.bar(values, share.mean(axis=0), width=0.8, facecolor=GRID, edgecolor=MUTED, linewidth=0.6, label="all chains")
    across = 0.5 * (np.arange(len(share)) - (len(share) - 1) / 2) / max(len(share), 1)
    for chain, own in enumerate(share):
        ax.plot(
            values + across[chain], own, linestyle="none", marker=MARKERS[chain % len(MARKERS)], markersize=4,
            color=SERIES[chain % len(SERIES)], label=f"chain {chain + 1}", clip_on=False,
        )  # fmt: skip
    ax.set(xlabel=f"number of {what}", ylabel="posterior share", ylim=(0, None))
    ax.set_xticks(values if len(values) <= 15 else values[:: -(-len(values) // 15)])
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def cluster_courses(
    time: ArrayLike,
    mean: Float[np.ndarray, "bins clusters"],
    low: Float[np.ndarray, "bins clusters"],
    high: Float[np.ndarray, "bins clusters"],
    names: Sequence[str],
    *,
    truth: Float[np.ndarray, "bins clusters"] | None = None,
    epochs: Sequence[Epoch] = (),
    unit: str = "",
    label: str,
    figure: Figure,
) -> None:
    """What each cluster does in time: posterior mean and 95 % band, one panel above the other.

    Args:
        time: (bins,) clock times.
        names: Of the clusters.
        truth: Where it is known.
        epochs: Drawn above the first panel.
        unit: Of the clock.
        label: Of the value axes.
    """
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for number, (ax, name) in enumerate(zip(panels, names, strict=True)):
        ax.fill_between(
            time, low[:, number], high[:, number], facecolor=ACCENT, alpha=0.3, linewidth=0, label="95 % band"
        )
        ax.plot(time, mean[:, number], color=ACCENT, linewidth=1.0, label="posterior mean")
        if truth is not None:
            ax.plot(time, truth[:, number], color=INK, linewidth=0.9, linestyle="--", label="true")
        ax.set_title(name)
    panels[-1].set_xlabel(with_unit("time", unit))
    figure.supylabel(label, fontsize=9.5)
    mark_epochs(panels[0], epochs)
    if epochs:
        panels[0].set_title(names[0], pad=18)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=3, fontsize=8.5)


def _runs(blocks: np.ndarray) -> list[tuple[int, int, int]]:
    """(block, first, last + 1) of sorted blocks."""
    edges = [0, *(np.flatnonzero(np.diff(blocks)) + 1).tolist(), len(blocks)]
    return [(int(blocks[a]), a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]
