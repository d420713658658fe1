"""A table with one row per sample becomes a recording; the door for csv, parquet, C-MAPSS and DataFrames."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, did_you_mean, place
from neurolatent.recording.clock import even_grid
from neurolatent.recording.coding import Codes, Levels, coded, constants, kind_of_levels, named_levels
from neurolatent.recording.parts import Parts, refuse_unknown_signals
from neurolatent.recording.signal import make_signal

EMPTY = ("", "nan", "na", "none", "null", "n/a", "nat")  # words for a cell without a value


def from_table(
    table: pd.DataFrame,
    *,
    signals: Mapping[str, Sequence[str]] | None = None,
    sequence: str | None = None,
    clock: str | None = None,
    bin_width: float | int | None = None,
    clock_unit: str = "s",
    kinds: Mapping[str, str] | None = None,
    failed: bool | None = None,
    missing: Mapping[str, Codes | Sequence[Codes]] | None = None,
    levels: Mapping[str, Levels] | None = None,
    per_sequence: Sequence[str] = (),
    name: str = "",
) -> Parts:
    """The parts of a recording from a table with one row per sample, rows of a sequence together and in order of time.

    Steps that are missing on the clock become masked samples and are listed in the history.

    Args:
        table: One row per sample; empty cells are not observed.
        signals: Signal name to its columns; None takes all number columns as one signal ``signal``.
        sequence: Column that names the sequence of a row; None makes the table one sequence.
        clock: Column with the clock time (numbers, or dates, which become seconds); None counts rows.
        bin_width: Clock time between samples; None takes the most common step.
        clock_unit: What the clock counts: "s", "cycle", "trial", ...
        kinds: Kind of each signal; where it is not named binary or category by its ``levels``, else continuous.
        failed: Whether all sequences ran to failure; None leaves it unknown.
        missing: Column to the code, or codes, that stand for a missing value there.
        levels: Column to its words or codes in order, which become 0, 1, 2, ...; or to its words with their codes.
        per_sequence: Columns with one value throughout a sequence, which go into the table of sequences.
        name: File name, which opens error messages.

    Raises:
        InputError: Missing columns, text in a number column, duplicated or decreasing or uneven clock times,
            infinite values; the message names file, sequence, column and row (the first row of data is row 1).
    """
    if len(table) == 0:
        raise InputError(f"{name or 'table'}: it has no rows")
    table = table.set_axis([str(c) for c in table.columns], axis=1)
    per_sequence = [per_sequence] if isinstance(per_sequence, str) else list(per_sequence)
    _refuse_missing(table, per_sequence, name)
    table, codes = coded(table, missing, levels, name)
    groups, notes = _groups(table, signals, (sequence, clock, *per_sequence), name)
    refuse_unknown_signals(kinds, groups, name, "kinds")
    _refuse_missing(table, [*sum(groups.values(), []), *[c for c in (sequence, clock) if c]], name)
    ids = _ids(table, sequence, name)

    def spot(row: int) -> str:
        return place(name, f"{sequence} {ids[row]}" if sequence else "", f"row {row + 1}")

    ticks = _ticks(table, clock, ids, bin_width, spot)
    grid = even_grid(ticks, ids, bin_width=bin_width, clock=clock or "row", spot=spot)
    made = {}
    for signal, columns in groups.items():
        values = np.full((int(grid.lengths.sum()), len(columns)), np.nan)
        for number, column in enumerate(columns):
            values[grid.rows, number] = _numbers(table[column], spot)
        kind = (kinds or {}).get(signal, kind_of_levels(columns, levels))
        made[signal] = make_signal(
            values, kind=kind, channels=named_levels(columns, levels), where=place(name, f"signal {signal}")
        )
    begins = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
    facts = pd.DataFrame({"id": [str(i) for i in grid.ids], **constants(table, per_sequence, begins, spot)})
    facts = facts if failed is None else facts.assign(failed=failed)
    return Parts(
        made, grid.lengths, grid.start, grid.bin_width, clock_unit, facts, name, (*grid.history, *codes, *notes)
    )


def _groups(
    table: pd.DataFrame, signals: Mapping[str, Sequence[str]] | None, used: Sequence[str | None], name: str
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Columns of each signal, and a line on the columns that were left out."""
    if signals:
        groups = {key: [columns] if isinstance(columns, str) else list(columns) for key, columns in signals.items()}
        empty = [key for key, columns in groups.items() if not columns]
        if empty:
            raise InputError(f"{place(name, f'signal {empty[0]}')}: it needs at least one column")
        return groups, ()
    rest = [(c, table.iloc[:, n]) for n, c in enumerate(table.columns) if c not in used]
    chosen = [c for c, column in rest if _is_numbers(column)]
    left = [c for c, _ in rest if c not in chosen]
    if not chosen:
        raise InputError(
            f"{place(name, 'columns')}: besides sequence and clock none holds numbers; name the columns in signals=..."
        )
    return {"signal": chosen}, (f"left out columns without numbers: {', '.join(left)}",) if left else ()


