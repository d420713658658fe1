"""A result in one netCDF file: groups of numbers, settings as JSON, nothing pickled."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from neurolatent.checks import InputError, existing_file
from neurolatent.models.protocols import DrawsPart
from neurolatent.result.labels import parameter_dataset
from neurolatent.result.settings import CLASSES, decode, encode, to_json

FORMAT = "neurolatent fit 1"
PLAIN = ("converged", "interrupted", "warnings", "seed", "versions", "facts", "seconds", "n_latent_draws")

__all__ = ["CLASSES", "FORMAT", "Stored", "as_arrays", "as_dataset", "read", "restored", "stored", "write"]


class Stored(NamedTuple):
    """What is written: groups of arrays by their path, and settings as plain values."""

    tree: dict[str, xr.Dataset]
    settings: dict[str, Any]


def stored(fit: Any) -> Stored:
    """A fit as groups and settings."""
    settings = {
        "model": encode(fit.model),
        "engine": encode(fit.engine),
        "prepare": encode(fit.prepare),
        **{name: getattr(fit, name) for name in PLAIN},
    }
    tree = {name.strip("/"): data for name, data in fit.idata.to_dict().items() if name != "/"}
    coords = {d: c.values for d, c in fit.idata["point_estimate"].coords.items()}
    tree["params"] = parameter_dataset(fit.model, fit.params, coords)
    for number, learned in enumerate(fit.learned):
        tree[f"preparation/step_{number}"] = as_dataset(learned)
    return Stored(tree, settings)


def restored(whole: Stored) -> dict[str, Any]:
    """The fields of a fit."""
    children, settings = dict(whole.tree), whole.settings
    model: Any = decode(settings["model"])
    params = children.pop("params")
    learned = [children.pop(f"preparation/step_{n}") for n in range(len(settings["prepare"]))]
    children.pop("preparation", None)
    draws = None
    if "posterior" in children:
        draws = _draws(model, {str(k): v.values for k, v in children["posterior"].data_vars.items()})
    return {
        "model": model,
        "engine": decode(settings["engine"]),
        "prepare": decode(settings["prepare"]),
        "params": model.params_from({str(k): v.values for k, v in params.data_vars.items()}),
        "draws": draws,
        "idata": xr.DataTree.from_dict(children),
        "learned": tuple(as_arrays(data) for data in learned),
        **{name: settings[name] for name in PLAIN},
        "warnings": tuple(settings["warnings"]),
    }


def _draws(model: Any, values: dict[str, np.ndarray]) -> Any:
    return model.drawn(**values) if isinstance(model, DrawsPart) else model.params_from(values)


def write(whole: Stored, path: Path, kind: str) -> Path:
    """Write under a temporary name and move it into place.

    Args:
        kind: What the file is, and in which version.

    Raises:
        InputError: The folder cannot be written.
    """
    tree = xr.DataTree.from_dict(whole.tree)
    tree.attrs = {"format": kind, "settings": to_json(whole.settings)}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        tree.to_netcdf(temporary, engine="h5netcdf")
        temporary.replace(path)
    except (PermissionError, FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}). Choose another folder.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def read(path: Path, kind: str) -> Stored:
    """What was written.

    Raises:
        InputError: The file is not of this kind.
    """
    path = existing_file(path)
    try:
        with xr.open_datatree(path, engine="h5netcdf") as file:
            whole = file.load()
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as netCDF ({error}). Is it a file that save() wrote?") from error
    if whole.attrs.get("format") != kind:
        name = kind.split()[1]
        raise InputError(f"{path} holds no saved {name} (format {whole.attrs.get('format')!r}, expected {kind!r})")
    tree = {name.strip("/"): data for name, data in whole.to_dict().items() if name != "/"}
    return Stored(tree, json.loads(whole.attrs["settings"]))


def as_dataset(learned: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Arrays by name, with axes of their own."""
    return xr.Dataset(
        {
            name: ([f"{name}_{axis}" for axis in range(np.ndim(value))], np.asarray(value))
            for name, value in learned.items()
        }
    )


def as_arrays(data: xr.Dataset) -> dict[str, np.ndarray]:
    """The arrays again."""

    def plain(values: np.ndarray) -> np.ndarray:
        return values if values.dtype.kind in "biuf" else np.asarray(values, dtype=str)

    return {str(name): plain(value.values) for name, value in data.data_vars.items()}
