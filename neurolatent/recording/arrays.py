"""Arrays, one per signal or a list with one per sequence, become a recording."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, place
from neurolatent.recording.clock import Grid, even_grid
from neurolatent.recording.parts import Parts, refuse_unknown_signals
from neurolatent.recording.signal import Signal, make_signal


def from_arrays(
    signals: Mapping[str, Any],
    *,
    bin_width: float | int | None = None,
    clock_unit: str = "s",
    kinds: Mapping[str, str] | None = None,
    channels: Mapping[str, Sequence[str] | pd.DataFrame] | None = None,
    units: Mapping[str, str] | None = None,
    ids: Sequence[object] | None = None,
    start: Any = None,
    times: Any = None,
    failed: Any = None,
    name: str = "",
) -> Parts:
    """The parts of a recording from arrays (samples, *features), or lists of them with one array per sequence.

    NaN and masked entries (``numpy.ma``) are not observed.

    Args:
        signals: Signal name to its array, or to its arrays.
        bin_width: Clock time between two samples; 1 where None, or what ``times`` say.
        clock_unit: What the clock counts: "s", "cycle", "trial", ...
        kinds: Kind of each signal; continuous where it is not named.
        channels: Names of a signal's channels, or a table of facts indexed by name.
        units: Unit of each signal's values.
        ids: Names of the sequences; numbers from 0 where None.
        start: Clock time of the first sample, one number or one per sequence; 0 where None.
        times: Instead of ``start``: clock time of every sample, in the form of a signal. Missing steps become masked
            samples and are listed in the history.
        failed: Whether the sequences ran to failure, one truth value or one per sequence; None leaves it unknown.
        name: Opens error messages.

    Raises:
        InputError: Signals that differ in the number or lengths of sequences, values that cannot be held.
    """
    where = name or "arrays"
    pieces = {str(key): _pieces(value, place(name, f"signal {key}")) for key, value in signals.items()}
    lengths = _lengths(pieces, where)
    for option, named in (("kinds", kinds), ("channels", channels), ("units", units)):
        refuse_unknown_signals(named, pieces, where, option)
    names = [str(i) for i in (range(len(lengths)) if ids is None else ids)]
    grid = None if times is None else _grid(times, lengths, names, bin_width, where)
    options = {"kind": kinds or {}, "channels": channels or {}, "units": units or {}}
    made = {
        key: _signal(parts, grid, place(name, f"signal {key}"), {o: v[key] for o, v in options.items() if key in v})
        for key, parts in pieces.items()
    }
    facts = pd.DataFrame({"id": names})
    facts = facts if failed is None else facts.assign(failed=_per_sequence("failed", failed, len(names), where))
    if grid is not None and start is not None:
        raise InputError(f"{where}: give start or times, not both")
    if grid is not None:
        return Parts(made, grid.lengths, grid.start, grid.bin_width, clock_unit, facts, name, grid.history)
    starts = _per_sequence("start", 0.0 if start is None else start, len(lengths), where).astype(float)
    return Parts(made, lengths, starts, 1.0 if bin_width is None else float(bin_width), clock_unit, facts, name)


def _lengths(pieces: Mapping[str, list[np.ndarray]], where: str) -> np.ndarray:
    if not pieces:
        raise InputError(f"{where}: a recording needs at least one signal")
    first = next(iter(pieces))
    lengths = [len(p) for p in pieces[first]]
    for key, parts in pieces.items():
        other = [len(p) for p in parts]
        if other != lengths:
            raise InputError(
                f"{place(where, f'signal {key}')}: its sequences have {other[:8]} samples, those of {first} "
                f"{lengths[:8]}. All signals share one clock: resample or cut first."
            )
    return np.array(lengths, np.int64)


def _pieces(value: Any, where: str) -> list[np.ndarray]:
    is_list = isinstance(value, (list, tuple)) and len(value) > 0 and np.ndim(value[0]) > 0
    try:
        arrays = [np.asanyarray(v) for v in value] if is_list else [np.asanyarray(value)]
    except ValueError as error:
        raise InputError(f"{where}: rows of different lengths make no array. Pass one array per sequence.") from error
    arrays = [a[:, None] if a.ndim == 1 else a for a in arrays]
    for number, array in enumerate(arrays):
        if array.ndim < 2:
            raise InputError(f"{where}: an array of samples is expected, got a single value {value!r}")
        if array.dtype.kind not in "biuf":
            raise InputError(f"{where}, sequence {number}: values must be numbers, got {array.dtype}")
        if array.shape[1:] != arrays[0].shape[1:]:
            raise InputError(
                f"{where}, sequence {number}: {array.shape[1:]} channels, but sequence 0 has {arrays[0].shape[1:]}"
            )
    return arrays


def _signal(parts: list[np.ndarray], grid: Grid | None, where: str, options: Mapping[str, Any]) -> Signal:
    is_masked = any(isinstance(p, np.ma.MaskedArray) for p in parts)
    values = parts[0] if len(parts) == 1 else (np.ma.concatenate(parts) if is_masked else np.concatenate(parts))
    if grid is not None and grid.history:
        spread = np.ma.masked_all((int(grid.lengths.sum()), *values.shape[1:]), dtype=cast(Any, values.dtype))
        spread[grid.rows] = values
        values = spread
    return make_signal(values, where=where, **options)


def _grid(times: Any, lengths: np.ndarray, names: list[str], bin_width: float | None, where: str) -> Grid:
    listed = list(times) if isinstance(times, (list, tuple)) and np.ndim(times[0]) > 0 else [times]
    ticks = [np.asarray(t) for t in listed]
    if [t.shape for t in ticks] != [(n,) for n in lengths]:
        raise InputError(
            f"{where}: times have the shapes {[t.shape for t in ticks][:8]}, but the sequences have "
            f"{lengths.tolist()[:8]} samples. There must be one time per sample."
        )
    number = np.repeat(np.arange(len(lengths)), lengths)
    begins = np.cumsum(lengths) - lengths

    def spot(row: int) -> str:
        return place(where, f"sequence {names[number[row]]}", f"row {row - begins[number[row]] + 1}")

    if not len(number):
        raise InputError(f"{where}: there is no sample")
    return even_grid(_seconds(np.concatenate(ticks)), number, bin_width=bin_width, clock="time", spot=spot)


def _seconds(ticks: np.ndarray) -> np.ndarray:
    """Numbers as they are; dates as seconds after the earliest, time spans as seconds."""
    if ticks.dtype.kind == "M":
        ticks = ticks - np.nanmin(ticks)
    if ticks.dtype.kind == "m":
        return np.where(np.isnat(ticks), np.nan, ticks / np.timedelta64(1, "s"))
    return ticks.astype(float)


def _per_sequence(what: str, value: Any, count: int, where: str) -> np.ndarray:
    array = np.asarray(value)
    if array.shape not in ((), (count,)):
        raise InputError(f"{where}: {what} must be one value or one for each of {count} sequences, got {array.shape}")
    return np.broadcast_to(array, (count,)).copy()
