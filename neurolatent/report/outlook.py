"""What the page says of the time ahead: a prognosis, its horizon, the risk of every unit, and how good it has been."""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from neurolatent.checks import InputError
from neurolatent.prognostics.measures import Measured, comparison, held_out, on_running
from neurolatent.prognostics.prognosis import FUSION, Prognosis
from neurolatent.prognostics.risk import default_horizon, refuse_horizon, risk_table
from neurolatent.recording import Recording
from neurolatent.result import Fit

CURVE_POINTS = 80  # of the curve of one unit, at most


class Measurements(NamedTuple):
    """How good every line of a prognosis has been; it takes seconds to find out, so it can be handed over.

    ``held_out`` is what :func:`neurolatent.prognostics.measures.held_out` returned, ``running`` what ``on_running`` did
    for the recording that is shown, None where the truth of its units is not known.
    """

    held_out: Measured
    running: Measured | None = None


@dataclass(frozen=True, eq=False)
class Outlook:
    """Everything that the sections on remaining life read.

    Attributes:
        horizon: Clock units.
        is_chosen: Whether the horizon was set by the reader, not by the page.
        risk: One row per unit, the one in the greatest danger first.
        recording: What is shown.
    """

    prognosis: Prognosis
    horizon: float
    is_chosen: bool
    risk: pd.DataFrame
    recording: Recording
    measured: Measurements

    @functools.cached_property
    def lines(self) -> pd.DataFrame:
        """Every line on held-out training units."""
        return comparison(self.measured.held_out, seed=self.prognosis.seed)

    @functools.cached_property
    def lines_running(self) -> pd.DataFrame | None:
        """Every line on the units that are shown, where their truth is known."""
        measured = self.measured.running
        return None if measured is None or not has_answers(measured) else comparison(measured, seed=self.prognosis.seed)

    def curves(self, units: list[str]) -> xr.Dataset:
        """Remaining life along the past of some units."""
        shown = self.recording.take(units)
        every = max(1, -(-int(shown.lengths.max()) // CURVE_POINTS))
        return self.prognosis.predict(shown, every=every)

    def true_life(self, unit: str, clock: np.ndarray) -> np.ndarray | None:
        """The true remaining life of a unit at these times, None where its end is not known."""
        number = self.recording.ids.index(unit)
        left = 0.0
        if not self.recording.failed(False, "a report")[number]:
            if "remaining" not in self.recording.sequences:
                return None
            left = float(self.recording.sequences["remaining"].iloc[number])
        return left + (clock[-1] - clock) if np.isfinite(left) else None


def has_answers(measured: Measured) -> bool:
    """Whether the fusion had an answer at any row."""
    return bool(np.isfinite(measured.told[FUSION].mean).any())


class Ahead(NamedTuple):
    """What the writer of a page wants to know of the time ahead; None where the page shall choose or compute."""

    prognosis: Prognosis
    horizon: float | int | None = None
    measured: Measurements | None = None


def look_ahead(ahead: Ahead, fit: Fit, recording: Recording, fleet: pd.DataFrame) -> Outlook:
    """The outlook of a recording; what is not given is computed.

    Raises:
        InputError: A prognosis of another fit, or a horizon that is none.
    """
    prognosis, horizon, measured = ahead
    if prognosis.fit.facts["fingerprint"] != fit.facts["fingerprint"]:
        raise InputError(
            "the prognosis belongs to another fit: their training recordings differ. Give prognosis.fit to the report."
        )
    if horizon is not None:
        refuse_horizon(horizon, recording.clock_unit)
    chosen = default_horizon(prognosis) if horizon is None else float(horizon)
    risk = risk_table(prognosis, recording, chosen, fleet=fleet)
    found = measure(prognosis, recording) if measured is None else measured
    return Outlook(prognosis, chosen, horizon is not None, risk, recording, found)


def measure(prognosis: Prognosis, recording: Recording) -> Measurements:
    """How good the prognosis is on held-out training units, and on this recording where its truth is known."""
    known = "remaining" in recording.sequences and np.isfinite(recording.sequences["remaining"].to_numpy(float)).any()
    return Measurements(held_out(prognosis), on_running(prognosis, recording) if known else None)
