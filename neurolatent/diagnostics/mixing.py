"""R-hat of draws, told as infinite where it has no limit (Vehtari et al., 2021, Bayesian Analysis 16(2))."""

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Num

NO_LIMIT = "R-hat has no limit: chains differ, and none of them moves."


def rhat(draws: xr.Dataset) -> xr.Dataset:
    """Rank-normalised split R-hat of each entry over chains and draws.

    Infinite where nothing moves within any half of a chain while halves differ; the formula divides by zero there, and
    rounding makes of it a number of sixteen digits. NaN of fewer than two chains or four draws.

    Args:
        draws: Each variable with the dimensions ``chain`` and ``draw`` and any others.
    """
    import arviz_stats  # slow to import, and only draws need it

    statistics: Any = arviz_stats
    with np.errstate(divide="ignore", invalid="ignore"):
        found = statistics.rhat(draws)
    for name, values in draws.data_vars.items():
        still = stand_apart(values.transpose("chain", "draw", ...).values)
        found[name] = found[name].copy(data=np.where(still & ~np.isnan(found[name]), np.inf, found[name]))
    return found


def stand_apart(values: Num[np.ndarray, "chains draws *entries"]) -> Bool[np.ndarray, "*entries"]:
    """Whether halves of chains differ and nothing moves within any, in values or in their distances from the median.

    These are the two numbers of which R-hat takes the larger ratio.
    """
    half = values.shape[1] // 2
    halves = np.concatenate([values[:, :half], values[:, values.shape[1] - half :]])
    far = np.abs(halves - np.median(halves, axis=(0, 1)))
    return np.asarray(_apart(halves) | _apart(far))


def _apart(values: Num[np.ndarray, "halves draws *entries"]) -> Bool[np.ndarray, "*entries"]:
    return np.asarray((np.ptp(values, axis=1) == 0).all(axis=0) & (np.ptp(values, axis=(0, 1)) > 0))
