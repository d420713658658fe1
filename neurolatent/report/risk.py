"""Which units are in danger: those at risk on the first screen, the whole fleet by risk, and the curve of one unit."""

import functools
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurolatent.plots.remaining_life import ROW, fleet_overview, life_curve
from neurolatent.prognostics.acting import median_life
from neurolatent.prognostics.calibration import LEVELS
from neurolatent.prognostics.risk import HORIZON_SHARE
from neurolatent.report.blocks import Cell, Picture, Section, Table, Text, number, percent, plain
from neurolatent.report.figures import Painter
from neurolatent.report.fleet import count, life_cells, note_cell, state_cells, states_explained, summary, unit_cell
from neurolatent.report.material import Material
from neurolatent.report.outlook import Outlook

LIKELY, POSSIBLE = 0.5, 0.05  # risks from which failure is likely, and from which it is not ruled out: ours
MOST_AT_RISK = 6  # units in the table of the first screen
MOST_NAMED = 30  # units in a sentence
MOST_BARS = 30  # units in the picture


def as_risk(risk: float) -> str:
    """Words for a risk; from quantiles it is known between 1 and 99 % only."""
    if risk <= LEVELS[0]:
        return f"≤ {LEVELS[0]:.2f}"
    return f"≥ {LEVELS[-1]:.2f}" if risk >= LEVELS[-1] else f"{risk:.2f}"


def risk_cell(risk: Any) -> Cell:
    """A risk, sorted by its number."""
    return number(np.nan) if pd.isna(risk) else Cell(as_risk(float(risk)), float(risk), "number")


def within(material: Material, outlook: Outlook) -> str:
    """The horizon in words."""
    return f"{plain(outlook.horizon)} {material.units if outlook.horizon != 1 else material.unit}"


def at_risk(material: Material, outlook: Outlook) -> list[Any]:
    """The first screen: how many units are in danger, which ones, and the first of them."""
    table: Any = material.fleet
    likely = table[table["risk"] >= LIKELY]
    possible = table[(table["risk"] >= POSSIBLE) & (table["risk"] < LIKELY)]
    silent = table[~table["failed"] & table["risk"].isna()]
    running = int((~table["failed"]).sum())
    if not running:
        return [Text(f"None of the {count(len(table), 'unit')} runs any more: no risk is told.")]
    ahead = within(material, outlook)
    said = f"{len(likely)} of {count(running, 'running unit')} will more likely than not fail within {ahead}"
    blocks: list[Any] = [Text(f"{said}{_named(likely)}.", "headline")]
    if len(possible):
        blocks.append(Text(f"For {len(possible)} more it is not ruled out (risk above {POSSIBLE}){_named(possible)}."))
    if len(silent):
        blocks.append(Text(f"No answer for {count(len(silent), 'unit')}{_named(silent)}: see the notes.", "caution"))
    first = table[table["risk"] >= POSSIBLE].head(MOST_AT_RISK).to_dict("records")
    if first:
        blocks.append(_first_rows(first, material, outlook))
    return blocks


def _named(table: Any) -> str:
    names = table["unit"].tolist()
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f": {', '.join(names[:MOST_NAMED])}{more}"


def _first_rows(rows: list[dict[Any, Any]], material: Material, outlook: Outlook) -> Table:
    links = material.sections_of()
    columns = ("unit", f"risk within {within(material, outlook)}", *_life_columns(material), "note")
    cells = [
        [unit_cell(row["unit"], links), risk_cell(row["risk"]), *life_cells(row, material), note_cell(row)]
        for row in rows
    ]
    if not any(row[-1].text for row in cells):
        columns, cells = columns[:-1], [row[:-1] for row in cells]
    return Table("In the greatest danger", columns, cells)


def _life_columns(material: Material) -> tuple[str, str, str]:
    return f"life left, median ({material.unit})", "life left, 5\u00a0%", "life left, 95\u00a0%"


