"""C-MAPSS turbofan tables (Saxena and Goebel, 2008): whitespace text without header, 26 columns, one row per cycle."""

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, place
from neurolatent.loaders.files import beside, read_text
from neurolatent.recording import Recording
from neurolatent.recording.table import parsed

SETTINGS = {
    "altitude": ("altitude", "kft"),
    "mach": ("Mach number", ""),
    "throttle": ("throttle resolver angle", "%"),
}
SENSORS = {
    "s1": ("T2 fan inlet temperature", "degR"),
    "s2": ("T24 LPC outlet temperature", "degR"),
    "s3": ("T30 HPC outlet temperature", "degR"),
    "s4": ("T50 LPT outlet temperature", "degR"),
    "s5": ("P2 fan inlet pressure", "psia"),
    "s6": ("P15 bypass-duct pressure", "psia"),
    "s7": ("P30 HPC outlet pressure", "psia"),
    "s8": ("Nf fan speed", "rpm"),
    "s9": ("Nc core speed", "rpm"),
    "s10": ("epr engine pressure ratio", ""),
    "s11": ("Ps30 HPC outlet static pressure", "psia"),
    "s12": ("phi fuel flow to Ps30", "pps/psi"),
    "s13": ("NRf corrected fan speed", "rpm"),
    "s14": ("NRc corrected core speed", "rpm"),
    "s15": ("BPR bypass ratio", ""),
    "s16": ("farB burner fuel-air ratio", ""),
    "s17": ("htBleed bleed enthalpy", ""),
    "s18": ("Nf_dmd demanded fan speed", "rpm"),
    "s19": ("PCNfR_dmd demanded corrected fan speed", "rpm"),
    "s20": ("W31 HPT coolant bleed", "lbm/s"),
    "s21": ("W32 LPT coolant bleed", "lbm/s"),
}
COLUMNS = ["unit", "cycle", *SETTINGS, *SENSORS]


def read_cmapss(path: str | Path, *, outcomes: str | Path | None = None, failed: bool | None = None) -> Recording:
    """A recording with one sequence per unit and the signals ``settings`` and ``sensors``.

    Args:
        path: A train or test table, plain or gzip. A column of nan alone (s6, s10, s16 of the partial FD002 and FD004
            files) stays as a channel without any observed value.
        outcomes: The RUL file of a test table: one whole number per unit, the cycles left after its last row; becomes
            the column ``remaining`` of the table of sequences. Looked for beside ``path`` too.
        failed: Whether the units ran to failure; None takes it from a name that begins with train or test, else leaves
            it unknown.

    Raises:
        FileNotFoundError: No such file.
        InputError: What is no C-MAPSS table; the message gives file, unit, row and column.
    """
    path = Path(path)
    table = _numbers_of(read_text(path), path.name)
    if failed is None:
        failed = {"train": True, "test_": False}.get(path.name[:5].lower())
    recording = Recording.of(
        table,
        signals={"settings": list(SETTINGS), "sensors": list(SENSORS)},
        sequence="unit",
        clock="cycle",
        bin_width=1.0,
        clock_unit="cycle",
        failed=failed,
        name=path.name,
    )
    for name, facts in (("settings", SETTINGS), ("sensors", SENSORS)):
        recording = _with_channel_facts(recording, name, facts)
    if outcomes is None:
        return recording
    return recording.with_facts(remaining=_remaining(beside(path, outcomes), recording))


def _with_channel_facts(recording: Recording, name: str, facts: dict[str, tuple[str, str]]) -> Recording:
    index = pd.Index(list(facts), name="channel")
    table = pd.DataFrame(list(facts.values()), index=index, columns=["quantity", "unit"])
    return recording.with_signal(name, replace(recording.signal(name), channels=table))


def _numbers_of(text: str, name: str) -> pd.DataFrame:
    """The table of text; its rows must all have 26 columns."""
    for number, line in enumerate(text.splitlines(), 1):
        width = len(line.split())
        if width not in (0, len(COLUMNS)):
            raise InputError(
                f"{name}, row {number}: {width} columns, but a C-MAPSS table has {len(COLUMNS)} (unit, cycle, "
                "3 settings, 21 sensors). Is it another format, or is the row damaged?"
            )
    options: dict[str, Any] = {"header": None, "names": COLUMNS, "low_memory": False}
    table = pd.read_csv(StringIO(text), sep=r"\s+", **options)
    for column in ("unit", "cycle"):
        wrong = np.flatnonzero(~_is_whole(parsed(table[column])))
        if len(wrong):
            row = int(wrong[0])
            raise InputError(
                f"{place(name, f'row {row + 1}', f'column {column}')}: {table[column].iloc[row]!r} is not a "
                "whole number of at least 1. A C-MAPSS table has no header and begins each row with unit and cycle."
            )
    return table


def _is_whole(numbers: np.ndarray) -> np.ndarray:
    return np.isfinite(numbers) & (numbers >= 1) & (numbers == np.round(numbers))


def _remaining(path: Path, recording: Recording) -> np.ndarray:
    """Remaining life per unit, in cycles."""
    words = [line.split() for line in read_text(path).splitlines() if line.strip()]
    for row, line in enumerate(words, 1):
        if len(line) != 1 or not line[0].isdigit():
            raise InputError(
                f"{path.name}, row {row}: {' '.join(line)[:40]!r} is not one whole number of at least 0, the cycles "
                "left of a unit. Is it the RUL file?"
            )
    if len(words) != recording.n_sequences:
        raise InputError(
            f"{path.name}: {len(words)} rows, but {recording.name} has {recording.n_sequences} units. "
            "Each unit needs one row: take the RUL file of the same set."
        )
    return np.array([int(line[0]) for line in words], float)
