"""What is inside an NWB file."""

from pathlib import Path
from typing import Any

import numpy as np

from neurolatent.loaders.contents import Contents, Item
from neurolatent.loaders.nwb.file import columns_of, opened, ragged
from neurolatent.loaders.nwb.series import Source, sources_of
from neurolatent.loaders.nwb.units import TIMES
from neurolatent.recording.stretches import merged


def nwb_contents(path: Path) -> Contents:
    """Units, tables of intervals and time series of an NWB file, and what the loader does not read."""
    with opened(path) as nwb:
        return Contents(path.name, "nwb", tuple(items_of(nwb)))


def items_of(nwb: Any) -> list[Item]:
    """Everything in the file that holds data."""
    items = [] if nwb.units is None or not len(nwb.units) else _units(nwb.units)
    for name, table in dict(nwb.intervals or {}).items():
        items += _table(name, table, "intervals", {})
    return [*items, *(_series(source) for source in sources_of(nwb)), *_others(nwb)]


def _units(table: Any) -> list[Item]:
    trains = ragged(table, "spike_times") if "spike_times" in table.colnames else []
    spikes = [train for train in trains if len(train)]
    facts: dict[str, Any] = {"number": len(table), "spikes": sum(len(t) for t in trains)}
    if spikes:
        facts |= {"first_s": float(min(t.min() for t in spikes)), "last_s": float(max(t.max() for t in spikes))}
    if "obs_intervals" in table.colnames:
        spans = np.concatenate([*[i.reshape(-1, 2) for i in ragged(table, "obs_intervals")], np.zeros((0, 2))])
        union = merged(spans)
        facts |= {"observed_s": float((union[:, 1] - union[:, 0]).sum()), "observed_parts": len(union)}
    return _table("units", table, "units", facts, TIMES)


def _table(name: str, table: Any, what: str, facts: dict[str, Any], leave: tuple[str, ...] = ()) -> list[Item]:
    columns, unread = columns_of(table, leave)
    facts = {**(facts or {"rows": len(table)}), "columns": list(columns.columns)}
    return [Item(name, what, facts), *(Item(f"{name}/{c}", "column", {}, why) for c, why in unread.items())]


def _series(source: Source) -> Item:
    series = source.series
    facts: dict[str, Any] = {"type": type(series).__name__, "shape": list(np.shape(series.data))}
    if series.timestamps is not None:
        facts["clock"] = "time stamps"
    elif series.rate:
        facts |= {"rate_Hz": float(series.rate), "first_s": float(series.starting_time or 0.0)}
    return Item(source.path, "time series", {**facts, "unit": str(series.unit)}, source.unread)


def _others(nwb: Any) -> list[Item]:
    """Tables and images that no option can name."""
    from hdmf.common import DynamicTable
    from pynwb.base import Images

    taken = {id(nwb.units), *(id(table) for table in dict(nwb.intervals or {}).values())}
    found = [o for o in nwb.objects.values() if isinstance(o, (DynamicTable, Images)) and id(o) not in taken]
    return [Item(o.name, type(o).__name__, *_why_not(o)) for o in found]


def _why_not(other: Any) -> tuple[dict[str, Any], str]:
    if not hasattr(other, "colnames"):
        return {}, "images"
    if other.name == "electrodes":
        return {"rows": len(other)}, "read only as facts of the channels of a series"
    return {"rows": len(other)}, "a table of neither units nor intervals"
