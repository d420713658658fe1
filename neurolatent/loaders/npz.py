"""NumPy archives (.npz): arrays by key become signals."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, did_you_mean, existing_file, place
from neurolatent.loaders.contents import Contents, Item
from neurolatent.recording import Recording


def read_npz(
    path: str | Path,
    *,
    signals: Mapping[str, str] | Sequence[str] | None = None,
    transpose: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    channels: Mapping[str, str | Sequence[str]] | None = None,
    facts: Mapping[str, Mapping[str, str]] | None = None,
    units: Mapping[str, str] | None = None,
    lengths: str | Sequence[int] | None = None,
    bin_width: float | int | str | None = None,
    start: float | int | str | None = None,
    times: str | None = None,
    clock_unit: str = "s",
    failed: bool | None = None,
) -> Recording:
    """A recording from the arrays of a NumPy archive, (samples, *features) each.

    Args:
        path: The file.
        signals: Signal name to the key of its array, or a list of keys; None takes all arrays of numbers.
        transpose: Signals whose arrays stand as (channels, samples).
        kinds: Kind of each signal; continuous where it is not named.
        channels: Names of a signal's channels: a list, or the key of an array of names.
        facts: Facts per channel: signal to column to the key of an array, such as {"counts": {"area": "region"}}.
        units: Unit of each signal's values.
        lengths: Samples of each sequence, or the key of such an array; None makes all one sequence.
        bin_width: Clock time between samples, or the key of that number.
        start: Clock time of the first sample, or the key of that number.
        times: Key of the clock times of all samples, instead of ``bin_width`` and ``start``.
        clock_unit: What the clock counts.
        failed: Whether all sequences ran to failure; None leaves it unknown.

    Raises:
        FileNotFoundError: No such file.
        InputError: A damaged archive, pickled objects, keys that are not there, arrays that do not fit together.
    """
    path = existing_file(path)
    arrays = arrays_in(path)
    wanted = _chosen(arrays, signals, times, path.name)
    _refuse_strange({"transpose": transpose, "channels": channels or {}, "facts": facts or {}}, wanted, path.name)
    values = {s: arrays[key].swapaxes(0, -1) if s in transpose else arrays[key] for s, key in wanted.items()}
    cuts = _boundaries(arrays, lengths, values, path.name)
    split = {s: _split(array, cuts) for s, array in values.items()}
    return Recording.of(
        split,
        kinds=kinds,
        channels={
            s: _channel_table(arrays, s, channels, facts, _n_channels(values[s]), path.name)
            for s in wanted
            if s in (channels or {}) or s in (facts or {})
        },
        units=units,
        bin_width=_number(arrays, bin_width, path.name),
        start=_number(arrays, start, path.name),
        times=None if times is None else _split(_array(arrays, times, path.name), cuts),
        clock_unit=clock_unit,
        failed=failed,
        name=path.name,
    )


def npz_contents(path: Path) -> Contents:
    """The arrays of a NumPy archive with their types and shapes."""
    items = [
        Item(key, "array", {"type": str(array.dtype), "shape": list(array.shape)}, _why_not(array))
        for key, array in arrays_in(path).items()
    ]
    return Contents(path.name, "npz", tuple(items))


def _why_not(array: np.ndarray) -> str:
    return "" if array.dtype.kind in "biufUS" else "neither numbers nor text"


def arrays_in(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a NumPy archive by key; pickled objects and damage are refused."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise InputError(f"{path.name}: the file is no NumPy archive, or is cut short. Copy it again.") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path.name}: it holds pickled Python objects or is no archive of arrays, which is refused. "
            "Save plain arrays of numbers and text with numpy.savez."
        ) from error


def _array(arrays: Mapping[str, np.ndarray], key: str, name: str) -> np.ndarray:
    if key not in arrays:
        raise InputError(f"{name}: no array {key!r}. {did_you_mean(key, arrays)}")
    return arrays[key]


def _chosen(arrays: Mapping[str, np.ndarray], signals: Any, times: str | None, name: str) -> dict[str, str]:
    """Signal name to key."""
    if signals is None:
        numbers = [k for k, a in arrays.items() if a.ndim > 0 and a.dtype.kind in "biuf" and k != times]
        if not numbers:
            raise InputError(f"{name}: none of the arrays {list(arrays)} holds numbers over time")
        return {key: key for key in numbers}
    wanted = dict(signals) if isinstance(signals, Mapping) else {key: key for key in signals}
    for key in wanted.values():
        _array(arrays, key, name)
    return wanted


def _refuse_strange(options: Mapping[str, Any], wanted: Mapping[str, str], name: str) -> None:
    for option, named in options.items():
        for signal in named:
            if signal not in wanted:
                raise InputError(f"{name}, {option}: there is no signal {signal!r}. {did_you_mean(signal, wanted)}")


def _boundaries(arrays: Mapping[str, np.ndarray], lengths: Any, values: Mapping[str, Any], name: str) -> np.ndarray:
    """Where the second and later sequences begin."""
    shapes = {s: a.shape for s, a in values.items()}
    samples = {shape[0] if shape else 0 for shape in shapes.values()}
    if len(samples) > 1:
        raise InputError(
            f"{name}: the first axes of the arrays differ: {shapes}. All signals share one clock: name those that "
            "belong together in signals=..., and those that stand as (channels, samples) in transpose=..."
        )
    if lengths is None:
        return np.zeros(0, int)
    counts = np.asarray(_array(arrays, lengths, name) if isinstance(lengths, str) else lengths)
    total = next(iter(samples))
    if counts.ndim != 1 or counts.dtype.kind not in "iu" or (counts < 1).any() or counts.sum() != total:
        raise InputError(
            f"{name}: lengths must be whole numbers of at least 1 that add up to {total} samples, got {counts}"
        )
    return np.cumsum(counts)[:-1]


def _split(array: np.ndarray, cuts: np.ndarray) -> list[np.ndarray]:
    return np.split(array, cuts)


def _number(arrays: Mapping[str, np.ndarray], value: float | int | str | None, name: str) -> float | None:
    if not isinstance(value, str):
        return value if value is None else float(value)
    array = _array(arrays, value, name)
    if array.size != 1 or array.dtype.kind not in "iuf":
        raise InputError(f"{place(name, f'array {value}')}: one number is expected, got shape {array.shape}")
    return float(array.reshape(()))


def _n_channels(array: np.ndarray) -> int:
    """Channels of an array over time; an array of one axis is one channel."""
    return array.shape[-1] if array.ndim > 1 else 1


def _channel_table(
    arrays: Mapping[str, np.ndarray], signal: str, channels: Any, facts: Any, count: int, name: str
) -> pd.DataFrame:
    names = (channels or {}).get(signal, range(count))
    names = _array(arrays, names, name) if isinstance(names, str) else names
    columns = {c: _array(arrays, key, name) for c, key in (facts or {}).get(signal, {}).items()}
    for column, array in columns.items():
        if array.shape != (count,):
            raise InputError(
                f"{place(name, f'signal {signal}', f'fact {column}')}: shape {array.shape}, but it has {count} channels"
            )
    if len(names) != count:
        raise InputError(f"{place(name, f'signal {signal}')}: {len(names)} channel names for {count} channels")
    return pd.DataFrame(columns, index=pd.Index([str(n) for n in names], name="channel"))
