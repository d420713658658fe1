"""Small tables as JSON, exactly: facts per channel and per sequence, statements."""

from typing import Any

import pandas as pd

from neurolatent.checks import InputError

SIMPLE = (str, int, float, bool, type(None))


def table_to_json(table: pd.DataFrame) -> dict[str, Any]:
    """A table as JSON values: its columns, their types, its index.

    Raises:
        InputError: A column of something else than text, numbers, dates and truth values.
    """
    has_numbers = isinstance(table.index, pd.RangeIndex) and table.index.equals(pd.RangeIndex(len(table)))
    index = None if has_numbers else _column_to_json(table.index.to_series(), "index")
    columns = [[str(c), *_column_to_json(table.iloc[:, n], str(c))] for n, c in enumerate(table.columns)]
    return {"rows": len(table), "index": index, "index_name": table.index.name, "columns": columns}


def table_from_json(stored: dict[str, Any]) -> pd.DataFrame:
    """The table that :func:`table_to_json` stored."""
    index = pd.RangeIndex(stored["rows"])
    if stored["index"] is not None:
        index = pd.Index(_column_from_json(*stored["index"]))
    index = index.rename(stored["index_name"])
    columns = [_column_from_json(dtype, values).set_axis(index) for _, dtype, values in stored["columns"]]
    if not columns:
        return pd.DataFrame(index=index)
    return pd.concat(columns, axis=1).set_axis([name for name, *_ in stored["columns"]], axis=1)


def _column_to_json(column: pd.Series, name: str) -> tuple[str, list[Any]]:
    if pd.api.types.is_datetime64_any_dtype(column):
        return str(column.dtype), [None if pd.isna(v) else v.isoformat() for v in column]
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    values = [v.item() if hasattr(v, "item") else v for v in column.tolist()]
    values = [None if v is pd.NA or v is pd.NaT else v for v in values]
    other = [v for v in values if not isinstance(v, SIMPLE)]
    if other:
        raise InputError(
            f"the column {name!r} holds a {type(other[0]).__name__} ({str(other[0])[:40]}), which cannot be saved. "
            "Make it text or numbers, or drop it."
        )
    return str(column.dtype), values


def _column_from_json(dtype: str, values: list[Any]) -> pd.Series:
    if dtype.startswith("datetime64"):
        return pd.to_datetime(pd.Series(values, dtype=object), format="ISO8601").astype(dtype)
    return pd.Series(values, dtype=object).astype(dtype)
