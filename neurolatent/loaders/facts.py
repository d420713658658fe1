"""Facts per sequence from a second table."""

from typing import Any

import pandas as pd

from neurolatent.checks import InputError, did_you_mean, place
from neurolatent.recording import Recording


def with_sequence_facts(recording: Recording, facts: pd.DataFrame, sequence: str | None, name: str) -> Recording:
    """The recording with the columns of ``facts``, matched by id.

    Args:
        recording: The recording.
        facts: One row per sequence, in any order, with a column ``id`` or one called like ``sequence``.
        sequence: What the column of ids is called in the recording's own file.
        name: File name of ``facts``, which opens error messages.

    Raises:
        InputError: No column of ids, an id that is missing, unknown or stands twice.
    """
    column = "id" if "id" in facts else sequence
    if column is None or column not in facts:
        raise InputError(f"{name}: no column 'id'. {did_you_mean(sequence or 'id', map(str, facts.columns))}")
    ids = _as_text(facts[column])
    known, rows = set(recording.ids), {}
    for row, key in enumerate(ids):
        where = place(name, f"row {row + 1}")
        if key not in known:
            hint = did_you_mean(key, recording.ids)
            raise InputError(f"{where}: {recording.title} has no sequence {key!r}. {hint}")
        if key in rows:
            raise InputError(f"{where}: the sequence {key!r} stands twice. Drop one of its rows.")
        rows[key] = row
    missing = [key for key in recording.ids if key not in rows]
    if missing:
        raise InputError(f"{name}: no row for the sequence {missing[0]!r}. Add it; unknown cells may be empty.")
    rest = facts.drop(columns=[column]).iloc[[rows[key] for key in recording.ids]].reset_index(drop=True)
    return recording.with_facts(**{str(key): rest[key] for key in rest.columns})


def _as_text(column: Any) -> list[str]:
    if pd.api.types.is_float_dtype(column) and (column == column.round()).all():
        column = column.astype(int)
    return [str(i) for i in column]
