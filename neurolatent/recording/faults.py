"""What no recording can be: checked once, when it is made."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, place
from neurolatent.recording.parts import Parts


def refuse_faults(parts: Parts) -> None:
    """Refuse parts that make no recording.

    Raises:
        InputError: No signal, no sequence or an empty one, a clock that does not run, tables and signals that do not
            fit together, ids that stand twice.
    """
    name = parts.name or "recording"
    if not parts.signals:
        raise InputError(f"{name}: a recording needs at least one signal")
    if not len(parts.lengths):
        raise InputError(f"{name}: a recording needs at least one sequence")
    if not 0 < parts.bin_width < np.inf:
        raise InputError(f"{name}: bin_width must be positive, got {parts.bin_width}")
    _refuse_table(parts, name)
    empty = np.flatnonzero(np.asarray(parts.lengths) < 1)
    if len(empty):
        raise InputError(f"{place(name, f'sequence {parts.sequences.id.iloc[empty[0]]}')}: it has no sample. Drop it.")
    total = int(np.sum(parts.lengths))
    for key, signal in parts.signals.items():
        if len(signal.values) != total:
            raise InputError(
                f"{place(name, f'signal {key}')}: {len(signal.values)} samples, but the sequences have "
                f"{total} together. All signals share one clock: resample or cut it first."
            )
    for array in parts.knowledge.per_sample():
        if len(array) != total:
            raise InputError(f"{place(name, 'knowledge')}: {len(array)} rows, but the recording has {total} samples.")


def _refuse_table(parts: Parts, name: str) -> None:
    if "id" not in parts.sequences:
        raise InputError(
            f"{name}: the table of sequences needs the column 'id'; it has {list(parts.sequences.columns)}"
        )
    for what, count in (("ids", len(parts.sequences)), ("start times", len(parts.start))):
        if count != len(parts.lengths):
            raise InputError(f"{name}: {count} {what} for {len(parts.lengths)} sequences; there must be one each")
    ids: Any = parts.sequences["id"].astype(str)
    twice = ids[ids.duplicated()]
    if len(twice):
        raise InputError(f"{name}: the sequence id {twice.iloc[0]!r} stands twice. Rename one.")
    wrong = np.flatnonzero(~np.isfinite(np.asarray(parts.start, float)))
    if len(wrong):
        raise InputError(f"{place(name, f'sequence {ids.iloc[wrong[0]]}')}: it starts at {parts.start[wrong[0]]}")


def true_or_false(column: Any, ids: Sequence[str], name: str) -> np.ndarray:
    """(sequences,) the truth values of a column of facts; anything but True, False, 1 and 0 is refused."""
    for sequence, value in zip(ids, column, strict=True):
        if pd.isna(value) or value not in (True, False):
            raise InputError(
                f"{place(name, f'sequence {sequence}')}: {column.name} is {value!r}, but must be True or False. "
                f"Set it with with_facts({column.name}=...)."
            )
    return column.to_numpy(bool)
