"""What intervals of remaining life promise and what they hold, from rows whose truth is known."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from neurolatent.prognostics.calibration import LEVELS, thirds
from neurolatent.prognostics.measures import MASSES, THIRDS, Measured
from neurolatent.prognostics.prognosis import FUSION
from neurolatent.prognostics.scores import alpha_lambda, interval_of

ALL = "all"
WHERE = {ALL: "overall", "near": "near failure", "middle": "in the middle", "far": "far from failure"}
PROMISED = np.arange(2, 20) / 20  # 10 to 95 %, in steps of 5
LIFE_EDGES = np.linspace(0.0, 1.0, 11)  # of the bins of the share of life


def groups_of(measured: Measured) -> dict[str, np.ndarray]:
    """Masks of all answered rows, and of those in each third of the remaining life; thirds without a row are left out.

    They are the groups of :func:`neurolatent.prognostics.measures.line_figures` for the fusion.
    """
    known = np.isfinite(measured.told[FUSION].mean)
    groups = {ALL: known}
    for name, third in zip(THIRDS, thirds(measured.left[known]), strict=True):
        groups[name] = np.zeros(len(known), bool)
        groups[name][np.flatnonzero(known)[third]] = True
    return {name: rows for name, rows in groups.items() if rows.any()}


def coverage_by_third(
    measured: Measured, promised: Float[np.ndarray, " masses"] = PROMISED
) -> dict[str, Float[np.ndarray, " masses"]]:
    """Share of the true lives inside the fusion's central intervals, in all and in each third of remaining life."""
    quantile, left = measured.told[FUSION].quantile, measured.left
    inside = []
    for mass in promised:
        low, high = interval_of(quantile, LEVELS, float(mass))
        inside.append((left >= low) & (left <= high))
    return {name: np.array([held[rows].mean() for held in inside]) for name, rows in groups_of(measured).items()}


def coverage_table(measured: Measured, masses: Sequence[float] = MASSES) -> pd.DataFrame:
    """One row for all and for each third: the range of true lives, rows, coverages, late bounds, width.

    Columns: ``group``, ``from``, ``to`` (clock units), ``rows``, ``units``, ``coverage50`` and so on, ``late_bound``
    (share of lives that end before their 5 % point), ``width80`` (mean, clock units).
    """
    found = coverage_by_third(measured, np.asarray(masses))
    quantile, left = measured.told[FUSION].quantile, measured.left
    low, high = interval_of(quantile, LEVELS, 0.8)
    late = interval_of(quantile, LEVELS, 0.9)[0] > left
    rows = [
        {
            "group": name,
            "from": left[mask].min(),
            "to": left[mask].max(),
            "rows": int(mask.sum()),
            "units": len(np.unique(measured.unit[mask])),
            **{f"coverage{100 * m:.0f}": found[name][k] for k, m in enumerate(masses)},
            "late_bound": late[mask].mean(),
            "width80": (high - low)[mask].mean(),
        }
        for name, mask in groups_of(measured).items()
    ]
    return pd.DataFrame(rows)


def probability_integral(measured: Measured) -> Float[np.ndarray, " rows"]:
    """P(remaining life < truth) by the fusion, for each row; even from 0 to 1 where it is calibrated.

    Beyond the outermost quantiles half of what is left out; where several quantiles equal the truth (lives of zero)
    the middle of their levels. NaN without an answer.
    """
    told = measured.told[FUSION].quantile
    return np.array([_level_of(row, truth) for row, truth in zip(told, measured.left, strict=True)])


def _level_of(quantile: np.ndarray, truth: float) -> float:
    if np.isnan(quantile).any():
        return np.nan
    first, last = np.searchsorted(quantile, truth, "left"), np.searchsorted(quantile, truth, "right")
    if last - first > 1:
        low = LEVELS[first] if first else 0.0
        return float(low + (LEVELS[last - 1] if last < len(quantile) else 1.0)) / 2
    return float(np.interp(truth, quantile, LEVELS, left=LEVELS[0] / 2, right=(1 + LEVELS[-1]) / 2))


def accuracy_along_life(
    measured: Measured, name: str, *, alpha: float = 0.2, edges: Float[np.ndarray, " edges"] = LIFE_EDGES
) -> Float[np.ndarray, " bins"]:
    """Alpha-lambda accuracy of a line in bins of the share of its life that a unit had behind it; NaN in empty bins."""
    known = np.isfinite(measured.told[name].mean) & np.isfinite(measured.life)
    hits = alpha_lambda(measured.told[name].mean[known], measured.left[known], alpha=alpha)
    place = np.clip(np.searchsorted(edges, measured.life[known], side="right") - 1, 0, len(edges) - 2)
    rows = np.bincount(place, minlength=len(edges) - 1)
    return np.where(rows > 0, np.bincount(place, hits, len(edges) - 1) / np.maximum(rows, 1), np.nan)
