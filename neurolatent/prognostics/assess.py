"""How well a fit does on units that it has not seen: states, alarms and remaining life, with bootstrap intervals.

The truth of the states is a proxy: no sensor tells the true level of wear, so bins of the life fraction stand for it,
and the onset of the fault is the first edge of the bins.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from neurolatent.checks import InputError
from neurolatent.ops.metrics import adjusted_rand, contingency
from neurolatent.prognostics.absorption import Absorption, quantiles
from neurolatent.prognostics.alarm import alarm_step
from neurolatent.prognostics.scores import CAP, rmse
from neurolatent.recording import Recording
from neurolatent.result import Fit

EARLY = 0.25  # an alarm before this life fraction is a false one
SHORTEST = 30  # steps that a unit keeps at least when it is cut
LIFE_LEFT = (6, 150)  # remaining steps at the cut are uniform in this range, like those of the four test sets
N_BOOTSTRAP = 1000
COLUMNS = ("unit", "life", "onset", "alarm", "counts", "life_left", "estimate")


class Interval(NamedTuple):
    """A figure with its 90 % bootstrap interval over units."""

    value: float
    low: float
    high: float


def assess_units(
    fit: Fit, recording: Recording, edges: Sequence[float], *, seed: int, units: Sequence[str] | None = None
) -> pd.DataFrame:
    """One row per unit that ran to failure and was not used for the fit; units that the fit cannot answer have none.

    Columns: ``unit``, ``life`` (steps), ``onset`` and ``alarm`` (steps from the start; NaN without alarm), ``counts``
    (table of filtered states against life-fraction bins), ``life_left`` and ``estimate`` (steps, at a random cut).

    Args:
        recording: The held-out units. Others may be among them, so that recordings of all folds have one shape and
            need one compiled program.
        edges: Edges of the life-fraction bins, from 0 to 1.
        seed: Of the cuts.
        units: The held-out units, where others are among them.

    Raises:
        InputError: It is not known which units failed, or no training unit did.
    """
    bins, chosen = np.asarray(edges, float), set(recording.ids if units is None else units)
    failed = recording.failed(True, "assess_units")
    left = np.where(
        failed & np.isin(recording.ids, list(chosen)) & (recording.lengths > 2), _random_lives(recording, seed), 0
    )
    latents, cut = fit.predict(recording), fit.predict(recording.cut(0, recording.lengths - left))
    median = quantiles(Absorption.of(fit).distribution(fit, cut["belief"].values), (0.5,))[0]
    estimate = dict(zip(map(str, cut["sequence"].values), median, strict=True))
    filtered = _by_sequence(latents, "filtered")
    rows = [
        _assessed(unit, filtered[unit], bins) | {"life_left": int(life), "estimate": float(estimate[unit])}
        for unit, life in zip(recording.ids, left, strict=True)
        if life and unit in estimate and unit in filtered
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _assessed(unit: str, filtered: np.ndarray, bins: np.ndarray) -> dict[str, Any]:
    """States and alarm of one whole unit, from its (time, states) filtered probabilities."""
    life = len(filtered)
    known = np.isfinite(filtered).all(axis=1)
    level = np.searchsorted(bins, np.arange(life) / (life - 1), side="right") - 1
    level = np.clip(level, 0, len(bins) - 2)
    alarm = alarm_step(1 - filtered[:, 0])
    state = np.argmax(filtered[known], axis=1)
    counts = contingency(state, level[known], filtered.shape[1], len(bins) - 1)
    onset = float(bins[1] * (life - 1))
    return {
        "unit": unit,
        "life": life,
        "onset": onset,
        "alarm": np.nan if alarm is None else float(alarm),
        "counts": counts,
    }


def _by_sequence(latents: xr.Dataset, name: str) -> dict[str, np.ndarray]:
    """A quantity along time, cut in its sequences."""
    owner, values = latents["sample_sequence"].values, latents[name].values
    begins = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
    return {str(owner[b]): part for b, part in zip(begins, np.split(values, begins[1:]), strict=True)}


def _random_lives(recording: Recording, seed: int) -> np.ndarray:
    """A remaining life for each unit, uniform in LIFE_LEFT as far as the unit's length allows."""
    most = np.minimum(LIFE_LEFT[1], recording.lengths - SHORTEST)
    left = np.random.default_rng(seed).integers(LIFE_LEFT[0], np.maximum(most, LIFE_LEFT[0] + 1), endpoint=True)
    return np.minimum(left, recording.lengths - 2)


def unit_figures(units: pd.DataFrame, *, seed: int) -> dict[str, Interval]:
    """The figures of the assessment, each with its bootstrap interval over units.

    ``states.agreement``: adjusted Rand index of filtered states and life-fraction bins. ``alarm.delay``: median alarm
    minus onset in steps, over units with an alarm; ``alarm.false_rate``: share of units with an alarm before a quarter
    of their life; ``alarm.missed``: share without any. ``rul.absorption.rmse``: of the median of the remaining life,
    capped at 125, against the truth, and ``rmse_capped125`` against the capped truth.
    """
    if not len(units):
        raise InputError("no held-out unit that ran to failure could be answered, so there is nothing to assess")
    counts = np.stack(units["counts"].to_list())
    alarm, onset, life, estimate, left = (
        units[c].to_numpy(float) for c in ("alarm", "onset", "life", "estimate", "life_left")
    )
    point = np.minimum(estimate, CAP)
    statistics: dict[str, Callable[[np.ndarray], float]] = {
        "states.agreement": lambda rows: adjusted_rand(counts[rows].sum(axis=0)),
        "alarm.delay": lambda rows: _median(alarm[rows] - onset[rows]),
        "alarm.false_rate": lambda rows: float(np.mean(alarm[rows] < EARLY * (life[rows] - 1))),
        "alarm.missed": lambda rows: float(np.mean(np.isnan(alarm[rows]))),
        "rul.absorption.rmse": lambda rows: rmse(point[rows], left[rows]),
        f"rul.absorption.rmse_capped{CAP:g}": lambda rows: rmse(point[rows], np.minimum(left[rows], CAP)),
    }
    return {name: bootstrap(statistic, len(units), seed=seed) for name, statistic in statistics.items()}


def bootstrap(statistic: Callable[[np.ndarray], float], n_units: int, *, seed: int) -> Interval:
    """A statistic of unit numbers at all units, with its 5 and 95 % points over resampled units."""
    generator = np.random.default_rng(seed)
    draws = [statistic(generator.integers(0, n_units, n_units)) for _ in range(N_BOOTSTRAP)]
    low, high = np.nanquantile(draws, [0.05, 0.95]) if np.isfinite(draws).any() else (np.nan, np.nan)
    return Interval(statistic(np.arange(n_units)), float(low), float(high))


def _median(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else float("nan")
