"""Chains of a sampler: traces, rank histograms, and the table of convergence that stands beside them."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from neurolatent.diagnostics.mixing import rhat
from neurolatent.plots.style import INK, SERIES, axes_or_new

CHAIN_STYLES = ("-", "--", ":", "-.")


def chain_traces(draws: ArrayLike, *, label: str = "value", ax: Axes | None = None) -> Axes:
    """Draws along each chain; chains that found the same place overlap.

    Args:
        draws: (chains, draws).
        label: Name of the parameter, with its unit.
    """
    ax = axes_or_new(ax, height=2.0)
    for chain, row in enumerate(np.atleast_2d(np.asarray(draws, float))):
        ax.plot(
            np.arange(1, len(row) + 1), row,
            color=SERIES[chain % len(SERIES)], linewidth=0.6, alpha=0.8, label=f"chain {chain + 1}",
        )  # fmt: skip
    ax.set(xlabel="draw", ylabel=label)
    return ax


def rank_histograms(draws: ArrayLike, *, label: str = "value", bins: int = 20, ax: Axes | None = None) -> Axes:
    """How the ranks of each chain's draws among all draws are spread: flat at 1 where the chains agree.

    Args:
        draws: (chains, draws).
        label: Name of the parameter, for the title.

    Reference: Vehtari et al. (2021), Bayesian Analysis 16(2), section 4.3.
    """
    ax = axes_or_new(ax, height=2.0)
    values = np.atleast_2d(np.asarray(draws, float))
    ranks = rankdata(values, method="average").reshape(values.shape) / values.size
    for chain, row in enumerate(ranks):
        count, edges = np.histogram(row, bins=bins, range=(0, 1))
        ax.stairs(
            count * bins / len(row), edges,
            color=SERIES[chain % len(SERIES)], linestyle=CHAIN_STYLES[chain % len(CHAIN_STYLES)],
            label=f"chain {chain + 1}",
        )  # fmt: skip
    ax.axhline(1.0, color=INK, linewidth=0.8, alpha=0.6)
    ax.set(xlim=(0, 1), xlabel="rank among all draws", ylabel="density", title=label)
    return ax


def varying(posterior: xr.Dataset) -> dict[str, np.ndarray]:
    """(chain, draw) draws of each single parameter that is not constant, by a readable name."""
    out = {}
    for name, array in posterior.data_vars.items():
        dims = [d for d in array.dims if d not in ("chain", "draw")]
        values = array.transpose("chain", "draw", *dims).values
        for index in np.ndindex(*values.shape[2:]):
            labels = [str(array[d].values[i]) for d, i in zip(dims, index, strict=True)]
            column = values[(slice(None), slice(None), *index)]
            if np.ptp(column) > 0:
                out[f"{name}[{', '.join(labels)}]" if labels else str(name)] = column
    return out


def posterior_summary(posterior: xr.Dataset) -> pd.DataFrame:
    """Mean, sd, 5 % and 95 % points of each parameter that is not constant."""
    rows = []
    for name, values in varying(posterior).items():
        low, high = np.quantile(values, [0.05, 0.95])
        rows.append({"parameter": name, "mean": values.mean(), "sd": values.std(ddof=1), "5 %": low, "95 %": high})
    return pd.DataFrame(rows)


def chain_summary(posterior: xr.Dataset) -> pd.DataFrame:
    """The summary of a posterior with R-hat (infinite without a limit) and effective sample sizes beside it."""
    import arviz_stats  # slow to import, and only draws need it

    stats: Any = arviz_stats
    draws = varying(posterior)
    data = xr.Dataset({f"p{n}": (("chain", "draw"), v) for n, v in enumerate(draws.values())})
    found: dict[str, Any] = {
        "R-hat": rhat(data),
        "bulk ESS": stats.ess(data, method="bulk"),
        "tail ESS": stats.ess(data, method="tail"),
    }
    columns = {key: [float(result[f"p{n}"]) for n in range(len(draws))] for key, result in found.items()}
    return posterior_summary(posterior).assign(**columns)
