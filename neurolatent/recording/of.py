"""Raw arrays, DataFrames, xarray and pynapple objects are accepted wherever a recording is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, did_you_mean
from neurolatent.recording.arrays import from_arrays
from neurolatent.recording.parts import Parts
from neurolatent.recording.pynapple import from_pynapple
from neurolatent.recording.table import from_table


def parts_of(data: Any, **options: Any) -> Parts:
    """The parts of a recording from whatever holds one; see :meth:`Recording.of`."""
    library = type(data).__module__.split(".")[0]
    if isinstance(data, pd.DataFrame):
        return from_table(data, **options)
    if library == "xarray":  # before mappings: a Dataset is one
        return _from_xarray(data, **options)
    if library == "pynapple" or (hasattr(data, "t") and hasattr(data, "values")):
        return from_pynapple(data, **options)
    if isinstance(data, Mapping):
        return from_arrays(data, **options)
    if isinstance(data, (np.ndarray, list, tuple)) or hasattr(data, "__array__"):
        return from_arrays({"signal": data}, **options)
    raise TypeError(
        f"cannot make a recording from a {type(data).__name__}. Pass an array, a list of arrays, a DataFrame, "
        "an xarray object or a Recording."
    )


def _from_xarray(data: Any, *, sequence: str | None = None, **options: Any) -> Parts:
    """Variables with the dimension ``time``; ``sequence`` names another dimension that numbers sequences (trials)."""
    variables = {str(data.name or "signal"): data} if hasattr(data, "to_dataset") else dict(data.data_vars)
    arrays, channels, units, ids = {}, {}, {}, None
    for key, array in variables.items():
        for wanted in ("time", sequence) if sequence else ("time",):
            if wanted not in array.dims:
                raise InputError(
                    f"variable {key!r}: it has the dimensions {[str(d) for d in array.dims]}, but one must be called "
                    f"{wanted!r}. {did_you_mean(wanted, map(str, array.dims))} Rename it, or drop the variable."
                )
        array = array.transpose(*([sequence] if sequence else []), "time", ...)
        if sequence:
            ids = [str(i) for i in array[sequence].values]
        arrays[str(key)] = list(array.values) if sequence else array.values
        units[str(key)] = str(array.attrs.get("units", ""))
        facts = _channel_facts(array, 3 if sequence else 2)
        channels.update({} if facts is None else {str(key): facts})
    times = np.asarray(data["time"].values) if "time" in data.coords else None
    if times is not None and sequence and ids:
        times = [times] * len(ids)
    return from_arrays(arrays, **{"channels": channels, "units": units, "ids": ids, "times": times, **options})


def _channel_facts(array: Any, ndim: int) -> pd.DataFrame | None:
    """Names of the channels and whatever else stands along their dimension."""
    dimension = array.dims[-1]
    if array.ndim != ndim or dimension not in array.coords:
        return None
    facts = {str(k): v.values for k, v in array.coords.items() if v.dims == (dimension,) and k != dimension}
    return pd.DataFrame(facts, index=pd.Index([str(c) for c in array[dimension].values], name="channel"))
