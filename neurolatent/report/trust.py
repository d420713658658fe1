"""How far told remaining lives can be trusted: what intervals promise and hold, estimates against truth."""

import functools
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.plots.calibration import probability_histogram
from neurolatent.plots.trust import accuracy_curve, coverage_by_group, estimate_and_truth
from neurolatent.prognostics.calibration import LEVELS
from neurolatent.prognostics.checks import OFF_PASS
from neurolatent.prognostics.measures import MASSES, Measured
from neurolatent.prognostics.prognosis import FUSION, WITHOUT_STATES
from neurolatent.prognostics.scores import interval_of
from neurolatent.prognostics.survivors import Survivors
from neurolatent.prognostics.trust import (
    LIFE_EDGES,
    PROMISED,
    WHERE,
    accuracy_along_life,
    coverage_by_third,
    coverage_table,
    probability_integral,
)
from neurolatent.report.blocks import Cell, Picture, Section, Table, Text, number, percent, plain
from neurolatent.report.evidence import HALF
from neurolatent.report.figures import Painter
from neurolatent.report.lines import words_of
from neurolatent.report.material import Material
from neurolatent.report.outlook import Outlook, has_answers

TRUST = "How far can remaining life be trusted?"
ALPHA = 0.2  # Saxena et al. (2010)
PIT_BINS = 10


def trust_section(material: Material, outlook: Outlook, painter: Painter) -> Section:
    """What intervals promise and hold on held-out training units, and on the units shown where their truth is known."""
    held, running = outlook.measured
    table = coverage_table(held)
    blocks: list[Any] = [Text(_asked(held, material)), _promise(table)]
    blocks += _calibration(held, painter)
    caption = f"Held-out training units, by how much life was left ({material.units})."
    blocks.append(_coverages(table, caption, material))
    if running is not None and has_answers(running):
        caption = f"Units shown here whose truth is known, by how much life was left ({material.units})."
        found = coverage_table(running)
        blocks += [_coverages(found, caption, material), Text(_by_chance(found, len(np.unique(held.unit))), "small")]
    blocks += _accuracy(held, material, painter)
    return Section("trust", TRUST, blocks)


def _asked(held: Measured, material: Material) -> str:
    units, rows = len(np.unique(held.unit)), len(held.left)
    return (
        f"{units} training units were held out in turn: models that had not seen a unit told its remaining life at "
        f"random times, {rows} in all, with {plain(held.left.min(), 3)} to {plain(held.left.max(), 3)} "
        f"{material.units} left."
    )


def _promise(table: pd.DataFrame) -> Text:
    """Whether intervals hold what they promise; a warning names every one that is off by more than 3 points."""
    off = []
    for row in table.to_dict("records"):
        for mass in MASSES:
            found = row[f"coverage{100 * mass:.0f}"]
            if round(abs(found - mass), 9) > OFF_PASS:
                off.append(f"the {100 * mass:.0f} % interval holds {percent(found)} {WHERE[row['group']]}")
    if not off:
        points = f"{100 * OFF_PASS:.0f} points"
        return Text(f"Intervals of 50, 80 and 90 % hold what they promise within {points}, overall and in each third.")
    return Text(f"Caution, intervals do not hold what they promise: {'; '.join(off)}.", "caution")


def _by_chance(table: pd.DataFrame, learned_from: int) -> str:
    """Chance has two parts: which units are counted, and which ones the intervals were learned from."""
    row = table.iloc[0]
    chance, third = (1.645 * 100 * np.sqrt(0.8 * 0.2 * (n / row["units"] + n / learned_from)) for n in (1, 3))
    return (
        f"The 80 % intervals hold {percent(row['coverage80'])} of these {row['units']:.0f} units. With so few, and "
        f"intervals learned from {learned_from}, chance alone strays up to {chance:.0f} points from 80 % nine times in "
        f"ten, and {third:.0f} in a third."
    )


def _coverages(table: pd.DataFrame, caption: str, material: Material) -> Table:
    columns = (
        "where", "life left", "rows", "units", *(f"{100 * m:.0f} % interval holds" for m in MASSES),
        "below the 5\u00a0% point", f"width of 80 % ({material.unit})",
    )  # fmt: skip
    rows = [
        [
            Cell(WHERE[row["group"]], kind="name"),
            Cell(f"{plain(row['from'], 3)} to {plain(row['to'], 3)}", row["from"], "number"),
            number(row["rows"]),
            number(row["units"]),
            *(_share(row[f"coverage{100 * m:.0f}"], m) for m in MASSES),
            Cell(percent(row["late_bound"], 1), row["late_bound"], "number"),
            number(row["width80"], 3),
        ]
        for row in table.to_dict("records")
    ]
    return Table(f"{caption} ▲ and ▼: more or less than promised by over 3 points.", columns, rows)


def _share(found: float, promised: float) -> Cell:
    mark = "" if round(abs(found - promised), 9) <= OFF_PASS else (" ▼" if found < promised else " ▲")
    return Cell(f"{percent(found, 1)}{mark}", found, f"number {'warn verdict' if mark else ''}".strip())


def _calibration(held: Measured, painter: Painter) -> list[Picture]:
    found = {WHERE[group]: values for group, values in coverage_by_third(held).items()}
    most = max(float(np.abs(values - PROMISED).max()) for values in found.values())
    integral = probability_integral(held)
    return [
        painter.picture(
            functools.partial(coverage_by_group, PROMISED, found),
            f"Found less promised coverage of intervals, in all and by third: at most {percent(most)} off.",
            "Found less promised coverage. Above the band intervals are too wide, below it too narrow.",
            size=HALF,
        ),
        painter.picture(
            functools.partial(probability_histogram, integral, bins=PIT_BINS),
            f"Histogram of the probability below the true life in {len(integral)} rows; flat means calibrated.",
            "Where true lives fall in what was told: much at the left means that units fail earlier than told.",
            size=HALF,
        ),
    ]


def _accuracy(held: Measured, material: Material, painter: Painter) -> list[Picture]:
    told = held.told[FUSION]
    low, high = interval_of(told.quantile, LEVELS, 0.9)
    scatter = functools.partial(estimate_and_truth, told.mean, held.left, low, high, unit=material.units)
    lines = [name for name in (FUSION, WITHOUT_STATES, Survivors().name) if name in held.told]
    found = {words_of(name): accuracy_along_life(held, name, alpha=ALPHA) for name in lines}
    late = float(np.nanmean(held.left < told.mean))
    return [
        painter.picture(
            scatter,
            f"True against estimated remaining life of {len(held.left)} held-out rows; {percent(late)} failed earlier.",
            "Held-out training units: the truth at each estimate, over the 90 % band that was announced. Below the "
            "line a unit failed earlier than told.",
            size=HALF,
        ),
        painter.picture(
            functools.partial(accuracy_curve, LIFE_EDGES, found, alpha=ALPHA),
            "Share of estimates within 20 % of the true remaining life, along the life of units.",
            f"Estimates within {percent(ALPHA)} of the life left, along the life of held-out units. Near the end that "
            "allows for next to no error, so the curve falls there.",
            size=HALF,
        ),
    ]
