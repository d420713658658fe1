"""One row per unit: its state now, since when, how sure, and about how long it will still run."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurolatent.checks import InputError
from neurolatent.prognostics.absorption import remaining_life
from neurolatent.prognostics.alarm import alarm_step, since_step
from neurolatent.recording import Recording
from neurolatent.result import Fit

COLUMNS = (
    "unit",
    "last",
    "state",
    "state_probability",
    "fault_probability",
    "fault_since",
    "alarm",
    "rul_low",
    "rul_median",
    "rul_high",
    "failed",
    "note",
)


def fleet_table(fit: Fit, recording: Any, latents: xr.Dataset | None = None) -> pd.DataFrame:
    """One row per unit of a recording, those that cannot be answered included with the reason.

    Columns: ``unit``; ``last`` clock time; likeliest ``state`` now and its ``state_probability``; ``fault_probability``
    of having left the first state (filtered: from the past only); ``fault_since``, the time from which it has stayed
    above one half; ``alarm``, the time at which it was above 0.95 for the third step in a row; ``rul_low``,
    ``rul_median``, ``rul_high``, the 5, 50 and 95 % points of the remaining life by absorption time, in clock units;
    ``failed``; ``note``.

    Args:
        latents: What ``fit.predict(recording)`` returned, if it is at hand.
    """
    recording = Recording.of(recording)
    latents = fit.predict(recording) if latents is None else latents
    life, note = _life(fit, latents)
    failed = dict(zip(recording.ids, recording.failed(False, "fleet_table"), strict=True))
    rows: list[dict[str, Any]] = []
    for number, unit in enumerate(map(str, latents["sequence"].values)):
        rows.append(_state_now(latents, unit) | _life_left(life[:, number] * recording.bin_width, failed[unit], note))
    for unit, reason in zip(latents["refused"].values, latents["reason"].values, strict=True):
        rows.append({"unit": str(unit), "failed": bool(failed[str(unit)]), "note": str(reason)})
    order = {name: n for n, name in enumerate(recording.ids)}
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("unit", key=lambda names: names.map(order)).reset_index(drop=True)


def _life(fit: Fit, latents: xr.Dataset) -> tuple[np.ndarray, str]:
    try:
        return remaining_life(fit, latents), ""
    except InputError as error:
        return np.full((3, latents.sizes["sequence"]), np.nan), str(error)


def _state_now(latents: xr.Dataset, unit: str) -> dict[str, Any]:
    mine = np.flatnonzero(latents["sample_sequence"].values == unit)
    clock, filtered = latents["clock"].values[mine], latents["filtered"].values[mine]
    fault = 1 - filtered[:, 0]
    since, alarm, now = since_step(fault), alarm_step(fault), int(np.argmax(filtered[-1]))
    return {
        "unit": unit,
        "last": clock[-1],
        "state": str(latents["state"].values[now]),
        "state_probability": filtered[-1, now],
        "fault_probability": fault[-1],
        "fault_since": np.nan if since is None else clock[since],
        "alarm": np.nan if alarm is None else clock[alarm],
    }


def _life_left(life: np.ndarray, has_failed: bool | np.bool_, note: str) -> dict[str, Any]:
    low, median, high = np.full(3, np.nan) if has_failed else life
    return {
        "rul_low": low,
        "rul_median": median,
        "rul_high": high,
        "failed": bool(has_failed),
        "note": "its life is over" if has_failed else note,
    }
