"""Which units are in danger: the chance to fail within a horizon, and the calibrated remaining life, unit by unit."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurolatent.checks import InputError
from neurolatent.prognostics.acting import median_life
from neurolatent.prognostics.calibration import LEVELS, chance_below
from neurolatent.prognostics.fleet import COLUMNS as FLEET_COLUMNS
from neurolatent.prognostics.fleet import fleet_table
from neurolatent.prognostics.prognosis import Prognosis
from neurolatent.prognostics.scores import interval_of
from neurolatent.recording import Recording

COLUMNS = ("unit", "last", "risk", "rul_low", "rul_median", "rul_high", "mean", *FLEET_COLUMNS[2:7], "failed", "note")
HORIZON_SHARE = 0.15  # of the median life: ours, so that FD001 gets the 30 cycles that are common there


def risk_table(
    prognosis: Prognosis,
    recording: Any,
    horizon: float | int,
    *,
    predicted: xr.Dataset | None = None,
    fleet: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per unit, the one in the greatest danger first.

    Columns: ``unit``; ``last`` clock time; ``risk``, the chance that no more than ``horizon`` is left; ``rul_low``,
    ``rul_median``, ``rul_high``, the calibrated 5, 50 and 95 % points of the remaining life, and its ``mean``, all in
    clock units; ``state``, ``state_probability``, ``fault_probability``, ``fault_since`` and ``alarm`` as in
    :func:`fleet_table`; ``failed``; ``note``, what stands against the answer.

    Quantiles are known from 1 to 99 %, so a risk of 0.01 means that much or less, and one of 0.99 that much or more.
    Equal risks are sorted by the median life left. Units that cannot be answered come after those that can, and those
    whose life is over stand last.

    Args:
        horizon: Clock units, above 0.
        predicted: What ``prognosis.predict(recording)`` returned, if it is at hand; with or without curves.
        fleet: What ``fleet_table(prognosis.fit, recording)`` returned, if it is at hand.

    Raises:
        InputError: A horizon that is not above 0, or no unit that can be answered.
    """
    recording = Recording.of(recording)
    refuse_horizon(horizon, recording.clock_unit)
    predicted = prognosis.predict(recording) if predicted is None else predicted
    fleet = fleet_table(prognosis.fit, recording) if fleet is None else fleet
    told = _told(predicted, float(horizon))
    rows = [_row(row, told.get(str(row["unit"]), {})) for row in fleet.to_dict("records")]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    rank = np.select([table["failed"], table["risk"].isna()], [2, 1], 0)
    order = ["rank", "risk", "rul_median"]
    ranked = table.assign(rank=rank).sort_values(order, ascending=[True, False, True], kind="stable")
    return ranked.drop(columns="rank").reset_index(drop=True)


def refuse_horizon(horizon: Any, clock_unit: str) -> None:
    """Refuse a horizon that is no time ahead."""
    is_number = isinstance(horizon, (int, float, np.integer, np.floating)) and not isinstance(horizon, bool)
    if not is_number or not 0 < float(horizon) < np.inf:
        raise InputError(
            f"horizon must be above 0 and finite, got {horizon!r}: it is how far ahead failures are looked for, "
            f"in clock units ({clock_unit})"
        )


def default_horizon(prognosis: Prognosis) -> float:
    """A share of the median life of the training units that failed, rounded to one digit, in clock units.

    The time that a removal takes to arrange is the better horizon; this one merely suits the fleet.
    """
    return float(f"{HORIZON_SHARE * median_life(prognosis):.1g}")


def _told(predicted: xr.Dataset, horizon: float) -> dict[str, dict[str, Any]]:
    """What is said of each unit's last row, and of units that have no answer."""
    last = predicted.sel(point=predicted["is_last"].values)
    quantile = last["quantile"].values
    low, high = interval_of(quantile, LEVELS, 0.9)
    columns = {
        "last": last["clock"].values,
        "risk": np.clip(chance_below(quantile, horizon), LEVELS[0], LEVELS[-1]),
        "rul_low": low,
        "rul_median": interval_of(quantile, LEVELS, 0.0)[0],
        "rul_high": high,
        "mean": last["mean"].values,
        "note": last["warning"].values.tolist(),
    }
    cells = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    told = dict(zip(map(str, last["sequence"].values), cells, strict=True))
    refused = zip(map(str, predicted["refused"].values), map(str, predicted["reason"].values), strict=True)
    return {unit: {"note": reason} for unit, reason in refused} | told


def _row(state: dict[Any, Any], life: dict[str, Any]) -> dict[str, Any]:
    """One unit: its states, and its calibrated life in place of the absorption time; a life that is over has none."""
    empty = dict.fromkeys(("risk", "rul_low", "rul_median", "rul_high", "mean"), np.nan)
    notes = [str(n) for n in (state["note"], life.get("note", "")) if pd.notna(n) and n]
    if state["failed"]:
        life = {"last": life["last"]} if "last" in life else {}
    return {**state, **empty, **life, "note": "; ".join(dict.fromkeys(notes))}
