"""The units of an NWB file: spike times, observed time, and a table of facts."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, did_you_mean, place
from neurolatent.loaders.nwb.file import columns_of, ragged
from neurolatent.recording.spikes import refuse_disorder
from neurolatent.recording.stretches import listed

TIMES = ("spike_times", "obs_intervals")


class Units(NamedTuple):
    """The units that were asked for."""

    trains: dict[str, np.ndarray]  # unit to its spike times, s
    observed: dict[str, np.ndarray]  # unit to its observed intervals (intervals, 2), where they are stated
    facts: pd.DataFrame
    history: tuple[str, ...]


def read_units(nwb: Any, only: Mapping[str, Any] | None, name: str) -> Units:
    """The units whose columns hold what ``only`` asks for: one value, or one of a list.

    Raises:
        InputError: No units, a column that is not there, a choice that leaves none, spike times that descend.
    """
    table = nwb.units
    if table is None or not len(table):
        raise InputError(f"{name}: it holds no units. Name the series to read in signals=...")
    if "spike_times" not in table.colnames:
        raise InputError(f"{name}: its units have no spike times")
    facts, _ = columns_of(table, TIMES)
    facts = facts.set_axis(pd.Index([str(i) for i in table.id[:]], name="channel"), axis=0)
    twice = facts.index[facts.index.duplicated()]
    if len(twice):
        raise InputError(f"{name}: the unit id {twice[0]!r} stands twice")
    kept = _kept(facts, only or {}, name)
    trains = dict(zip(facts.index[kept], _only(ragged(table, "spike_times"), kept), strict=True))
    for unit, train in trains.items():
        refuse_disorder(train, place(name, f"unit {unit}"))
    observed, history = {}, [] if kept.all() else [f"took {kept.sum()} of {len(kept)} units: {dict(only or {})}"]
    if "obs_intervals" in table.colnames:
        stated = zip(facts.index[kept], _only(ragged(table, "obs_intervals"), kept), strict=True)
        observed = {unit: intervals.reshape(-1, 2) for unit, intervals in stated if len(intervals)}
        history += _unstated([unit for unit in trains if unit not in observed])
    _refuse_intervals(observed, name)
    return Units(trains, observed, facts.iloc[np.flatnonzero(kept)], tuple(history))


def _only(rows: list[np.ndarray], kept: np.ndarray) -> list[np.ndarray]:
    return [row for row, keep in zip(rows, kept, strict=True) if keep]


def _unstated(units: list[str]) -> list[str]:
    return [f"units without observed intervals, taken as observed throughout: {listed(units)}"] if units else []


def _kept(facts: pd.DataFrame, only: Mapping[str, Any], name: str) -> np.ndarray:
    """(units,) True for those that are asked for."""
    kept = np.ones(len(facts), bool)
    for column, wanted in only.items():
        if column not in facts:
            hint = did_you_mean(column, facts.columns)
            raise InputError(f"{place(name, 'units')}: no column {column!r} with one value a unit. {hint}")
        among = facts[column].isin(wanted if isinstance(wanted, (list, tuple)) else [wanted]).to_numpy()
        if not among.any():
            values = sorted({str(v) for v in facts[column]})
            raise InputError(f"{place(name, 'units')}: no unit has {column} = {wanted!r}. It holds {listed(values)}.")
        kept &= among
    if not kept.any():
        raise InputError(f"{place(name, 'units')}: no unit meets all of {dict(only)}. Ask for less.")
    return kept


def _refuse_intervals(observed: Mapping[str, np.ndarray], name: str) -> None:
    for unit, intervals in observed.items():
        wrong = np.flatnonzero(~(np.isfinite(intervals).all(axis=1) & (intervals[:, 0] < intervals[:, 1])))
        if len(wrong):
            low, high = intervals[wrong[0]]
            raise InputError(f"{place(name, f'unit {unit}')}: an observed interval runs from {low:g} to {high:g}")
