"""Comma-separated text with a header, plain or gzip, one row per sample."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from neurolatent.checks import InputError, did_you_mean, place
from neurolatent.loaders.facts import with_sequence_facts
from neurolatent.loaders.files import beside, read_text
from neurolatent.recording import Recording
from neurolatent.recording.coding import Codes, Levels


def read_csv(
    path: str | Path,
    *,
    signals: Mapping[str, Sequence[str]] | None = None,
    sequence: str | None = None,
    clock: str | None = None,
    bin_width: float | int | None = None,
    clock_unit: str = "s",
    kinds: Mapping[str, str] | None = None,
    failed: bool | None = None,
    sequences: str | Path | None = None,
    missing: Mapping[str, Codes | Sequence[Codes]] | None = None,
    levels: Mapping[str, Levels] | None = None,
    per_sequence: Sequence[str] = (),
    separator: str = ",",
    only: Mapping[str, Codes] | None = None,
) -> Recording:
    """A recording from a table of text with one row per sample, rows of a sequence together and in order of time.

    Args:
        path: The file.
        signals: Signal name to its columns; None takes all number columns as one signal ``signal``.
        sequence: Column that names the sequence of a row; None makes the file one sequence.
        clock: Column with the clock time (numbers or ISO dates); None counts rows.
        bin_width: Clock time between samples; None takes the most common step of the clock.
        clock_unit: What the clock counts: "s", "cycle", "trial", ...
        kinds: Kind of each signal; where it is not named binary or category by its ``levels``, else continuous.
        failed: Whether all sequences ran to failure; None leaves it unknown.
        sequences: A second file of the same kind with facts per sequence and a column ``id`` (or one called like
            ``sequence``); relative to the first file's folder if it is not found from here.
        missing: Column to the code, or codes, that stand for a missing value there, such as ``{"choice": -1}``.
        levels: Column to its words or codes in order, which become 0, 1, 2, ...: ``{"choice": ["left", "right"]}``, or
            to its words with their codes: ``{"choice": {"left": -1, "right": 1}}``. Figures then speak in these words.
        per_sequence: Columns with one value throughout a sequence, which go into the table of sequences.
        separator: What stands between two columns.
        only: Column to the one value whose rows are read, such as ``{"split": "train"}``.

    Raises:
        FileNotFoundError: No such file.
        InputError: What no recording can hold; the message gives file, sequence, row and column.
    """
    path = Path(path)
    recording = Recording.of(
        _rows_with(only or {}, table_of_text(path, separator), path.name),
        signals=signals,
        sequence=sequence,
        clock=clock,
        bin_width=bin_width,
        clock_unit=clock_unit,
        kinds=kinds,
        failed=failed,
        missing=missing,
        levels=levels,
        per_sequence=per_sequence,
        name=path.name,
    )
    for column, value in (only or {}).items():
        recording = recording.noting(f"only rows in which {column} is {value}")
    if sequences is None:
        return recording
    second = beside(path, sequences)
    return with_sequence_facts(recording, table_of_text(second, separator), sequence, second.name)


def _rows_with(only: Mapping[str, Codes], table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows that hold one value in each of some columns, which are then left out."""
    for column, value in only.items():
        if column not in table:
            raise InputError(f"{name}, only: there is no column {column!r}. {did_you_mean(column, table.columns)}")
        words = [str(word) for word in table[column]]
        kept = [n for n, word in enumerate(words) if word == str(value)]
        if not kept:
            raise InputError(f"{name}, only: no row has {column} {value!r}. {did_you_mean(str(value), set(words))}")
        table = table.iloc[kept].drop(columns=[column]).reset_index(drop=True)
    return table


def table_of_text(path: Path, separator: str = ",") -> pd.DataFrame:
    """The table in a file of text; columns of one name and rows that are too long or too short are refused."""
    text = read_text(path)
    header = _checked_header(text, separator, path.name)
    options: dict[str, Any] = {"sep": separator, "names": header, "header": 0, "skipinitialspace": True}
    table = pd.read_csv(StringIO(text), low_memory=False, index_col=False, **options)
    return table.drop(columns=[""]) if header[0] == "" else table  # the index that pandas wrote


def _checked_header(text: str, separator: str, name: str) -> list[str]:
    """The names of the columns, once all rows have been seen to be as wide."""
    if len(separator) != 1:
        raise InputError(f"separator must be one character, got {separator!r}")
    reader = csv.reader(StringIO(text), delimiter=separator, skipinitialspace=True)
    header, count = [], 0
    try:
        for row in reader:
            if not header:
                header = [column.strip() for column in row]
                _refuse_header(header, name)
            elif len(row) == len(header):
                count += 1
            elif row or len(header) == 1:
                _refuse_width(row, header, place(name, f"row {count + 1} (line {reader.line_num})"))
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: {error}. Is it a table of text?") from error
    return header


def _refuse_width(row: list[str], header: list[str], where: str) -> None:
    if not row:
        raise InputError(f"{where}: the line is empty. Write nan where nothing was observed, or drop the line.")
    raise InputError(
        f"{where}: {len(row)} cells, but the header has {len(header)} columns. "
        "Correct the row, or pass separator=... if another sign separates the columns."
    )


def _refuse_header(header: list[str], name: str) -> None:
    seen = set()
    for number, column in enumerate(header, 1):
        if not column and number > 1:
            raise InputError(f"{name}, header: column {number} has no name. Name it.")
        if column in seen:
            raise InputError(f"{name}, header: the column {column!r} stands twice. Rename one of them.")
        seen.add(column)
    if all(_is_number(column) for column in header):
        raise InputError(
            f"{name}, header: {', '.join(header[:4])} are numbers. The first row must name the columns: add a header."
        )


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
