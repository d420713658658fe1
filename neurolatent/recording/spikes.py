"""Spike times become counts on an even clock; time outside a unit's observed intervals is not observed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, place
from neurolatent.recording.parts import Parts
from neurolatent.recording.signal import Signal, make_signal
from neurolatent.recording.stretches import Bins, cut_stretches, listed


def from_spikes(
    times: Any,
    units: Any = None,
    *,
    bin_width: float | int,
    epochs: Any = None,
    observed: Mapping[Any, Any] | None = None,
    channels: pd.DataFrame | Sequence[object] | None = None,
    clock_unit: str = "s",
    name: str = "",
) -> Parts:
    """The parts of a recording with one signal ``spikes`` of counts, from the times of spikes.

    Bins are half open and begin where an epoch begins; the clock time of a sample is the middle of its bin.

    Args:
        times: Spike times in clock units: a mapping from unit to its sorted times, a list of such arrays, or the
            times of all spikes in one array, with ``units``.
        units: (spikes,) the unit of each spike, where ``times`` is one array.
        bin_width: Width of a bin, in clock units.
        epochs: (sequences, 2) begin and end of each sequence, or one pair; None takes the time from the first spike to
            the last one.
        observed: Unit to its observed intervals (intervals, 2); units that are not named were observed throughout.
        channels: Names of the units in order, or a table of facts indexed by them; this is how units without a spike
            are kept. None takes the units that have spikes, in sorted order.
        clock_unit: What the clock counts.
        name: Opens error messages.

    Raises:
        InputError: Times that are missing or descend, epochs that overlap, a unit that is not known.
    """
    name = name or "spikes"
    facts = None if channels is None else _facts(channels)
    trains = _trains(times, units, None if facts is None else list(facts.index), name)
    for unit, train in trains.items():
        refuse_disorder(train, place(name, f"unit {unit}"))
    facts = _facts(list(trains)) if facts is None else facts
    if not len(facts):
        raise InputError(f"{name}: there is no unit")
    stretches, notes = _stretches(epochs, trains, name)
    ids = [str(i) for i in range(len(stretches))]
    cut = cut_stretches(stretches, bin_width, ids, name)
    signal, more = count_spikes(
        trains, cut.bins, {str(k): np.asarray(v, float) for k, v in (observed or {}).items()}, facts, name
    )
    step = f"counted spikes of {len(facts)} units in bins of {cut.bins.width:g} {clock_unit}"
    sequences = pd.DataFrame({"id": [i for i, keep in zip(ids, cut.kept, strict=True) if keep]})
    history = (step, *notes, *cut.history, *more)
    return Parts(
        {"spikes": signal}, cut.bins.lengths, cut.bins.start, cut.bins.width, clock_unit, sequences, name, history
    )


def count_spikes(
    trains: Mapping[str, np.ndarray], bins: Bins, observed: Mapping[str, np.ndarray], facts: pd.DataFrame, name: str
) -> tuple[Signal, tuple[str, ...]]:
    """The counts of each unit of ``facts`` in each bin, and lines for the history.

    Args:
        trains: Unit to its sorted spike times.
        bins: The bins.
        observed: Unit to its observed intervals; bins that reach outside are masked.
        facts: One row per unit.
        name: Opens error messages.
    """
    unknown = [unit for unit in (*trains, *observed) if unit not in facts.index]
    if unknown:
        raise InputError(f"{name}: the unit {unknown[0]!r} is not among the channels")
    counts = np.zeros((int(bins.lengths.sum()), len(facts)), np.int32)
    seen = np.ones(counts.shape, bool)
    strays: list[str] = []
    for column, unit in enumerate(facts.index):
        counts[:, column] = np.diff(bins.rows(trains.get(unit, np.zeros(0))), axis=1)[:, 0]
        if unit in observed:
            seen[:, column] = bins.inside(observed[unit])
            strays += [unit] if counts[~seen[:, column], column].any() else []
    notes = _notes(counts, seen, facts, strays)
    return make_signal(counts, kind="counts", channels=facts, observed=seen, where=place(name, "signal spikes")), notes


def refuse_disorder(train: np.ndarray, where: str) -> None:
    """Refuse spike times that are missing or descend; two spikes at one time may be."""
    lost = np.flatnonzero(~np.isfinite(train))
    if len(lost):
        raise InputError(f"{where}: spike {lost[0] + 1} has the time {train[lost[0]]}. Drop it.")
    back = np.flatnonzero(np.diff(train) < 0)
    if len(back):
        early, late = train[back[0] + 1], train[back[0]]
        raise InputError(
            f"{where}: spike {back[0] + 2} at {early:g} comes after {late:g}. Sort the times of each unit."
        )


def _notes(counts: np.ndarray, seen: np.ndarray, facts: pd.DataFrame, strays: list[str]) -> tuple[str, ...]:
    notes = []
    fires = np.where(seen, counts, 0).max(axis=0, initial=0)
    silent = [unit for unit, most in zip(facts.index, fires, strict=True) if not most]
    if silent:
        notes.append(f"units without a spike in this time: {listed(silent)}")
    if not seen.all():
        notes.append(f"{1 - seen.mean():.1%} of the counts lie outside the observed time of their unit and were masked")
    if strays:
        notes.append(f"units with spikes in bins outside their observed time, which were not counted: {listed(strays)}")
    return tuple(notes)


def _facts(channels: Any) -> pd.DataFrame:
    if isinstance(channels, pd.DataFrame):
        return channels.set_axis(pd.Index([str(c) for c in channels.index], name="channel"), axis=0)
    return pd.DataFrame(index=pd.Index([str(c) for c in channels], name="channel"))


def _trains(times: Any, units: Any, known: list[str] | None, name: str) -> dict[str, np.ndarray]:
    """Unit to its spike times."""
    if isinstance(times, Mapping):
        return {str(unit): np.asarray(train, float).ravel() for unit, train in times.items()}
    if units is None:
        if not isinstance(times, (list, tuple)) or any(np.ndim(train) != 1 for train in times):
            raise InputError(f"{name}: pass the unit of each spike in units=..., or one array of times per unit")
        names = [str(i) for i in range(len(times))] if known is None else known
        if len(names) != len(times):
            raise InputError(f"{name}: {len(names)} channels for {len(times)} arrays of spike times")
        return {unit: np.asarray(train, float) for unit, train in zip(names, times, strict=True)}
    flat, of = np.asarray(times, float), np.asarray(units)
    if flat.ndim != 1 or flat.shape != of.shape:
        raise InputError(f"{name}: times have the shape {flat.shape}, units {of.shape}; each spike needs both")
    if of.dtype.kind == "f":
        if not (of == np.round(of)).all():
            raise InputError(f"{name}: the unit {of[of != np.round(of)][0]} of a spike is no whole number")
        of = of.astype(np.int64)
    order = np.argsort(of, kind="stable")
    found, begins = np.unique(of[order], return_index=True)
    return {str(unit): train for unit, train in zip(found, np.split(flat[order], begins[1:]), strict=True)}


def _stretches(epochs: Any, trains: Mapping[str, np.ndarray], name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    if epochs is not None:
        stretches = np.atleast_2d(np.asarray(epochs, float))
        if stretches.ndim != 2 or stretches.shape[1] != 2 or not len(stretches):
            raise InputError(f"{name}: epochs must be pairs of begin and end, got the shape {np.shape(epochs)}")
        return stretches, ()
    spikes = np.concatenate([*trains.values(), np.zeros(0)])
    if not len(spikes):
        raise InputError(f"{name}: no unit has a spike, so nothing tells the time. Pass epochs=[begin, end].")
    low, high = spikes.min(), spikes.max()
    return np.array([[low, high]]), (f"no epochs were given: from the first spike ({low:g}) to the last ({high:g})",)
