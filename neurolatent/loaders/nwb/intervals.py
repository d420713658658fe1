"""Which stretches of an NWB file's time become sequences: the rows of a table of intervals, or all observed time."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, did_you_mean, place
from neurolatent.loaders.nwb.file import columns_of
from neurolatent.recording.stretches import listed, merged

WINDOW = ("start_time", "stop_time")
BOUND = re.compile(r"(?P<column>.+?)\s*(?:(?P<sign>[+-])\s*(?P<shift>\d+\.?\d*|\.\d+))?\s*$")


class Stretches(NamedTuple):
    """Begin and end of each sequence, and the table of what is known of it."""

    ends: np.ndarray  # (sequences, 2), s
    table: pd.DataFrame
    history: tuple[str, ...]


def trials_of(nwb: Any, table_name: str, window: Sequence[str] | None, name: str) -> Stretches:
    """The rows of a table of intervals, each from the first bound of ``window`` to the second.

    Raises:
        InputError: No such table or column, a bound that cannot be read, no row with both bounds.
    """
    known = dict(nwb.intervals or {})
    if table_name not in known:
        raise InputError(f"{name}: no table of intervals {table_name!r}. {did_you_mean(table_name, known)}")
    source = known[table_name]
    facts, _ = columns_of(source)
    bounds = WINDOW if window is None else tuple(window)
    where = place(name, table_name)
    if len(bounds) != 2:
        raise InputError(f"{where}: window needs two bounds, such as {WINDOW}, got {list(bounds)}")
    ends = np.column_stack([_bound(facts, bound, where) for bound in bounds])
    facts.insert(0, "id", [str(i) for i in source.id[:]])
    lost = ~np.isfinite(ends).all(axis=1)
    if lost.all():
        raise InputError(f"{where}: no row has a time for both {bounds[0]!r} and {bounds[1]!r}")
    notes = [f"sequences are the rows of {table_name}, from {bounds[0]} to {bounds[1]}"]
    if lost.any():
        notes.append(f"left out rows without a time for the window: {listed(facts['id'][lost].tolist())}")
    return Stretches(ends[~lost], facts.iloc[np.flatnonzero(~lost)].reset_index(drop=True), tuple(notes))


def _bound(facts: pd.DataFrame, bound: str, where: str) -> np.ndarray:
    """(rows,) the times of a bound such as ``go_cue - 0.5``."""
    column, shift = bound.strip(), 0.0
    match = BOUND.match(column)
    if column not in facts and match and match["shift"]:
        column, shift = match["column"], float(match["shift"]) * (1 if match["sign"] == "+" else -1)
    times = [c for c in facts.columns if pd.api.types.is_numeric_dtype(facts[c])]
    if column not in times:
        raise InputError(
            f"{where}: window: {bound!r} is no column of times, or one with '+ 0.5' or '- 0.5' behind. "
            f"{did_you_mean(column, times)}"
        )
    return facts[column].to_numpy(float) + shift


def observed_time(observed: Sequence[np.ndarray], events: Sequence[np.ndarray], name: str) -> Stretches:
    """One sequence for each contiguous part of the observed time; without any, the span of all events.

    Args:
        observed: Observed intervals of each unit, where they are stated.
        events: Times of spikes and samples, sorted, one array each; a first and a last one are enough.
        name: Opens error messages.
    """
    if len(observed):
        ends, note = merged(np.concatenate(observed)), "sequences are the contiguous parts of the observed time"
    else:
        edges = [(times[0], times[-1]) for times in events if len(times)]
        if not edges:
            raise InputError(f"{name}: no unit has a spike and no interval is stated, so nothing tells the time")
        low, high = min(low for low, _ in edges), max(high for _, high in edges)
        ends = np.array([[low, high]])
        note = f"no observed intervals are stated: one sequence from the first event ({low:g}) to the last ({high:g})"
    return Stretches(ends, pd.DataFrame({"id": [str(i) for i in range(len(ends))]}), (note,))
