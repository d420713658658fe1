"""Weights of every state: squares for couplings, dots with intervals for covariates, and the learned connectome."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from neurolatent.plots.style import ACCENT, ALARM, INK, MARKERS, MUTED, axes_or_new, legend_above, state_colours

MOST_LABELS = 24  # beyond it every so many is labelled
MOST_SQUARES = 2500  # beyond it squares are drawn as points of an image in vector files


def weight_squares(
    weights: Float[np.ndarray, "targets regressors"],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    largest: float | int | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A square for each weight, of an area by its size: filled for positive, hollow for negative ones.

    Args:
        rows: Names of the targets, where a coupling goes to.
        columns: Names of the regressors, where it comes from.
        largest: Size that fills a cell; None takes that of the largest weight here.
    """
    ax = axes_or_new(ax, 3.4, 3.4)
    values = np.asarray(weights, float)
    top = float(np.nanmax(np.abs(values), initial=0.0)) if largest is None else float(largest)
    side = 0.92 * np.sqrt(np.abs(values) / top) if top > 0 else np.zeros_like(values)
    for sign, face, edge in ((1, ACCENT, ACCENT), (-1, "none", ALARM)):
        places = np.argwhere(sign * values > 0)
        squares = [
            Rectangle((c - side[r, c] / 2, r - side[r, c] / 2), side[r, c], side[r, c]) for r, c in places.tolist()
        ]
        many = len(squares) > MOST_SQUARES
        ax.add_collection(PatchCollection(squares, facecolor=face, edgecolor=edge, linewidth=0.9, rasterized=many))
    _label_cells(ax, rows, columns)
    if title:
        ax.set_title(title)
    return ax


def _label_cells(ax: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    for axis, names in ((ax.yaxis, rows), (ax.xaxis, columns)):
        every = -(-len(names) // MOST_LABELS)
        at = list(range(0, len(names), every))
        axis.set_ticks(at, [names[i] for i in at])
    turned = max((len(name) for name in columns), default=0) > 2
    ax.tick_params(axis="x", labelrotation=90 if turned else 0)
    ax.tick_params(length=0, labelsize=7 if max(len(rows), len(columns)) > 12 else 8.5)
    ax.set(xlim=(-0.6, len(columns) - 0.4), ylim=(len(rows) - 0.4, -0.6), aspect="equal")
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def weight_maps(
    weights: Float[np.ndarray, "maps targets regressors"],
    titles: Sequence[str],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    figure: Figure,
) -> list[Axes]:
    """Maps side by side on one scale, with its key: squares, filled for positive and hollow for negative weights.

    Args:
        titles: One per map, such as "state 1".
        rows: Names of the targets, where a coupling goes to.
        columns: Names of the regressors, where it comes from.
    """
    top = float(np.nanmax(np.abs(weights), initial=0.0))
    axes = figure.subplots(1, len(weights), sharey=True, squeeze=False)[0]
    for number, (ax, values, title) in enumerate(zip(axes, weights, titles, strict=True)):
        weight_squares(values, rows, columns, largest=top, title=title, ax=ax)
        ax.set_xlabel("from")
        if number == 0:
            ax.set_ylabel("to")
    figure.suptitle(
        f"filled blue: positive; hollow red: negative; a full cell: {top:.2g}", fontsize=8.5, color=MUTED, x=0.01,
        ha="left",
    )  # fmt: skip
    return list(axes)


def connectome_maps(
    probability: Float[np.ndarray, "targets regressors types"],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    figure: Figure,
) -> list[Axes]:
    """The connectome that all states share: the type of each pair, and how sure it is.

    Left: probability of excitatory less that of inhibitory, as squares. Right: entropy in bits, from 0 (sure) to
    log2(3) (nothing known), dark where nothing is known.

    Args:
        probability: Of [inhibitory, none, excitatory].
    """
    values = np.asarray(probability, float)
    first, second = figure.subplots(1, 2)
    weight_squares(values[..., 2] - values[..., 0], rows, columns, largest=1.0, ax=first)
    first.set_title("P(excitatory) less P(inhibitory)")
    entropy = type_entropy(values)
    image = second.imshow(entropy, cmap="Greys", vmin=0, vmax=np.log2(3), aspect="equal", interpolation="nearest")
    _label_cells(second, rows, columns)
    second.set_title("entropy (bits)")
    figure.colorbar(image, ax=second, shrink=0.7, label="bits")
    for ax in (first, second):
        ax.set(xlabel="from", ylabel="to")
    return [first, second]


def type_entropy(probability: Float[np.ndarray, "*pairs types"]) -> Float[np.ndarray, "*pairs"]:
    """Entropy of each pair's type, bits."""
    safe = np.where(probability > 0, probability, 1.0)
    return -(safe * np.log2(safe)).sum(axis=-1)


def covariate_weights(
    weights: Float[np.ndarray, "states covariates"],
    low: ArrayLike,
    high: ArrayLike,
    covariates: Sequence[str],
    states: Sequence[str],
    *,
    ax: Axes | None = None,
) -> Axes:
    """A dot with its interval for every covariate in every state.

    Args:
        low, high: (states, covariates) ends of the intervals; NaN draws none.
        covariates: Their names, with units where they have any.
        states: Names of the states.
    """
    ax = axes_or_new(ax)
    values, ends = np.asarray(weights, float), np.nan_to_num(np.stack([weights - np.asarray(low), high - weights]))
    spread = np.linspace(-0.3, 0.3, len(states)) if len(states) > 1 else np.zeros(1)
    ax.axhline(0, color=INK, linewidth=0.9)
    for k, colour in enumerate(state_colours(len(states))):
        ax.errorbar(
            np.arange(len(covariates)) + spread[k], values[k], yerr=np.abs(ends[:, k]), linestyle="none", color=INK,
            marker=MARKERS[k % len(MARKERS)], markersize=6.5, markerfacecolor=colour, markeredgewidth=0.9, capsize=2.5,
            elinewidth=1.1, label=f"state {states[k]}",
        )  # fmt: skip
    ax.set_xticks(range(len(covariates)), list(covariates))
    ax.set(xlim=(-0.6, len(covariates) - 0.4), ylabel="weight (log odds)")
    ax.grid(visible=False, axis="x")
    legend_above(ax, 5)
    return ax
