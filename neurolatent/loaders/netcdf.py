"""netCDF: recordings that neurolatent saved, and any file with a dimension of time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neurolatent.checks import InputError, did_you_mean, existing_file
from neurolatent.recording import Recording
from neurolatent.recording.store import DAMAGE, holds_recording, netcdf_engine


def read_netcdf(
    path: str | Path,
    *,
    signals: Sequence[str] | None = None,
    time: str = "time",
    sequence: str | None = None,
    kinds: Mapping[str, str] | None = None,
    bin_width: float | int | None = None,
    clock_unit: str | None = None,
    failed: bool | None = None,
) -> Recording:
    """A recording from a netCDF file: one that was saved as such, or the variables that run along ``time``.

    Args:
        path: The file.
        signals: Variables to read; None takes all numbers that run along time and names the others in the history.
        time: Name of the dimension of time.
        sequence: Name of a dimension that numbers sequences (trials).
        kinds: Kind of each signal; continuous where it is not named.
        bin_width: Clock time between samples; None takes it from the coordinate of time.
        clock_unit: What the clock counts; None takes it from the attribute ``units`` of the coordinate, else "s".
        failed: Whether all sequences ran to failure; None leaves it unknown.

    Raises:
        FileNotFoundError: No such file.
        InputError: No netCDF file, no such dimension or variable, values that no recording can hold.
    """
    path = existing_file(path)
    options = {"signals": signals, "sequence": sequence, "kinds": kinds, "bin_width": bin_width, "failed": failed}
    given = [name for name, value in options.items() if value is not None]
    if holds_recording(path):
        if given:
            raise InputError(f"{path.name}: it is a saved recording, so {', '.join(given)} would change nothing")
        return Recording.load(path)
    dataset = _dataset(path)
    if time not in dataset.dims:
        raise InputError(f"{path.name}: no dimension {time!r}. {did_you_mean(time, map(str, dataset.dims))}")
    dataset = dataset if time == "time" else dataset.rename({time: "time"})
    chosen, left = _variables(dataset, signals, sequence, path.name)
    stated = dataset["time"].attrs.get("units") if "time" in dataset.coords else None
    recording = Recording.of(
        dataset[chosen],
        sequence=sequence,
        kinds=kinds,
        bin_width=bin_width,
        clock_unit=clock_unit or str(stated or "s"),
        failed=failed,
        name=path.name,
    )
    return recording.noting(f"left out variables: {', '.join(left)}") if left else recording


def _dataset(path: Path) -> Any:
    import xarray as xr

    try:
        with xr.open_dataset(path, engine=netcdf_engine(path)) as dataset:
            return dataset.load()
    except DAMAGE as error:
        raise InputError(f"{path.name}: it cannot be read as netCDF ({error}). Copy or write it again.") from error


def _variables(
    dataset: Any, signals: Sequence[str] | None, sequence: str | None, name: str
) -> tuple[list[str], list[str]]:
    """Variables to read, and those left out."""
    known = [str(key) for key in dataset.data_vars]
    for key in signals or ():
        if key not in known:
            raise InputError(f"{name}: no variable {key!r}. {did_you_mean(key, known)}")
    if signals:
        return list(signals), []
    needed = {"time", sequence} - {None}
    chosen = [k for k in known if needed <= set(dataset[k].dims) and dataset[k].dtype.kind in "biuf"]
    if not chosen:
        raise InputError(f"{name}: no variable of numbers runs along {sorted(map(str, needed))}; it has {known}")
    return chosen, [k for k in known if k not in chosen]
