"""How good the lines of a prognosis are: on training units held out in turn, and on running units whose truth is known.

A line is the fusion, the fusion without the latent states, or a single read-out or baseline; all have intervals that
were calibrated in the same way. Differences are paired: one bootstrap over units serves all lines.
"""

from typing import Any, NamedTuple

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
def held_out(prognosis: Prognosis, *, life_left: tuple[float, float] | None = None) -> Measured:
    """Training units held out in turn, at their random rows.

    Args:
        life_left: Only rows with a remaining life in this range, clock units.
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
    truth = dict(zip(recording.ids, recording.sequences["remaining"].to_numpy(float), strict=True))
    left = np.array([truth[name] for name in view.recording.ids])
    known = np.flatnonzero(np.isfinite(left))
    rows = np.array([part.stop - 1 for part in view.rows.slices])[known]
    answers, width = prognosis.answers(recording, view, rows), recording.bin_width
    told = {name: _scaled(tell(row, answers), np.arange(len(rows)), width) for name, row in prognosis.rows.items()}
    return Measured(told, left[known], known, np.full(len(rows), np.nan), prognosis.cap * width)


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
    with its interval, that RMSE less the fusion's (positive: the fusion is better), ``score_per_100`` rows,
    ``accuracy``, ``coverage80``, ``width80``, ``crps``. Lines are compared on the capped truth since that is what
    they estimate: above the cap a line that overshoots would gain by it.
    """
    capped = f"rmse_capped{measured.cap:g}"
    draws = _resampled({name: _squares(measured, name, measured.left) for name in measured.told}, seed)
    aim = np.minimum(measured.left, measured.cap)
    capped_draws = _resampled({name: _squares(measured, name, aim) for name in measured.told}, seed)
    rows: list[dict[str, Any]] = []
    for name in measured.told:
        figures = line_figures(measured, name)
        if not figures["answered"]:
            continue
        gap = capped_draws[name] - capped_draws[FUSION]
        rows.append(
            {
                "line": name,
                "rmse": figures["rmse"],
                **_interval("rmse", draws[name]),
                capped: figures[capped],
                "difference": figures[capped] - line_figures(measured, FUSION)[capped],
                **_interval("difference", gap),
                **{key: figures[key] for key in COMPARED[1:]},
            }
        )
    return pd.DataFrame(rows).sort_values("rmse", ignore_index=True)


def _squares(measured: Measured, name: str, truth: np.ndarray) -> np.ndarray:
    """(units, 2) sum of squared errors and number of answers of each unit."""
    error = np.minimum(measured.told[name].mean, measured.cap) - truth
    known, units = np.isfinite(error), np.unique(measured.unit)
    place = np.searchsorted(units, measured.unit)
    return np.stack(
        [
            np.bincount(place, np.where(known, error, 0.0) ** 2, len(units)),
            np.bincount(place, known.astype(float), len(units)),
        ],
        axis=1,
    )


def _resampled(squares: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """RMSE of every line in each bootstrap sample of units; the samples are the same for all."""
    count = len(next(iter(squares.values())))
    picks = np.random.default_rng(seed).integers(0, count, (N_BOOTSTRAP, count))
    out = {}
    for name, table in squares.items():
        total = table[picks].sum(axis=1)
        out[name] = np.sqrt(total[:, 0] / np.maximum(total[:, 1], 1.0))
    return out


def _interval(name: str, draws: np.ndarray) -> dict[str, float]:
    low, high = np.quantile(draws, [0.05, 0.95])
    return {f"{name}_low": float(low), f"{name}_high": float(high)}
