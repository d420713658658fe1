"""A fit in one netCDF file: groups of numbers, settings as JSON, nothing pickled."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurolatent.checks import InputError, existing_file
from neurolatent.result.labels import parameter_dataset
from neurolatent.result.settings import CLASSES, decode, encode, to_json

FORMAT = "neurolatent fit 1"
PLAIN = ("converged", "interrupted", "warnings", "seed", "versions", "facts", "seconds", "n_latent_draws")

__all__ = ["CLASSES", "read", "write"]


def write(fit: Any, path: Path) -> Path:
    """Write the fit under a temporary name and move it into place.

    Raises:
        InputError: The folder cannot be written.
    """
    settings = {
        "model": encode(fit.model),
        "engine": encode(fit.engine),
        "prepare": encode(fit.prepare),
        **{name: getattr(fit, name) for name in PLAIN},
    }
    tree = dict(fit.idata.to_dict())
    tree = {name.strip("/"): data for name, data in tree.items() if name != "/"}
    coords = {d: c.values for d, c in fit.idata["point_estimate"].coords.items()}
    tree["params"] = parameter_dataset(fit.model, fit.params, coords)
    for number, learned in enumerate(fit.learned):
        tree[f"preparation/step_{number}"] = _learned_dataset(learned)
    whole = xr.DataTree.from_dict(tree)
    whole.attrs = {"format": FORMAT, "settings": to_json(settings)}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        whole.to_netcdf(temporary, engine="h5netcdf")
        temporary.replace(path)
    except (PermissionError, FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}). Choose another folder.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def read(path: Path) -> dict[str, Any]:
    """The fields of a fit.

    Raises:
        InputError: The file is no saved fit.
    """
    path = existing_file(path)
    try:
        with xr.open_datatree(path, engine="h5netcdf") as file:
            whole = file.load()
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as netCDF ({error}). Is it a file that Fit.save wrote?") from error
    if whole.attrs.get("format") != FORMAT:
        raise InputError(f"{path} holds no saved fit (format {whole.attrs.get('format')!r}, expected {FORMAT!r})")
    settings = json.loads(whole.attrs["settings"])
    model = decode(settings["model"])
    children = {name.strip("/"): data for name, data in whole.to_dict().items() if name != "/"}
    stored = children.pop("params")
    learned = [children.pop(f"preparation/step_{n}") for n in range(len(settings["prepare"]))]
    children.pop("preparation", None)
    draws = None
    if "posterior" in children:
        draws = model.params_from({str(k): v.values for k, v in children["posterior"].data_vars.items()})
    return {
        "model": model,
        "engine": decode(settings["engine"]),
        "prepare": decode(settings["prepare"]),
        "params": model.params_from({str(k): v.values for k, v in stored.data_vars.items()}),
        "draws": draws,
        "idata": xr.DataTree.from_dict(children),
        "learned": tuple(_learned_arrays(data) for data in learned),
        **{name: settings[name] for name in PLAIN},
        "warnings": tuple(settings["warnings"]),
    }


def _learned_dataset(learned: dict[str, np.ndarray]) -> xr.Dataset:
    return xr.Dataset(
        {
            name: ([f"{name}_{axis}" for axis in range(np.ndim(value))], np.asarray(value))
            for name, value in learned.items()
        }
    )


def _learned_arrays(data: xr.Dataset) -> dict[str, np.ndarray]:
    def plain(values: np.ndarray) -> np.ndarray:
        return values if values.dtype.kind in "biuf" else np.asarray(values, dtype=str)

    return {str(name): plain(value.values) for name, value in data.data_vars.items()}
