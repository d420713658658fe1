"""An NWB file opened with pynwb, and the columns of its tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neurolatent.checks import InputError
from neurolatent.recording.store import DAMAGE


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The NWBFile, whose data are read while it is open.

    Raises:
        InputError: pynwb is not installed, the file is no NWB file or damaged.
    """
    try:
        from pynwb import NWBHDF5IO
    except ImportError as error:
        raise InputError(f"{path.name}: NWB needs pynwb. Install it: pip install 'neurolatent[neuro]'") from error
    make: Any = NWBHDF5IO
    try:
        io = make(str(path), "r")
    except DAMAGE as error:
        raise InputError(_complaint(path, error)) from error
    with io:
        try:
            nwb = io.read()
        except DAMAGE as error:
            raise InputError(_complaint(path, error)) from error
        try:
            yield nwb
        except (OSError, RuntimeError, EOFError) as error:  # values are read late
            raise InputError(_complaint(path, error)) from error


def _complaint(path: Path, error: Exception) -> str:
    return f"{path.name}: the file is no NWB file, or is cut short ({error}). Copy or download it again."


class Columns(NamedTuple):
    """The columns of a table with one value a row, and why the others were not read."""

    table: pd.DataFrame
    unread: dict[str, str]


def columns_of(table: Any, leave: tuple[str, ...] = ()) -> Columns:
    """The columns of an NWB table with one number, word or truth value a row; those of ``leave`` are passed over."""
    read, unread = {}, {}
    for name in table.colnames:
        if name in leave:
            continue
        column = table[name]
        if hasattr(column, "target"):
            unread[name] = "a list in each row"
            continue
        values = column[:]
        plain = np.asarray(values) if isinstance(values, (np.ndarray, list)) else np.zeros((0, 0))
        if plain.ndim != 1 or not all(
            isinstance(v, (str, bytes, int, float, bool, np.generic)) for v in plain.tolist()
        ):
            unread[name] = "no plain values"
            continue
        read[name] = [v.decode() if isinstance(v, bytes) else v for v in plain.tolist()]
    return Columns(pd.DataFrame(read, index=pd.RangeIndex(len(table))), unread)


def ragged(table: Any, name: str) -> list[np.ndarray]:
    """The values of each row of a column of lists."""
    column = table[name]
    if not hasattr(column, "target"):
        return [np.asarray(v, float) for v in column[:]]
    return (
        np.split(np.asarray(column.target.data[:], float), np.asarray(column.data[:], int)[:-1]) if len(table) else []
    )
