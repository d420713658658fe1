"""What a prognosis answers: points along the lives of units, labelled, each with what stands against it."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Bool, Int

from neurolatent.preparation import Learned
from neurolatent.prognostics.calibration import LEVELS
from neurolatent.prognostics.fusion import Answers
from neurolatent.prognostics.row import Told
from neurolatent.prognostics.survivors import lives_left
from neurolatent.prognostics.view import View
from neurolatent.result import Fit

HEAD = 10  # first rows by which a unit is known again: ours


class Points(NamedTuple):
    """Rows at which units are asked."""

    rows: Int[np.ndarray, " points"]
    owner: Int[np.ndarray, " points"]  # number of the row's unit
    is_last: Bool[np.ndarray, " points"]


def points_of(view: View, every: int | None) -> Points:
    """Each unit's last row, and where ``every`` is given every so many rows, counted from its first one."""
    rows, owner = [], []
    for number, part in enumerate(view.rows.slices):
        own = [part.stop - 1] if every is None else [*range(part.start, part.stop - 1, every), part.stop - 1]
        rows += own
        owner += [number] * len(own)
    owners = np.asarray(owner, int)
    return Points(np.asarray(rows, int), owners, np.append(owners[1:] != owners[:-1], True))


def with_survivors(told: Told, survivors: Learned, view: View, rows: np.ndarray) -> Told:
    """Where no read-out had an answer: the lives that training units of that age had left."""
    mean, quantile, missing = told.mean.copy(), told.quantile.copy(), told.missing.copy()
    for row in np.flatnonzero(np.isnan(mean)):
        left = lives_left(survivors, int(view.rows.position[rows[row]]))
        mean[row] = min(left.mean(), float(survivors["cap"]))
        quantile[row] = np.quantile(left, LEVELS)
        missing[row] = 1.0
    return Told(mean, told.spread, quantile, missing)


def labelled(view: View, points: Points, answers: Answers, told: Told, readouts: list[str]) -> xr.Dataset:
    """The answers in clock units, with their labels."""
    prepared = view.recording
    width, ids = prepared.bin_width, np.asarray(prepared.ids, dtype=str)
    found = xr.Dataset(
        {
            "quantile": (("point", "level"), told.quantile * width),
            "mean": (("point",), told.mean * width),
            "spread": (("point",), told.spread * width),
            "estimate": (("point", "readout"), answers.mean[:, : len(readouts)] * width),
            "missing": (("point",), told.missing),
        },
        {"level": LEVELS, "readout": readouts},
        {"clock_unit": prepared.clock_unit},
    )
    return found.assign_coords(
        sequence=("point", ids[points.owner]),
        clock=("point", prepared.clock()[points.rows]),
        is_last=("point", points.is_last),
    )


def warnings_of(view: View, points: Points, told: Told, lost: dict[str, list[str]], known: set[int]) -> np.ndarray:
    """(points,) what stands against the answer at each unit's last row; empty elsewhere."""
    ids, out = view.recording.ids, []
    for number, is_last, missing in zip(points.owner, points.is_last, told.missing, strict=True):
        said = []
        if ids[number] in lost:
            said.append(f"{', '.join(lost[ids[number]])} gave nothing lately: the interval is wider")
        if number in known:
            said.append("this unit was trained on: what was learned has seen its end, and new units are told worse")
        if missing >= 1.0:
            said.append("too short for every read-out: the lives of training units of this age stand in")
        elif missing > 0.0:
            said.append(f"read-outs with {missing:.0%} of the weight have no answer")
        out.append("; ".join(said) if is_last else "")
    return np.asarray(out, dtype=str)


def known_units(fit: Fit, view: View) -> set[int]:
    """Numbers of the units whose first rows are those of a training unit."""
    observed = fit.idata["observed_data"]
    trained = observed["y"].values.reshape(-1, view.level.shape[1])
    owner = observed["sample_sequence"].values
    begins = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    heads = {trained[b : b + HEAD].tobytes() for b in begins}
    values = fit.model.modelled_values(view.recording)
    return {n for n, part in enumerate(view.rows.slices) if values[part][:HEAD].tobytes() in heads}