def risk_section(material: Material, outlook: Outlook, painter: Painter) -> Section:
    """Every unit by its risk, as bars and as a table."""
    ahead, unit, links = within(material, outlook), material.unit, material.sections_of()
    columns = (
        "unit", f"last ({unit})", f"risk within {ahead}", *_life_columns(material), "state now", "P(state)",
        "P(fault)", f"fault since ({unit})", f"alarm at ({unit})", "note",
    )  # fmt: skip
    rows = [_row(row, material, links) for row in material.fleet.to_dict("records")]
    if not any(row[-1].text for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    blocks: list[Any] = [Text(_horizon_words(material, outlook)), *map(Text, summary(material))]
    blocks += _overview(material, outlook, painter)
    blocks.append(Table("All units, by risk. Click a heading to sort.", columns, rows, is_sortable=True))
    blocks += [Text(f"{_life_words(material, outlook)} {states_explained(material)}", "small")]
    return Section("fleet", f"Which units will fail within {ahead}?", blocks)


def _row(row: dict[Any, Any], material: Material, links: dict[str, str]) -> list[Cell]:
    unit = unit_cell(row["unit"], links)
    if pd.isna(row["risk"]) and not row["failed"]:
        empty = [number(np.nan) for _ in range(10)]
        return [unit, *empty, Cell(f"not answered: {row['note']}", kind="note warn")]
    life = life_cells(row, material)
    return [
        unit, number(row["last"]), risk_cell(row["risk"]), *life, *state_cells(row, material), note_cell(row),
    ]  # fmt: skip


def _horizon_words(material: Material, outlook: Outlook) -> str:
    said = f"Sorted by the risk that a unit fails within the next {within(material, outlook)}"
    if outlook.is_chosen:
        return f"{said}, the horizon that was asked for."
    life = f"{plain(median_life(outlook.prognosis), 3)} {material.units}"
    return (
        f"{said}. No horizon was asked for, so it is {percent(HORIZON_SHARE)} of the median life of the training units "
        f"({life}), rounded. Better set it to the time that it takes to arrange a removal."
    )


def _life_words(material: Material, outlook: Outlook) -> str:
    settings, cap = outlook.prognosis.settings, outlook.measured.held_out.cap
    said = (
        "Risk and life left come from calibrated quantiles between 1 and 99 %, so no risk is told below "
        f"{LEVELS[0]} or above {LEVELS[-1]}. Estimates do not tell lives above {plain(cap, 3)} {material.units} apart"
    )
    if settings.life_left is None:
        return f"{said}."
    low, high = settings.life_left
    asked = f"{plain(low)} to {plain(high)} {material.units} of life left"
    return f"{said}; intervals were learned from units with {asked}, and a unit with more will look as if it had that."


def _overview(material: Material, outlook: Outlook, painter: Painter) -> list[Picture]:
    table: Any = material.fleet
    rows = table[table["risk"].notna()].head(MOST_BARS)
    if not len(rows):
        return []
    risks = [as_risk(r) for r in rows["risk"]]
    draw = functools.partial(
        fleet_overview, rows["unit"].tolist(), rows["rul_low"], rows["rul_median"], rows["rul_high"],
        horizon=outlook.horizon, risk=risks, unit=material.units,
    )  # fmt: skip
    words = "; ".join(
        f"{name}: {plain(m, 3)}, risk {r}" for name, m, r in zip(rows["unit"], rows["rul_median"], risks, strict=True)
    )
    most = (
        f"The {MOST_BARS} units in the greatest danger"
        if (table["risk"].notna()).sum() > MOST_BARS
        else "Running units"
    )
    caption = (
        f"{most}: median and 90 % interval of the remaining life; at the right the risk to fail within "
        f"{within(material, outlook)} (shaded)."
    )
    size = (6.4, 1.0 + ROW * len(rows))
    return [painter.picture(draw, f"Remaining life of each unit. {words}.", caption, size=size)]


def unit_curve(material: Material, outlook: Outlook, curves: xr.Dataset, name: str, painter: Painter) -> list[Picture]:
    """How the remaining life of one unit developed; nothing where it has no answer."""
    mine = np.flatnonzero(curves["sequence"].values == name)
    if not len(mine):
        return []
    clock, quantile = curves["clock"].values[mine], curves["quantile"].values[mine]
    truth = outlook.true_life(name, clock)
    is_over = bool(outlook.recording.failed(False, "a report")[outlook.recording.ids.index(name)])
    draw = functools.partial(
        life_curve, clock, quantile, LEVELS, truth=truth, horizon=outlook.horizon, unit=material.units, is_over=is_over
    )
    begin, end = (plain(float(np.interp(0.5, LEVELS, quantile[n])), 3) for n in (0, -1))
    alt = f"Remaining life of unit {name} over time with its intervals: median {begin} at first, {end} at the last row."
    return [painter.picture(draw, alt)]
