"""pynapple objects become a recording: spike times are counted, time series keep their epochs as sequences."""

from typing import Any

import numpy as np
import pandas as pd

from neurolatent.checks import InputError
from neurolatent.recording.arrays import from_arrays
from neurolatent.recording.parts import Parts
from neurolatent.recording.spikes import from_spikes
from neurolatent.recording.stretches import listed

MICROSECOND = 1.1e-6  # pynapple takes one off the end of an epoch that touches the next


def from_pynapple(data: Any, *, epochs: Any = None, **options: Any) -> Parts:
    """The parts of a recording from a Ts, TsGroup, Tsd, TsdFrame or TsdTensor; each epoch is a sequence.

    A Tsd or TsdFrame of whole numbers of at least 0 is taken for counts unless ``kinds`` says otherwise.

    Args:
        data: The object.
        epochs: An IntervalSet; None takes the object's time support.
        options: For spike times those of :func:`neurolatent.recording.spikes.from_spikes` (``bin_width`` is needed),
            else those of :func:`neurolatent.recording.arrays.from_arrays`.

    Raises:
        InputError: No bin width for spike times, no sample within the epochs.
        TypeError: Another object of pynapple.
    """
    if type(data).__name__ in ("Ts", "TsGroup"):
        return _from_times(data, epochs, options)
    if not (hasattr(data, "t") and hasattr(data, "values")):
        raise TypeError(
            f"cannot make a recording from a {type(data).__name__}. Pass a TsGroup with bin_width=..., or a TsdFrame."
        )
    columns = getattr(data, "columns", None)
    named: dict[str, Any] = {} if columns is None else {"channels": {"signal": _facts(data, columns)}}
    times, values = np.asarray(data.t, float), np.asarray(data.values)
    if values.dtype.kind in "iu" and values.ndim < 3 and not (values < 0).any():
        named["kinds"] = {"signal": "counts"}
    stretches = _ends(getattr(data, "time_support", None) if epochs is None else epochs)
    if stretches is None or (epochs is None and len(stretches) < 2):
        return from_arrays({"signal": values}, **{"times": times, **named, **options})
    return _from_epochs(values, times, stretches, {**named, **options})


def _from_epochs(values: np.ndarray, times: np.ndarray, stretches: np.ndarray, options: dict[str, Any]) -> Parts:
    inside = [(times >= low) & (times <= high) for low, high in stretches]
    empty = [number for number, rows in enumerate(inside) if not rows.any()]
    inside = [rows for rows in inside if rows.any()]
    if not inside:
        raise InputError(f"{options.get('name') or 'signal'}: no sample lies within the epochs")
    pieces = {"times": [times[rows] for rows in inside], **options}
    parts = from_arrays({"signal": [values[rows] for rows in inside]}, **pieces)
    note = (f"left out epochs without a sample: {listed(empty)}",) if empty else ()
    return parts._replace(history=(*parts.history, *note))


def _from_times(data: Any, epochs: Any, options: dict[str, Any]) -> Parts:
    if options.get("bin_width") is None:
        raise InputError(
            f"a {type(data).__name__} holds spike times: pass bin_width=..., the width of a bin in seconds"
        )
    if type(data).__name__ == "Ts":
        trains, facts = {"0": np.asarray(data.t)}, ["0"]
    else:
        trains, facts = {str(unit): np.asarray(data[unit].t) for unit in data.index}, _facts(data, data.index)
    support = _ends(data.time_support)
    stretches = support if epochs is None else _ends(epochs)
    if epochs is not None and support is not None:  # outside its time support nothing was observed
        options = {"observed": dict.fromkeys(trains, support), **options}
    return from_spikes(trains, **{"epochs": stretches, "channels": facts, **options})


def _facts(data: Any, names: Any) -> pd.DataFrame:
    """What stands beside each unit or column, without the rate that pynapple works out itself."""
    table = getattr(data, "metadata", None)
    index = pd.Index([str(name) for name in names], name="channel")
    if not isinstance(table, pd.DataFrame):
        return pd.DataFrame(index=index)
    return table.drop(columns=["rate"], errors="ignore").set_axis(index, axis=0)


def _ends(epochs: Any) -> np.ndarray | None:
    """(epochs, 2) begin and end, with the microsecond given back where an epoch touches the next."""
    values = getattr(epochs, "values", epochs)
    if values is None or not len(values):
        return None
    ends = np.array(values, float)
    gap = ends[1:, 0] - ends[:-1, 1]
    ends[:-1, 1] = np.where(gap < MICROSECOND, ends[1:, 0], ends[:-1, 1])
    return ends
