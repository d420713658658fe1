"""At which quantile of its remaining life a unit should be taken off: what each costs, for several failures."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter
from numpy.typing import ArrayLike

from neurolatent.plots.style import PAPER, SERIES, axes_or_new, legend_above, with_unit

DASHES = ("solid", "dashed", "dashdot", "dotted", (0, (5, 1)), (0, (1, 2)))


def cost_curves(
    levels: ArrayLike,
    costs: Mapping[float, Float[np.ndarray, " levels"]],
    *,
    unit: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Mean cost per unit against the quantile that is acted at; a diamond, and the legend, tell the least of each.

    Args:
        levels: (levels,) of the quantiles.
        costs: Cost of a failure to the mean costs.
        unit: Of both, clock units of life.
    """
    ax = axes_or_new(ax)
    at = 100 * np.asarray(levels, float)
    for number, (failure, values) in enumerate(costs.items()):
        cost, colour = np.asarray(values, float), SERIES[number % len(SERIES)]
        best, dash = int(np.nanargmin(cost)), DASHES[number % len(DASHES)]
        ax.plot(at, cost, color=colour, linestyle=dash, label=f"{failure:g}: {at[best]:.0f} %")
        ax.plot(at[best], cost[best], color=colour, marker="D", markersize=6.5, markeredgecolor=PAPER, linestyle="none")
    ax.set(xscale="log", yscale="log")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_locator(NullLocator())
    ax.margins(y=0.14)
    ax.set(xlim=(0.9 * at[0], 100), xlabel="act at this quantile of remaining life (%)")
    ax.set_ylabel(with_unit("mean cost per unit", unit))
    legend_above(ax, 5)
    legend = ax.get_legend()
    if legend is not None:
        legend.set_title(f"{with_unit('cost of a failure', unit)}, and where it is best to act")
        legend.get_title().set_fontsize(8.5)
        legend.set_alignment("left")
    return ax
