"""At which quantile of its remaining life should a unit be taken off? The answer depends on what a failure costs."""

import functools
from collections.abc import Sequence

import numpy as np

from neurolatent.plots.acting import cost_curves
from neurolatent.prognostics.acting import Acting, acting, usual_costs
from neurolatent.prognostics.calibration import LEVELS
from neurolatent.prognostics.survivors import Survivors
from neurolatent.report.blocks import Cell, Section, Table, Text, number, percent, plain
from neurolatent.report.figures import Painter
from neurolatent.report.material import Material
from neurolatent.report.outlook import Outlook

MIDDLE = 2  # of the usual costs: the one that the words speak of


def acting_section(material: Material, outlook: Outlook, painter: Painter) -> Section:
    """The best quantile for several costs of a failure, on held-out units."""
    found = [acting(outlook.measured.held_out, cost) for cost in usual_costs(outlook.prognosis)]
    draw = functools.partial(cost_curves, LEVELS, {a.failure: a.cost for a in found}, unit=material.units)
    alt = "; ".join(f"failure {plain(a.failure)}: act at {quantile_words(LEVELS[a.best])}" for a in found)
    caption = "Mean cost per unit of a removal planned for each quantile; the diamond marks the least."
    picture = painter.picture(
        draw, f"Cost against the quantile that is acted at, for costs of a failure. {alt}.", caption
    )
    return Section(
        "acting",
        "When should a unit be taken off?",
        [Text(advice(found[MIDDLE], material)), _table(found, material, outlook), picture, _how()],
    )


def quantile_words(level: float) -> str:
    """A quantile in words; the lowest one may stand for a lower one."""
    return percent(level) + (" or lower" if level <= LEVELS[0] else "")


def advice(found: Acting, material: Material) -> str:
    """The answer in words, for one cost."""
    low, high = found.nearly
    many, best = material.units, found.best
    failed, given_up = percent(found.failed[best], 1), plain(found.given_up[best], 3)
    return (
        f"If a failure costs as much as {plain(found.failure)} {many} of a unit's life, plan its removal for the "
        f"{quantile_words(LEVELS[best])} quantile of its remaining life ({100 * low:.0f} to "
        f"{percent(high)} cost hardly more). Of the held-out units {failed} then failed before, and "
        f"{given_up} {many} of life were given up on average. The more a failure costs, the lower the quantile."
    )


def _how() -> Text:
    return Text(
        "Measured on held-out training units at random times: too early costs the life that is given up, too late "
        "costs the failure. A removal that is planned anew whenever new data come in costs less than this. Age "
        "alone: the same with the best quantile of the lives that training units of that age had left.",
        "small",
    )


def _table(found: Sequence[Acting], material: Material, outlook: Outlook) -> Table:
    unit, held, age = material.unit, outlook.measured.held_out, Survivors().name
    columns = [
        f"a failure costs ({unit})", "act at quantile", "hardly more from", "to", f"mean cost ({unit})", "fail before",
        f"life given up ({unit})",
    ]  # fmt: skip
    with_age = age in held.told and np.isfinite(held.told[age].mean).any()
    columns += [f"mean cost by age alone ({unit})"] if with_age else []
    rows = [_row(a) + ([number(acting(held, a.failure, age).cost.min(), 3)] if with_age else []) for a in found]
    return Table("Best quantile to act at, by what a failure costs.", columns, rows)


def _row(found: Acting) -> list[Cell]:
    best = found.best
    low, high = found.nearly
    return [
        number(found.failure),
        Cell(quantile_words(LEVELS[best]), float(LEVELS[best]), "number"),
        Cell(percent(low), low, "number"),
        Cell(percent(high), high, "number"),
        number(found.cost[best], 3),
        Cell(percent(found.failed[best], 1), float(found.failed[best]), "number"),
        number(found.given_up[best], 3),
    ]
