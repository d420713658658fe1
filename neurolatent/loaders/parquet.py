"""Parquet tables, one row per sample."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from neurolatent.checks import InputError, existing_file
from neurolatent.loaders.facts import with_sequence_facts
from neurolatent.loaders.files import beside
from neurolatent.recording import Recording
from neurolatent.recording.coding import Codes, Levels


def read_parquet(
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
) -> Recording:
    """A recording from a parquet table; the options are those of :func:`neurolatent.loaders.csv.read_csv`.

    Args:
        path: The file.
        signals: Signal name to its columns.
        sequence: Column that names the sequence of a row.
        clock: Column with the clock time.
        bin_width: Clock time between samples.
        clock_unit: What the clock counts.
        kinds: Kind of each signal.
        failed: Whether all sequences ran to failure.
        sequences: A second parquet file with facts per sequence.
        missing: Codes that stand for a missing value, by column.
        levels: Words or codes of a column in order, which become 0, 1, 2, ...; or words with their codes.
        per_sequence: Columns with one value throughout a sequence.

    Raises:
        FileNotFoundError: No such file.
        InputError: A file that is not parquet, contents that no recording can hold, pyarrow not installed.
    """
    path = Path(path)
    recording = Recording.of(
        table_in(path),
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
    if sequences is None:
        return recording
    second = beside(path, sequences)
    return with_sequence_facts(recording, table_in(second), sequence, second.name)


def table_in(path: Path) -> pd.DataFrame:
    """The table in a parquet file."""
    path = existing_file(path)
    try:
        import pyarrow.lib
    except ImportError as error:
        raise InputError(
            f"{path.name}: parquet needs pyarrow. Install it: pip install 'neurolatent[parquet]'"
        ) from error
    try:
        table = pd.read_parquet(path, engine="pyarrow")
    except (pyarrow.lib.ArrowException, OSError) as error:
        raise InputError(f"{path.name}: the file is no parquet file, or is cut short. Copy it again.") from error
    return table.reset_index() if any(table.index.names) else table
