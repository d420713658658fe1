"""How good the lines of a prognosis are: on training units held out in turn, and on running units whose truth is known.

A line is the fusion, the fusion without the latent states, or a single read-out or baseline; all have intervals that
were calibrated in the same way. Differences are paired: one bootstrap over units serves all lines.
"""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from neurolatent.checks import InputError
from neurolatent.precision import in_double
from neurolatent.prognostics.calibration import LEVELS, thirds
from neurolatent.prognostics.prognosis import FUSION, Prognosis
from neurolatent.prognostics.row import Told, cross_told, tell
from neurolatent.prognostics.scores import interval_of, life_scores, pinball_crps
from neurolatent.prognostics.view import look
from neurolatent.recording import Recording

MASSES = (0.5, 0.8, 0.9)  # of the intervals whose coverage is counted
THIRDS = ("near", "middle", "far")  # of remaining life
N_BOOTSTRAP = 1000


class Measured(NamedTuple):
    """What every line said where the truth is known."""

    told: dict[str, Told]  # in clock units
    left: Float[np.ndarray, " rows"]  # true remaining life, clock units
    unit: Int[np.ndarray, " rows"]
    life: Float[np.ndarray, " rows"]  # share of its life that the unit had behind it; NaN where its end is not known
    cap: float  # clock units


@in_double
def held_out(
    prognosis: Prognosis, *, life_left: tuple[float, float] | None = None, lines: Collection[str] | None = None
) -> Measured:
    """Training units held out in turn, at their random rows.

    Args:
        life_left: Only rows with a remaining life in this range, clock units.
        lines: Only these; None for all.
    """
    held, settings = prognosis.held, prognosis.settings
    width = prognosis.fit.facts["bin_width"]
    low, high = (-np.inf, np.inf) if life_left is None else life_left
    left = held.whole.left * width
    rows = np.flatnonzero((left >= low) & (left <= high))
    share, folds = float(settings.neighbours), settings.folds
    told = {
        name: _scaled(cross_told(held, columns, prognosis.cap, share, folds=folds, seed=prognosis.seed), rows, width)
        for name, columns in prognosis.columns.items()
        if lines is None or name in lines
    }
    whole = held.whole.take(rows)
    life = whole.position / np.maximum(whole.position + whole.left, 1)
    return Measured(told, left[rows], whole.unit, life, prognosis.cap * width)


@in_double
def on_running(prognosis: Prognosis, recording: Recording) -> Measured:
    """Running units at their last row; their truth is the column ``remaining`` of the table of sequences.

    Raises:
        InputError: No truth, or no unit that can be answered.
    """
    if "remaining" not in recording.sequences:
        raise InputError(
            f"{recording.title}: true remaining lives are needed: load with outcomes, or a column 'remaining'"
        )
    view, _ = look(prognosis.fit, recording)
    left, place = recording.sequences["remaining"].to_numpy(float), {n: k for k, n in enumerate(view.recording.ids)}
    known = np.flatnonzero(np.isfinite(left))
    seen = np.array([number for number, unit in enumerate(known) if recording.ids[unit] in place], int)
    rows = np.array([view.rows.slices[place[recording.ids[unit]]].stop - 1 for unit in known[seen]], int)
    answers, width = prognosis.answers(recording, view, rows), recording.bin_width
    told = {}
    for name, row in prognosis.rows.items():
        found = _scaled(tell(row, answers), np.arange(len(rows)), width)
        told[name] = Told(*(_placed(leaf, seen, len(known)) for leaf in found))
    return Measured(told, left[known], known, np.full(len(known), np.nan), prognosis.cap * width)


