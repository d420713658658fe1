"""A table of arms side by side: a dot for each figure, with its interval where the table has one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from neurolatent.plots.style import ACCENT, INK, MUTED, axes_or_new, legend_above, with_unit


def figures_of(table: pd.DataFrame) -> list[str]:
    """Names of the numeric columns that are figures, not the ends of an interval of one."""
    numeric = [str(c) for c in table.columns if pd.api.types.is_numeric_dtype(table[c])]
    ends = {f"{name}_{end}" for name in numeric for end in ("low", "high")}
    return [name for name in numeric if name not in ends and not np.isnan(table[name].to_numpy(float)).all()]


def comparison_dots(
    table: pd.DataFrame,
    figure: str,
    *,
    unit: str = "",
    arms: Sequence[str] | None = None,
    label: str | None = None,
    reference: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """One figure of all arms, the first row on top.

    Args:
        table: One row per arm, named by the index; ``figure`` is a column; ``figure_low`` and ``figure_high``, where
            they exist, are the ends of its interval.
        unit: Of the figure.
        arms: Labels of the rows; None takes the index.
        label: Words for the figure; None takes its name.
        reference: A value to compare with, drawn as a line.
    """
    ax = axes_or_new(ax, height=0.9 + 0.3 * len(table))
    labels = [str(i) for i in (table.index if arms is None else arms)]
    rows, values = np.arange(len(table)), table[figure].to_numpy(float)
    if {f"{figure}_low", f"{figure}_high"} <= {str(c) for c in table.columns}:
        low, high = (table[f"{figure}_{end}"].to_numpy(float) for end in ("low", "high"))
        ax.hlines(rows, low, high, color=MUTED, linewidth=1.6, label="interval")
        legend_above(ax)
    if reference is not None:
        ax.axvline(reference, color=INK, linestyle="--", linewidth=1.0)
    ax.plot(values, rows, linestyle="none", marker="o", markersize=5.5, color=ACCENT)
    ax.set_yticks(rows, labels)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.margins(x=0.08)
    ax.locator_params(axis="x", nbins=5)  # long numbers would run into each other
    ax.set_xlabel(with_unit(label or figure.replace("_", " "), unit))
    ax.grid(visible=False, axis="y")
    return ax
