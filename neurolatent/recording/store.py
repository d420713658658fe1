"""A recording in one netCDF file (h5netcdf through xarray): arrays are variables, tables JSON, nothing pickled."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from neurolatent.checks import InputError, existing_file
from neurolatent.recording.knowledge import Knowledge, LabelTrack
from neurolatent.recording.parts import Parts
from neurolatent.recording.signal import Kind, Signal
from neurolatent.recording.tables import table_from_json, table_to_json

SCHEMA = "neurolatent recording 1"
MARK = "neurolatent"  # the attribute that tells our files from others
DAMAGE = (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError)  # what libraries raise on a damaged file


def save_parts(parts: Parts, path: str | Path) -> None:
    """Write the fields of a recording to one netCDF file; :func:`load_parts` reads them back exactly.

    The file is written under another name in the same folder and then moved, so that it is whole or not there.

    Raises:
        InputError: The folder does not exist or may not be written to.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; a file name is expected")
    arrays, heads = _arrays_of(parts)
    header = {
        "bin_width": float(parts.bin_width).hex(),
        "clock_unit": parts.clock_unit,
        "name": parts.name,
        "history": list(parts.history),
        "sequences": table_to_json(parts.sequences),
        "statements": table_to_json(parts.knowledge.statements),
        **heads,
    }
    _write(path, {**arrays, "header": np.frombuffer(json.dumps(header).encode(), np.uint8)})


def load_parts(path: str | Path) -> Parts:
    """The fields of a recording that :func:`save_parts` wrote.

    Raises:
        FileNotFoundError: No such file; the message gives the close matches.
        InputError: The file is no netCDF file, or holds no saved recording.
    """
    path = existing_file(path)
    arrays = _arrays_in(path)
    head = json.loads(arrays["header"].tobytes())
    return Parts(
        signals=_signals_in(arrays, head),
        lengths=arrays["lengths"],
        start=arrays["start"],
        bin_width=float.fromhex(head["bin_width"]),
        clock_unit=head["clock_unit"],
        sequences=table_from_json(head["sequences"]),
        name=head["name"],
        history=tuple(head["history"]),
        knowledge=_knowledge_in(arrays, head),
    )


def _signals_in(arrays: Mapping[str, np.ndarray], head: Mapping[str, Any]) -> dict[str, Signal]:
    return {
        name: Signal(
            arrays[f"values_{number}"].astype(dtype, copy=False),
            cast(Kind, kind),
            table_from_json(table),
            units,
            arrays[f"observed_{number}"].astype(bool),
        )
        for number, (name, kind, dtype, units, table) in enumerate(head["signals"])
    }


def _knowledge_in(arrays: Mapping[str, np.ndarray], head: Mapping[str, Any]) -> Knowledge:
    tracks = tuple(
        LabelTrack(arrays[f"label_{n}"], of, arrays[f"doubt_{n}"], is_noisy)
        for n, (of, is_noisy) in enumerate(head["labels"])
    )
    ready = tuple(arrays[f"plausibility_{n}"] for n in range(head["plausibilities"]))
    return Knowledge(table_from_json(head["statements"]), tracks, ready)


def holds_recording(path: Path) -> bool:
    """Whether a netCDF file was written by :func:`save_parts`."""
    with _opened(path) as dataset:
        return MARK in dataset.attrs


def _arrays_in(path: Path) -> dict[str, np.ndarray]:
    with _opened(path) as dataset:
        schema = dataset.attrs.get(MARK)
        if schema == SCHEMA:
            return {str(name): np.asarray(variable.values) for name, variable in dataset.variables.items()}
    if schema is None:
        raise InputError(
            f"{path.name}: this netCDF file holds no saved recording. Read it with load(..., format='netcdf')."
        )
    raise InputError(
        f"{path.name}: it was saved as {schema!r}, this version reads {SCHEMA!r}. Use the version that saved it."
    )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The netCDF file as it is stored, with errors that name it."""
    import xarray as xr

    engine, complaint = (
        netcdf_engine(path),
        f"{path.name}: the netCDF file is cut short or damaged. Copy or write it again.",
    )
    try:
        dataset = xr.open_dataset(path, engine=engine, decode_cf=False)
    except DAMAGE as error:
        raise InputError(complaint) from error
    try:
        with dataset:
            yield dataset
    except (OSError, RuntimeError, EOFError) as error:  # values are read late
        raise InputError(complaint) from error


def netcdf_engine(path: Path) -> Literal["h5netcdf", "scipy"]:
    """The library that reads a netCDF file, told from its first bytes."""
    with path.open("rb") as file:
        begin = file.read(4)
    if begin == b"\x89HDF":
        return "h5netcdf"
    if begin[:3] == b"CDF":
        return "scipy"
    what = "empty" if not begin else "no netCDF file"
    raise InputError(f"{path.name}: the file is {what}. Copy it again, or name its format with format=...")


def _arrays_of(parts: Parts) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    arrays, heads = {"lengths": parts.lengths, "start": parts.start}, []
    for number, (name, signal) in enumerate(parts.signals.items()):
        arrays[f"values_{number}"] = _storable(signal.values)
        arrays[f"observed_{number}"] = signal.observed.astype(np.uint8)
        heads.append([name, signal.kind, str(signal.values.dtype), signal.units, table_to_json(signal.channels)])
    known = parts.knowledge
    for number, track in enumerate(known.labels):
        arrays[f"label_{number}"], arrays[f"doubt_{number}"] = track.level, np.asarray(track.doubt)
    for number, array in enumerate(known.plausibilities):
        arrays[f"plausibility_{number}"] = array
    labels = [[int(t.of), bool(t.is_noisy)] for t in known.labels]
    return arrays, {"signals": heads, "labels": labels, "plausibilities": len(known.plausibilities)}


def _storable(array: np.ndarray) -> np.ndarray:
    """In a type that netCDF has; the true one stands in the header."""
    wider = {"bool": np.uint8, "float16": np.float32}.get(str(array.dtype))
    return array if wider is None else array.astype(wider)


def _write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    import xarray as xr

    variables = {
        name: ([f"{name}_axis{axis}" for axis in range(array.ndim)], array, {}, {"_FillValue": None, "zlib": True})
        for name, array in arrays.items()
    }
    dataset = xr.Dataset(variables, attrs={MARK: SCHEMA})
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise InputError(f"{path}: the folder {path.parent} cannot be written to ({error.strerror}).") from error
    try:
        dataset.to_netcdf(temporary, engine="h5netcdf")
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: the file cannot be written ({error.strerror or error}).") from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