def _placed(values: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Values at some of ``count`` rows, NaN at the others: units that were refused have no answer, and are counted."""
    out = np.full((count, *values.shape[1:]), np.nan)
    out[rows] = values
    return out


def _scaled(told: Told, rows: np.ndarray, width: float) -> Told:
    """Some rows, in clock units."""
    return Told(told.mean[rows] * width, told.spread[rows] * width, told.quantile[rows] * width, told.missing[rows])


def line_figures(measured: Measured, name: str) -> dict[str, float]:
    """All scores of one line: errors, coverage and width of intervals, in all and in each third of remaining life.

    ``late_bound`` is the share of rows whose truth lies below the 5 % quantile: late although 95 % sure not to be.
    Rows without an answer count nowhere but in ``answered``.
    """
    told = measured.told[name]
    known = np.isfinite(told.mean)
    if not known.any():
        return {"answered": 0.0}
    mean, quantile, left = told.mean[known], told.quantile[known], measured.left[known]
    figures = life_scores(mean, left, measured.cap)
    figures["score_per_100"] = 100 * figures["score"] / len(left)
    figures["crps"] = float(pinball_crps(quantile, LEVELS, left).mean())
    groups = dict(zip(THIRDS, thirds(left), strict=True))
    for mass in MASSES:
        low, high = interval_of(quantile, LEVELS, mass)
        inside, level = (left >= low) & (left <= high), f"{100 * mass:.0f}"
        figures[f"coverage{level}"] = float(inside.mean())
        figures[f"width{level}"] = float((high - low).mean())
        figures |= {f"coverage{level}.{third}": float(inside[g].mean()) for third, g in groups.items() if g.any()}
    figures["late_bound"] = float((interval_of(quantile, LEVELS, 0.9)[0] > left).mean())
    return figures | {"answered": float(known.mean())}


def flat_figures(measured: Measured, prefix: str = "") -> dict[str, float]:
    """All figures by flat names: ``rul.rmse`` of the fusion, ``boosted_trees.rul.rmse`` of another line.

    A line ``arm.fusion`` is the fusion of another arm: ``arm.rul.rmse``.
    """
    out: dict[str, float] = {}
    for name in measured.told:
        line = f"{name}.".removesuffix(f"{FUSION}.")
        out |= {f"{prefix}{line}rul.{key}": value for key, value in line_figures(measured, name).items()}
    return out


COMPARED = ("rmse", "score_per_100", "accuracy", "coverage80", "width80", "crps")


def comparison(measured: Measured, *, seed: int) -> pd.DataFrame:
    """One line each, best first: its scores, and how it compares with the fusion, with 90 % intervals over units.

    Columns: ``line``, ``rmse`` with ``rmse_low`` and ``rmse_high``, the RMSE against the capped truth, ``difference``
    with its interval, that RMSE less the fusion's at the rows that both answer (positive: the fusion is better),
    ``score_per_100`` rows, ``accuracy``, ``coverage80``, ``width80``, ``crps``. Lines are compared on the capped truth
    since that is what they estimate: above the cap a line that overshoots would gain by it.
    """
    capped, count = f"rmse_capped{measured.cap:g}", len(np.unique(measured.unit))
    picks = np.random.default_rng(seed).integers(0, count, (N_BOOTSTRAP, count))
    aim, rows = np.minimum(measured.left, measured.cap), []
    for name in measured.told:
        figures = line_figures(measured, name)
        if not figures["answered"]:
            continue
        own, fused = (_errors(measured, line, aim) for line in (name, FUSION))
        missing = np.isnan(own + fused)
        pair = [_resampled(np.where(missing, np.nan, error), measured.unit, picks) for error in (own, fused)]
        rows.append(
            {
                "line": name,
                "rmse": figures["rmse"],
                **_interval("rmse", _resampled(_errors(measured, name, measured.left), measured.unit, picks)[1:]),
                capped: figures[capped],
                "difference": float(pair[0][0] - pair[1][0]),
                **_interval("difference", pair[0][1:] - pair[1][1:]),
                **{key: figures[key] for key in COMPARED[1:]},
            }
        )
    return pd.DataFrame(rows).sort_values("rmse", ignore_index=True)


def _errors(measured: Measured, name: str, truth: np.ndarray) -> Float[np.ndarray, " rows"]:
    """Of a line, NaN where it has no answer."""
    return np.minimum(measured.told[name].mean, measured.cap) - truth


def _resampled(error: np.ndarray, unit: np.ndarray, picks: np.ndarray) -> Float[np.ndarray, " samples"]:
    """RMSE of all units, then that of each bootstrap sample of them; rows without an error do not count."""
    known, (units, place) = np.isfinite(error), np.unique(unit, return_inverse=True)
    squares = np.bincount(place, np.where(known, error, 0.0) ** 2, len(units))
    rows = np.bincount(place, known.astype(float), len(units))
    total, count = (np.append(table.sum(), table[picks].sum(axis=1)) for table in (squares, rows))
    return np.where(count > 0, np.sqrt(total / np.maximum(count, 1.0)), np.nan)


def _interval(name: str, draws: np.ndarray) -> dict[str, float]:
    known = draws[np.isfinite(draws)]
    low, high = np.quantile(known, [0.05, 0.95]) if len(known) else (np.nan, np.nan)
    return {f"{name}_low": float(low), f"{name}_high": float(high)}
