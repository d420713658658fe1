"""The fleet: one row per unit, and the numbers that stand above the table."""

from typing import Any

import numpy as np
import pandas as pd

from neurolatent.prognostics.absorption import HORIZON
from neurolatent.report.blocks import Cell, Section, Table, Text, number, plain, probability
from neurolatent.report.material import Material

WEAKEST = (
    "* Read the remaining life with care: it is the weakest way to tell it. It is the time to absorption, that is, how "
    "long the chain of states alone needs until it runs out of the last state, as training units did. What the signal "
    "does inside a state does not enter, and stays in a state come out nearly geometric: intervals are wide, and two "
    "units in the same state look alike. Take it as an order of magnitude, not as a date for the workshop."
)


def fleet_section(material: Material) -> Section:
    """Where every unit stands."""
    unit = material.unit
    columns = (
        "unit", f"last ({unit})", "state now", "P(state)", "P(fault)", f"fault since ({unit})", f"alarm at ({unit})",
        f"life left*, median ({unit})", "life left*, 5 %", "life left*, 95 %", "note",
    )  # fmt: skip
    links = material.sections_of()
    rows = [_row(row, material, links) for row in material.fleet.to_dict("records")]
    if not any(row[-1].text for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    explained = f"{states_explained(material)} Life left: median and 5, 95 % points."
    blocks = [Text(text) for text in summary(material)]
    blocks.append(Table("All units. Click a heading to sort.", columns, rows, is_sortable=True))  # type: ignore[arg-type]
    blocks += [Text(explained, "small"), Text(WEAKEST, "caution")]
    return Section("fleet", "The fleet now", blocks)


def states_explained(material: Material) -> str:
    """What the columns on states mean."""
    return (
        "State, probabilities and alarm use the past of each unit only. P(fault) is the probability of having left "
        f"state {material.state_names[0]}; fault since: from then on it stayed above 0.5; alarm: the first time it "
        "was above 0.95 for the third sample in a row (it may have fallen since)."
    )


def summary(material: Material) -> list[str]:
    """The fleet in one or two sentences."""
    rows = material.fleet.to_dict("records")
    answered = [row for row in rows if pd.notna(row["state"])]
    running = [row for row in answered if not row["failed"]]
    first = f"{count(len(rows), 'unit')}: {len(running)} running, {len(answered) - len(running)} whose life is over"
    first += f", {len(rows) - len(answered)} not answered (see the notes)." if len(answered) < len(rows) else "."
    if not running:
        return [first]
    faulty = sum(row["fault_probability"] > 0.5 for row in running)
    alarmed = sum(bool(pd.notna(row["alarm"])) for row in running)
    counts = [sum(str(row["state"]) == s for row in running) for s in material.state_names]
    by_state = ", ".join(f"{n} in state {s}" for s, n in zip(material.state_names, counts, strict=True))
    return [first, f"Of the running units, {faulty} are likely in a fault and {alarmed} raised an alarm: {by_state}."]


def count(number: int, noun: str) -> str:
    """A number of things in words."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _row(row: dict[Any, Any], material: Material, links: dict[str, str]) -> list[Cell]:
    unit = unit_cell(row["unit"], links)
    if pd.isna(row["state"]):
        empty = [number(np.nan) for _ in range(9)]
        return [unit, *empty, Cell(f"not answered: {row['note']}", kind="note warn")]
    return [unit, number(row["last"]), *state_cells(row, material), *life_cells(row, material), note_cell(row)]


def unit_cell(name: str, links: dict[str, str]) -> Cell:
    """The name of a unit, which leads to its section."""
    return Cell(name, _natural(name), "name", link=links.get(name, ""))


def note_cell(row: dict[Any, Any]) -> Cell:
    """What stands against the row."""
    return Cell("" if pd.isna(row["note"]) else str(row["note"]), kind="note")


def state_cells(row: dict[Any, Any], material: Material) -> list[Cell]:
    """State, its probability, that of a fault and since when, alarm; dashes where the states are not known."""
    if pd.isna(row["state"]):
        return [number(np.nan) for _ in range(5)]
    state, names = str(row["state"]), material.state_names
    place = names.index(state) + 1 if state in names else 0
    return [
        Cell(f"{state} of {len(names)}", place, "state", swatch=place),
        probability(row["state_probability"]),
        probability(row["fault_probability"]),
        number(row["fault_since"]),
        number(row["alarm"]),
    ]


def life_cells(row: dict[Any, Any], material: Material) -> list[Cell]:
    """Median, 5 and 95 % point of the remaining life."""
    if row["failed"]:
        return [Cell("over", -1.0, "number muted"), number(np.nan), number(np.nan)]
    return [_life_cell(row[name], material) for name in ("rul_median", "rul_low", "rul_high")]


def _life_cell(value: Any, material: Material) -> Cell:
    if pd.notna(value) and np.isinf(value):
        return Cell(beyond(material), float("inf"), "number")
    return number(np.nan if pd.isna(value) else value, 3)


def beyond(material: Material) -> str:
    """Words for a life longer than the read-out looks."""
    return f"> {plain(HORIZON * material.recording.bin_width)}"


def _natural(name: str) -> float | str:
    try:
        return float(name)
    except ValueError:
        return name
