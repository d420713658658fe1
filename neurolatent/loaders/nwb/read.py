"""An NWB file becomes a recording."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurolatent.checks import InputError, existing_file
from neurolatent.loaders.nwb.contents import items_of
from neurolatent.loaders.nwb.file import opened
from neurolatent.loaders.nwb.intervals import Stretches, observed_time, trials_of
from neurolatent.loaders.nwb.series import Source, find, read_series, sources_of, times_of
from neurolatent.loaders.nwb.units import Units, read_units
from neurolatent.recording import Recording, Signal
from neurolatent.recording.parts import refuse_unknown_signals
from neurolatent.recording.spikes import count_spikes
from neurolatent.recording.stretches import Bins, cut_stretches

UNITS = "units"  # the source of the signal `spikes`
INVALID = "invalid_times"


def read_nwb(
    path: str | Path,
    *,
    bin_width: float | int | None = None,
    signals: Mapping[str, str] | Sequence[str] | None = None,
    units: Mapping[str, Any] | None = None,
    trials: str | None = None,
    window: Sequence[str] | None = None,
    kinds: Mapping[str, str] | None = None,
) -> Recording:
    """A recording from an NWB file: spikes counted in bins, and time series brought onto the same bins.

    Counts outside the observed intervals of their unit, and all bins that touch invalid times, are not observed. Time
    series are in their units (conversion, offset and the channels' own conversions applied); dense ones are averaged in
    each bin, sparse ones drawn between neighbours. The history says what was done and what was left unread.

    Args:
        path: The file.
        bin_width: Width of a bin, s; always needed.
        signals: Signal name to its source, or a list of sources: ``units``, or the path of a time series or the end of
            one (``position``, ``behavior/Position/position``). None reads the units alone, as ``spikes``.
        units: Only units whose columns hold these values: ``{"quality": "good", "area": ["CA1", "CA3"]}``.
        trials: Table of intervals whose rows are the sequences (``trials``, ``epochs``, ...), its columns their facts;
            None makes each contiguous part of the observed time one sequence.
        window: Begin and end of each trial: columns of that table, shifted by seconds where wanted:
            ``["go_cue - 0.5", "stop_time"]``. None takes start_time and stop_time.
        kinds: Kind of a time series: ``continuous``, or ``angle`` (where the unit is radians).

    Raises:
        FileNotFoundError: No such file.
        InputError: pynwb is missing, the file is damaged, names that are not there, trials that overlap, spike times
            or time stamps that are missing or descend.
    """
    path = existing_file(path)
    if bin_width is None:
        raise InputError(f"{path.name}: bin_width is needed, the width of a bin in seconds")
    if window is not None and trials is None:
        raise InputError(f"{path.name}: window needs trials=..., the table of intervals that it speaks of")
    with opened(path) as nwb:
        wanted = _wanted(nwb, signals, path.name)
        refuse_unknown_signals(kinds, wanted, path.name, "kinds")
        return _recording(nwb, wanted, (units, trials, window, kinds or {}), bin_width, path.name)


class Wanted(NamedTuple):
    """A time series that is asked for, with its clock."""

    source: Source
    times: np.ndarray


def _wanted(nwb: Any, signals: Any, name: str) -> dict[str, Wanted | None]:
    """Signal to its series; None stands for the units."""
    sources = sources_of(nwb)
    if signals is None:
        if nwb.units is None or not len(nwb.units):
            known = [source.path for source in sources if not source.unread]
            raise InputError(f"{name}: it holds no units. Name what to read in signals=..., among {known}")
        return {"spikes": None}
    named = {
        s: "spikes" if s == UNITS else s.split("/")[-1] for s in ([signals] if isinstance(signals, str) else signals)
    }
    pairs = dict(signals) if isinstance(signals, Mapping) else {named[s]: s for s in named}
    found = {key: None if source == UNITS else find(sources, source, name) for key, source in pairs.items()}
    return {key: None if source is None else Wanted(source, times_of(source, name)) for key, source in found.items()}


def _recording(
    nwb: Any, wanted: dict[str, Wanted | None], options: tuple, bin_width: float | int, name: str
) -> Recording:
    only, trials, window, kinds = options
    units = read_units(nwb, only, name) if None in wanted.values() else None
    stretches = trials_of(nwb, trials, window, name) if trials else _all_time(units, wanted, name)
    cut = cut_stretches(stretches.ends, bin_width, stretches.table["id"].tolist(), name)
    history = [*stretches.history, *cut.history]
    signals: dict[str, Signal] = {}
    for key, asked in wanted.items():
        if asked is not None:
            signals[key], note = read_series(asked.source, asked.times, cut.bins, kinds.get(key), name)
            history.append(note)
        elif units is not None:
            signals[key], notes = count_spikes(units.trains, cut.bins, units.observed, units.facts, name)
            history += [f"counted spikes of {len(units.facts)} units in bins of {cut.bins.width:g} s"]
            history += [*units.history, *notes]
    invalid = _invalid(nwb, cut.bins)
    if invalid.any():
        signals = {key: signal.masked(~invalid[:, None]) for key, signal in signals.items()}
        history.append(f"masked {invalid.sum()} bins that touch invalid times")
    return Recording(
        signals,
        cut.bins.lengths,
        cut.bins.start,
        cut.bins.width,
        sequences=stretches.table.iloc[np.flatnonzero(cut.kept)].reset_index(drop=True),
        name=name,
        history=(*history, *_unread(nwb, wanted, trials)),
    )


def _all_time(units: Units | None, wanted: dict[str, Wanted | None], name: str) -> Stretches:
    observed = [] if units is None else list(units.observed.values())
    trains = [] if units is None else list(units.trains.values())
    return observed_time(observed, [*trains, *(w.times for w in wanted.values() if w is not None)], name)


def _invalid(nwb: Any, bins: Bins) -> np.ndarray:
    """(samples,) True where a bin touches a time that is declared invalid."""
    table = dict(nwb.intervals or {}).get(INVALID)
    if table is None or not len(table):
        return np.zeros(int(bins.lengths.sum()), bool)
    return bins.touching(np.column_stack([table["start_time"][:], table["stop_time"][:]]))


def _unread(nwb: Any, wanted: dict[str, Wanted | None], trials: str | None) -> tuple[str, ...]:
    """A line on everything in the file that was not read."""
    used = {UNITS if w is None else w.source.path for w in wanted.values()} | {trials, INVALID}
    left = [f"{i.name} ({i.unread or 'not asked for'})" for i in items_of(nwb) if i.name not in used]
    return (f"left unread: {', '.join(left)}",) if left else ()
