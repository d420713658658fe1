"""Spike times in two columns, a time and a unit: arrays of a NumPy archive, or a table (csv, parquet)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, did_you_mean, existing_file
from neurolatent.loaders.csv import table_of_text
from neurolatent.loaders.npz import arrays_in
from neurolatent.loaders.parquet import table_in
from neurolatent.recording import Recording


def read_spikes(
    path: str | Path,
    *,
    bin_width: float | int | None = None,
    times: str = "times",
    units: str = "units",
    start: float | int | str | None = None,
    stop: float | int | str | None = None,
    n_units: int | str | None = None,
    clock_unit: str = "s",
) -> Recording:
    """A recording of one signal ``spikes``: the spikes of a file counted in bins.

    Args:
        path: The file: .npz, .csv (plain or gzip) or .parquet.
        bin_width: Width of a bin, in clock units; always needed.
        times: Key or column of the times of all spikes, sorted within each unit.
        units: Key or column of the unit of each spike.
        start: Where the observed time begins, or the key of that number; None takes the first spike, or 0 where
            ``stop`` is given.
        stop: Where it ends, or the key of that number; None takes the last spike.
        n_units: Number of units, numbered from 0, or the key of that number: keeps those without a spike. None takes
            the units that have spikes.
        clock_unit: What the clock counts.

    Raises:
        FileNotFoundError: No such file.
        InputError: Keys or columns that are not there, times that are missing or descend within a unit.
    """
    path = existing_file(path)
    if bin_width is None:
        raise InputError(f"{path.name}: bin_width is needed, the width of a bin in {clock_unit}")
    columns = _columns(path)
    at, of = _column(columns, times, path.name), _column(columns, units, path.name)
    if at.dtype.kind not in "biuf":
        raise InputError(f"{path.name}: {times!r} holds no numbers. Name the times of spikes in times=...")
    low, high = _number(columns, start, path.name), _number(columns, stop, path.name)
    whole = _number(columns, n_units, path.name)
    given = at[np.isfinite(at)]
    if low is None and high is None or not len(given) and high is None:
        epochs: Sequence[float] | None = None
    else:
        epochs = (0.0 if low is None else low, float(given.max()) if high is None else high)
    return Recording.from_spikes(
        at,
        of,
        bin_width=bin_width,
        epochs=epochs,
        channels=None if whole is None else range(int(whole)),
        clock_unit=clock_unit,
        name=path.name,
    )


def _columns(path: Path) -> dict[str, np.ndarray]:
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix == ".npz":
        return arrays_in(path)
    table: pd.DataFrame = table_in(path) if suffix in (".parquet", ".pq") else table_of_text(path)
    return {str(name): table[name].to_numpy() for name in table.columns}


def _column(columns: dict[str, np.ndarray], key: str, name: str) -> np.ndarray:
    if key not in columns:
        raise InputError(f"{name}: no column or array {key!r}. {did_you_mean(key, columns)}")
    return columns[key]


def _number(columns: dict[str, np.ndarray], value: Any, name: str) -> float | None:
    if not isinstance(value, str):
        return None if value is None else float(value)
    array = _column(columns, value, name)
    if array.size != 1 or array.dtype.kind not in "iuf":
        raise InputError(f"{name}: {value!r} must hold one number, it has the shape {array.shape}")
    return float(array.reshape(()))
