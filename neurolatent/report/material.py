"""What the page speaks of, gathered once: the recording as the model sees it, its states, the fleet, the verdicts."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurolatent.diagnostics import Diagnosis, check
from neurolatent.models.protocols import Degrades
from neurolatent.prognostics import fleet_table
from neurolatent.prognostics.checks import check_prognosis
from neurolatent.recording import Recording
from neurolatent.report.outlook import Ahead, Outlook, look_ahead
from neurolatent.result import Fit
from neurolatent.validation import Choice, EntryScores


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that the sections read.

    Attributes:
        recording: What is shown, as it was given.
        prepared: The same after the preparation, with the sequences that the model answers.
        latents: What ``fit.predict`` says of it.
        fleet: One row per unit, those that are not answered included.
        shown: Units that get a section of their own.
        outlook: What a prognosis says of the time ahead; None without one.
        choice: Held-out scores, of this model and of others; None where nothing was held out.
        entries: Scores of entries that were hidden from the fit; None where none were.
    """

    fit: Fit
    diagnosis: Diagnosis
    recording: Recording
    prepared: Recording
    latents: xr.Dataset
    fleet: pd.DataFrame
    shown: Sequence[str]
    outlook: Outlook | None = None
    choice: Choice | None = None
    entries: EntryScores | None = None

    @functools.cached_property
    def observed(self) -> np.ndarray:
        """(samples, features) the modelled signal, in the units of the predictions."""
        name = self.fit.model.signal_of(self.prepared)
        values = self.prepared.signal(name).values.reshape(self.prepared.n_samples, -1)
        for step, learned in zip(reversed(self.fit.prepare), reversed(self.fit.learned), strict=True):
            values = step.restore(name, values, learned)
        return values

    @property
    def state_names(self) -> list[str]:
        """Names of the states, in order."""
        return [str(s) for s in self.latents["state"].values] if "state" in self.latents.coords else []

    @property
    def choice_names(self) -> list[str]:
        """Words for the choices 0, 1, ... where the recording has them, else the numbers."""
        signal = self.prepared.signal(self.fit.model.signal_of(self.prepared))
        return signal.levels() or ["0", "1"]

    @property
    def things(self) -> str:
        """What the sequences are."""
        return "units" if isinstance(self.fit.model, Degrades) else "sequences"

    @property
    def unit(self) -> str:
        """The clock's unit."""
        return self.recording.clock_unit

    @property
    def units(self) -> str:
        """The clock's unit after a number: "cycles", "s"."""
        return self.unit if len(self.unit) < 3 or self.unit.endswith("s") else f"{self.unit}s"

    def sections_of(self) -> dict[str, str]:
        """Anchor of each unit that has a section."""
        return {name: f"unit-{n}" for n, name in enumerate(self.shown, 1)}


def gather(
    fit: Fit,
    recording: Any,
    diagnosis: Diagnosis | None,
    fleet: pd.DataFrame | None,
    most_units: int,
    ahead: Ahead | None = None,
    choice: Choice | None = None,
    entries: EntryScores | None = None,
) -> Material:
    """The material of a page; what is not given is computed."""
    recording = Recording.of(recording)
    latents = fit.predict(recording)
    table: Any = fleet
    if table is None:
        table = fleet_table(fit, recording, latents) if isinstance(fit.model, Degrades) else _plain_table(recording)
    diagnosis, outlook = check(fit) if diagnosis is None else diagnosis, None
    if ahead is not None:
        outlook = look_ahead(ahead, fit, recording, table)
        diagnosis = diagnosis.joined(check_prognosis(ahead.prognosis, outlook.measured.held_out))
        table = outlook.risk
    table = table.assign(unit=table["unit"].astype(str), failed=[is_true(f) for f in table["failed"]])
    answered = {str(s) for s in latents["sequence"].values}
    return Material(
        fit,
        diagnosis,
        recording,
        fit.prepared(recording).recording,
        latents,
        table,
        choose_units(table[[name in answered for name in table["unit"]]], most_units),
        outlook,
        choice,
        entries,
    )


def _plain_table(recording: Recording) -> pd.DataFrame:
    """Sequences that no fault or failure is asked of."""
    nothing = {"fault_probability": 0.0, "rul_median": np.nan, "failed": True}
    return pd.DataFrame({"unit": recording.ids, **nothing})


def is_true(value: object) -> bool:
    """Whether a cell that may be missing holds True."""
    return bool(pd.notna(value) and value)


def choose_units(fleet: Any, most: int) -> list[str]:
    """Units to be shown: running ones, then some of those that failed.

    The greatest risks come first, or without a prognosis the likeliest faults, and among equals the shortest lives.
    Of failed units as many are added as there is room for, spread evenly over the table.
    """
    danger = "risk" if "risk" in fleet else "fault_probability"
    running = fleet[~fleet["failed"]].sort_values([danger, "rul_median"], ascending=[False, True], kind="stable")
    chosen = running["unit"].tolist()[:most]
    over = fleet[fleet["failed"]]["unit"].tolist()
    room = min(most - len(chosen), len(over))
    picks = np.unique(np.linspace(0, len(over) - 1, room).round().astype(int)) if room > 0 else []
    return [*chosen, *(over[i] for i in picks)]
