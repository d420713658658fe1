"""Time series of an NWB file, in their units: conversion, offset and the channels' own conversions applied."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, did_you_mean, place
from neurolatent.loaders.nwb.file import columns_of
from neurolatent.recording.samples import refuse_times, resample
from neurolatent.recording.signal import Signal, make_signal
from neurolatent.recording.stretches import Bins

RADIANS = ("rad", "radian", "radians")
AXES = ("x", "y", "z")


class Source(NamedTuple):
    """A time series and its path in the file."""

    path: str
    series: Any
    unread: str  # why it cannot be read; "" where it can


def sources_of(nwb: Any) -> list[Source]:
    """Every time series of the file."""
    from pynwb import TimeSeries

    found = [item for item in nwb.objects.values() if isinstance(item, TimeSeries)]
    return [Source(_path(series), series, _why_not(series)) for series in found]


def _path(item: Any) -> str:
    parts = [item.name]
    while item.parent is not None and item.parent.parent is not None:
        item = item.parent
        parts.insert(0, item.name)
    return "/".join(parts)


def _why_not(series: Any) -> str:
    from pynwb.image import ImageSeries

    if isinstance(series, ImageSeries):
        return "images"
    shape = np.shape(series.data)
    if not shape or not shape[0]:
        return "no samples"
    if len(shape) > 2:
        return f"{len(shape)} axes, where time and channels are read"
    kind = getattr(getattr(series.data, "dtype", None), "kind", None) or np.asarray(series.data[:1]).dtype.kind
    if kind not in "biuf":
        return "no numbers"
    return "" if series.timestamps is not None or series.rate else "no clock"


def find(sources: list[Source], wanted: str, name: str) -> Source:
    """The source of that path, or of a path that ends with it.

    Raises:
        InputError: None, several, or one that cannot be read.
    """
    exact = [s for s in sources if s.path == wanted]
    found = exact or [s for s in sources if s.path.endswith("/" + wanted)]
    if len(found) > 1:
        raise InputError(f"{name}: {wanted!r} may be any of {[s.path for s in found]}. Write more of the path.")
    if not found:
        hint = did_you_mean(wanted, [s.path for s in sources if not s.unread])
        raise InputError(f"{name}: no time series {wanted!r}. {hint}")
    if found[0].unread:
        raise InputError(f"{name}: the series {found[0].path} cannot be read: {found[0].unread}")
    return found[0]


def times_of(source: Source, name: str) -> np.ndarray:
    """Clock times of all samples, s."""
    series, where = source.series, place(name, f"series {source.path}")
    if series.timestamps is None:
        if not 0 < series.rate < np.inf:
            raise InputError(f"{where}: its rate is {series.rate}")
        return float(series.starting_time or 0.0) + np.arange(len(series.data)) / float(series.rate)
    times = np.asarray(series.timestamps[:], float)
    if len(times) != len(series.data):
        raise InputError(f"{where}: {len(times)} time stamps for {len(series.data)} samples")
    refuse_times(times, where)
    return times


def read_series(source: Source, times: np.ndarray, bins: Bins, kind: str | None, name: str) -> tuple[Signal, str]:
    """The series on the bins, in its units, and a line for the history."""
    series, where = source.series, place(name, f"series {source.path}")
    kind = kind or ("angle" if series.unit in RADIANS else "continuous")
    if kind not in ("continuous", "angle"):
        raise InputError(f"{where}: kind {kind!r} cannot be averaged in bins. Choose 'continuous' or 'angle'.")
    own = getattr(series, "channel_conversion", None)
    scale = (series.conversion or 1.0) * (1.0 if own is None else np.asarray(own[:], float))
    offset = series.offset or 0.0

    def read(first: int, last: int) -> np.ndarray:
        raw = np.asarray(series.data[first:last], float)
        return (raw[:, None] if raw.ndim == 1 else raw) * scale + offset

    values, how = resample(times, read, bins, is_angle=kind == "angle")
    is_raw = own is None and (series.conversion or 1.0, offset) == (1.0, 0.0)
    note = f"{source.path}: {how} s" + ("" if is_raw else "; conversion and offset applied")
    units = "" if series.unit in ("unknown", "n/a", "a.u.") else str(series.unit)
    return make_signal(values, kind=kind, channels=_channels(source, values.shape[1]), units=units, where=where), note


def _channels(source: Source, count: int) -> pd.DataFrame:
    """Electrodes with their facts, axes of space, else numbers."""
    from pynwb.behavior import SpatialSeries

    region = getattr(source.series, "electrodes", None)
    if region is not None and len(region.data) == count:
        rows = np.asarray(region.data[:], int)
        facts = columns_of(region.table).table.iloc[rows]
        return facts.set_axis(pd.Index([str(region.table.id[int(r)]) for r in rows], name="channel"), axis=0)
    if isinstance(source.series, SpatialSeries) and 1 < count <= len(AXES):
        names = list(AXES[:count])
    else:
        names = [str(i) for i in range(count)] if count > 1 else [source.series.name]
    return pd.DataFrame(index=pd.Index(names, name="channel"))