def _is_numbers(column: pd.Series) -> bool:
    """Whether most cells are numbers, at least: a wrong one is then refused and not passed over."""
    if pd.api.types.is_numeric_dtype(column):
        return True
    if pd.api.types.is_datetime64_any_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype):
        return False
    filled = ~column.isna().to_numpy() & ~column.astype(str).str.strip().str.lower().isin(EMPTY).to_numpy()
    return bool(np.isfinite(parsed(column))[filled].sum() > filled.sum() / 2)


def _refuse_missing(table: pd.DataFrame, wanted: Sequence[str], name: str) -> None:
    columns = list(table.columns)
    for column in wanted:
        if column not in columns:
            raise InputError(
                f"{place(name, 'columns')}: there is no column {column!r}. {did_you_mean(column, columns)}"
            )
        if columns.count(column) > 1:
            raise InputError(f"{place(name, 'columns')}: {column!r} stands twice. Rename one of them.")


def _ids(table: pd.DataFrame, sequence: str | None, name: str) -> np.ndarray:
    if sequence is None:
        return np.zeros(len(table), int)
    column: Any = table[sequence]
    empty = np.flatnonzero(column.isna())
    if len(empty):
        raise InputError(f"{place(name, f'row {empty[0] + 1}')}: the column {sequence!r} is empty there. Fill it in.")
    if pd.api.types.is_float_dtype(column) and (column == column.round()).all():
        column = column.astype(int)
    ids = np.asarray(column)
    runs: Any = pd.Series(ids[np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))])
    again = runs[runs.duplicated()]
    if len(again):
        mine = np.flatnonzero(ids == again.iloc[0])
        row = int(mine[np.argmax(np.diff(mine) > 1) + 1]) + 1
        raise InputError(
            f"{place(name, f'{sequence} {again.iloc[0]}', f'row {row}')}: its rows do not stand together. "
            f"Sort the table by {sequence} and time."
        )
    return ids


def _ticks(
    table: pd.DataFrame, clock: str | None, ids: np.ndarray, bin_width: float | None, spot: Callable[[int], str]
) -> np.ndarray:
    if clock is None:
        count = pd.Series(ids).groupby(ids, sort=False).cumcount().to_numpy(float)
        return count * (1.0 if bin_width is None else bin_width)
    column: Any = table[clock]
    if pd.api.types.is_datetime64_any_dtype(column):
        return (column - column.min()).dt.total_seconds().to_numpy(float)
    if not pd.api.types.is_numeric_dtype(column):
        dates: Any = pd.to_datetime(column, errors="coerce", format="ISO8601", utc=True)
        if dates.notna().all():
            return (dates - dates.min()).dt.total_seconds().to_numpy(float)
    return _numbers(column, spot)


def parsed(column: Any) -> np.ndarray:
    """A column as floats, NaN where a cell is empty or no number."""
    numbers: Any = pd.to_numeric(column, errors="coerce")
    return numbers.to_numpy(float, na_value=np.nan)


def _numbers(raw: Any, spot: Callable[[int], str]) -> np.ndarray:
    numbers = parsed(raw)
    suspects = np.flatnonzero(np.isnan(numbers) & ~raw.isna().to_numpy())
    text = [i for i in suspects if str(raw.iloc[i]).strip().lower() not in EMPTY]
    if text:
        row = int(text[0])
        raise InputError(
            f"{place(spot(row), f'column {raw.name}')}: {raw.iloc[row]!r} is not a number. "
            "Correct it, or leave the cell empty where nothing was observed."
        )
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        row = int(infinite[0])
        raise InputError(
            f"{place(spot(row), f'column {raw.name}')}: the value is {numbers[row]}. "
            "Infinite values are refused; leave the cell empty where nothing was observed."
        )
    return numbers
