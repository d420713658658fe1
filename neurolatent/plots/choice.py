"""The picture of a choice: held-out score of every candidate, fold by fold, with the one that is recommended."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from neurolatent.plots.style import ACCENT, ALARM, INK, MUTED, axes_or_new, legend_above


def held_out_curve(
    folds: Float[np.ndarray, "folds candidates"],
    overall: ArrayLike,
    error: ArrayLike,
    names: Sequence[str],
    *,
    chosen: int,
    label: str,
    ax: Axes | None = None,
) -> Axes:
    """Scores along the candidates: thin lines are folds, the thick one is all held-out data.

    Bars that reach the dashed line, the best score, belong to candidates within one standard error of it.

    Args:
        folds: Score of each candidate in each fold.
        overall: (candidates,) score on all held-out data.
        error: (candidates,) standard error of the difference to the best, in units of the score; NaN draws no bar.
        chosen: Number of the recommended candidate, which gets a ring.
        label: Of the score, with its unit.
    """
    ax = axes_or_new(ax)
    at, scores = np.arange(len(names)), np.asarray(overall, float)
    for number, row in enumerate(np.asarray(folds, float)):
        ax.plot(
            at, row, color=MUTED, alpha=0.55, linewidth=0.8, marker="o", markersize=2.4,
            label=f"each fold ({len(folds)})" if number == 0 else None,
        )  # fmt: skip
    ax.axhline(np.nanmax(scores), color=INK, linestyle="--", linewidth=0.9)
    ax.errorbar(
        at, scores, yerr=np.nan_to_num(np.asarray(error, float)), color=ACCENT, marker="s", markersize=4.5,
        linewidth=1.8, capsize=3, label="all, ± 1 standard error",
    )  # fmt: skip
    ax.plot(
        at[chosen], scores[chosen], linestyle="none", marker="o", markersize=13, markerfacecolor="none",
        markeredgecolor=ALARM, markeredgewidth=1.8, label="recommended",
    )  # fmt: skip
    ax.set_xticks(at, list(names))
    ax.set(xlim=(-0.5, len(names) - 0.5), ylabel=label)
    legend_above(ax)
    return ax
