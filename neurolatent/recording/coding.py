"""Words and codes in a table: what stands for a missing value, for a level of a category, for a fact of a sequence."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, did_you_mean, place
from neurolatent.recording.stretches import listed

Codes = str | bool | int | float
Levels = Sequence[Codes] | Mapping[str, Codes]  # words or codes in order; or words in order with the code of each


def coded(
    table: pd.DataFrame,
    missing: Mapping[str, Codes | Sequence[Codes]] | None,
    levels: Mapping[str, Levels] | None,
    name: str,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The table with codes for missing values emptied and levels numbered from 0, and lines for the history.

    Raises:
        InputError: An unknown column, a level that is given twice, a value that is none of the levels.
    """
    notes = []
    for column, codes in (missing or {}).items():
        _refuse_unknown(column, table, place(name, "missing"))
        listing: Any = codes if isinstance(codes, (list, tuple)) else [codes]
        cells: Any = table[column]
        hidden = np.any([_equals(cells, code) for code in listing], axis=0)
        table = table.assign(**{column: cells.mask(hidden)})
        notes.append(f"{hidden.sum()} values of {column} were codes for missing ({listed(listing)})")
    for column, given in (levels or {}).items():
        _refuse_unknown(column, table, place(name, "levels"))
        table = table.assign(**{column: _numbered(table[column], given, name)})
        notes.append(f"levels of {column}: " + ", ".join(f"{n} = {word}" for n, word in enumerate(given)))
    return table, tuple(notes)


def named_levels(columns: Sequence[str], levels: Mapping[str, Levels] | None) -> Sequence[str] | pd.DataFrame:
    """Names of the channels; where some have levels, a table with their words as a JSON list."""
    words = [json.dumps([str(word) for word in (levels or {}).get(column, ())]) for column in columns]
    if all(text == "[]" for text in words):
        return columns
    return pd.DataFrame({"levels": words}, index=pd.Index(columns, name="channel"))


def kind_of_levels(columns: Sequence[str], levels: Mapping[str, Levels] | None) -> str:
    """The kind of a signal whose columns are all coded by levels: binary or category; continuous where they are not."""
    counts = [len((levels or {}).get(column, ())) for column in columns]
    return "continuous" if 0 in counts else "binary" if set(counts) == {2} else "category"


def constants(
    table: pd.DataFrame, columns: Sequence[str], begins: np.ndarray, spot: Callable[[int], str]
) -> dict[str, list[Any]]:
    """Columns that hold one value throughout each sequence, which begins at the rows ``begins``.

    Raises:
        InputError: A value that differs from the one in the first row of its sequence; the message names the row.
    """
    number = np.searchsorted(begins, np.arange(len(table)), side="right") - 1
    out = {}
    for column in columns:
        values: Any = table[column]
        first = values.iloc[begins[number]].set_axis(values.index)
        same = (values == first).to_numpy(bool, na_value=False) | (values.isna() & first.isna()).to_numpy()
        wrong = np.flatnonzero(~same)
        if len(wrong):
            row = int(wrong[0])
            raise InputError(
                f"{place(spot(row), f'column {column}')}: it is {values.iloc[row]!r}, but {first.iloc[row]!r} in the "
                "first row of the sequence. A column of per_sequence must hold one value throughout."
            )
        out[column] = values.iloc[begins].tolist()
    return out


def _refuse_unknown(column: str, table: pd.DataFrame, where: str) -> None:
    if column not in table:
        raise InputError(f"{where}: there is no column {column!r}. {did_you_mean(column, map(str, table.columns))}")


def _equals(column: pd.Series, code: Codes) -> np.ndarray:
    """(rows,) where a cell is the code; numbers by value, words as they are written."""
    if pd.api.types.is_numeric_dtype(column) and not isinstance(code, str):
        return (column == code).to_numpy(bool, na_value=False)
    return (column.astype(str).str.strip() == str(code)).to_numpy(bool, na_value=False) & ~column.isna().to_numpy()


def _numbered(column: Any, given: Levels, name: str) -> np.ndarray:
    """(rows,) the number of each cell's level, NaN where it is empty."""
    codes = list(given.values()) if isinstance(given, Mapping) else given
    if isinstance(codes, str) or len(codes) < 2 or len(set(map(str, codes))) < len(codes):
        raise InputError(f"{place(name, 'levels')}: {column.name} needs a list of different levels, got {given!r}")
    out = np.full(len(column), np.nan)
    for number, code in enumerate(codes):
        out[_equals(column, code)] = number
    text = column.astype(str).str.strip()
    other = np.flatnonzero(np.isnan(out) & ~column.isna().to_numpy() & (text != "").to_numpy(bool))
    if len(other):
        row = int(other[0])
        raise InputError(
            f"{place(name, f'row {row + 1}', f'column {column.name}')}: {column.iloc[row]!r} is none of the levels "
            f"{list(codes)}. Add it, or say that it means missing: missing={{{str(column.name)!r}: ...}}."
        )
    return out
