"""Is a remaining life to be believed? Rows of a Diagnosis, from training units that were held out in turn."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from neurolatent.diagnostics import Row, Verdict, graded
from neurolatent.prognostics.measures import MASSES, THIRDS, Measured, comparison, line_figures
from neurolatent.prognostics.prognosis import FUSION, WITHOUT_STATES, Prognosis
from neurolatent.prognostics.survivors import Survivors
from neurolatent.prognostics.trust import WHERE

OFF_PASS, OFF_WARN = 0.03, 0.06  # distance of a coverage from what was promised: ours; the second also within chance
LATE_PASS, LATE_WARN = 0.07, 0.11  # of lives below their 5 % point: the same distances with the nearest whole points
FEW_UNITS = 30  # below, a third of the lives holds too few units to tell 3 points apart: ours
UNANSWERED_PASS, UNANSWERED_WARN = 0.01, 0.10  # ours


def check_prognosis(prognosis: Prognosis, measured: Measured) -> tuple[Row, ...]:
    """Whether intervals hold what they promise, lives end too soon, joining read-outs pays, and all rows are answered.

    :meth:`Diagnosis.joined` puts the rows under those of ``check(fit)``.

    Args:
        measured: What :func:`neurolatent.prognostics.measures.held_out` returned.
    """
    figures = line_figures(measured, FUSION)
    units = len(np.unique(measured.unit))
    rows = [_enough_units(units), _answered(figures)]
    if figures["answered"]:
        rows += [*_coverages(figures, units), _late(figures)]
        rows += _against_others(comparison(measured, seed=prognosis.seed))
    return tuple(rows)


def _enough_units(units: int) -> Row:
    advice = (
        "Weights and intervals come from few units and may be off by chance: collect more units that ran to failure."
    )
    verdict = graded(float(units), units >= FEW_UNITS, True)
    return Row("units held out for remaining life", float(units), f">= {FEW_UNITS}", verdict, advice)


def _at_most(value: float, passes: float, warns: float = np.inf) -> Verdict:
    return graded(value, value <= passes, value <= warns)


def _answered(figures: dict[str, float]) -> Row:
    share = 1.0 - figures["answered"]
    advice = "Add a read-out that needs less of a unit's past, such as features or survivors."
    verdict = _at_most(share, UNANSWERED_PASS, UNANSWERED_WARN)
    return Row("share of rows without a remaining life", share, f"<= {UNANSWERED_PASS}", verdict, advice)


def _coverages(figures: dict[str, float], units: int) -> Iterator[Row]:
    """One row for each mass in all, and one for the third of remaining life in which it is furthest off."""
    for mass in MASSES:
        name = f"coverage of the {100 * mass:.0f} % intervals of remaining life"
        key = f"coverage{100 * mass:.0f}"
        thirds = {third: figures[f"{key}.{third}"] for third in THIRDS if f"{key}.{third}" in figures}
        worst = max(thirds, key=lambda third: abs(thirds[third] - mass))
        yield _coverage(name, mass, figures[key], "", units)
        yield _coverage(f"{name}, worst third", mass, thirds[worst], f" {WHERE[worst]}", units)


def _coverage(what: str, mass: float, found: float, where: str, units: int) -> Row:
    chance = float(np.sqrt(mass * (1 - mass) / units))
    kind = "narrow: take a wider one" if found < mass else "wide: they promise less than they hold"
    advice = (
        f"Intervals{where} are too {kind}. With {units} units its standard error is up to {chance:.2f}; beyond twice "
        "that, raise folds, cuts or neighbours, or add units like those that still run."
    )
    wanted = f"{mass - OFF_PASS:.2f} to {mass + OFF_PASS:.2f}"
    off = round(abs(found - mass), 9)  # so that a distance of exactly 3 points passes
    return Row(what, found, wanted, _at_most(off, OFF_PASS, max(OFF_WARN, 2 * chance)), advice)


def _late(figures: dict[str, float]) -> Row:
    late = figures["late_bound"]
    advice = "Lives end before their 5 % point more often than promised: act at a lower quantile than the cost says."
    return Row(
        "share of lives that end before their 5 % point",
        late,
        f"<= {LATE_PASS}",
        _at_most(late, LATE_PASS, LATE_WARN),
        advice,
    )


def _against_others(table: pd.DataFrame) -> Iterator[Row]:
    """The fusion against the best single line, and against age alone; differences above 0 speak for the fusion.

    The best line is chosen after the fact, which flatters it: a small lead of it means little.
    """
    own = [row for row in table.to_dict("records") if "." not in row["line"]]  # others are lines of other arms
    single = [row for row in own if row["line"] not in (FUSION, WITHOUT_STATES)]
    single.sort(key=lambda row: row["difference"])
    for best in single[:1]:
        verdict = graded(best["difference"], best["difference_high"] >= 0, True)
        advice = (
            f"{best['line']} alone errs less, beyond chance. Where the difference matters, let it be the only read-out."
        )
        what = "RMSE of the best single line less that of the fusion"
        yield Row(what, best["difference"], "90 % interval not below 0", verdict, advice)
    for age in [line for line in single if line["line"] == Survivors().name]:
        verdict = graded(age["difference"], age["difference_low"] > 0, age["difference_high"] > 0)
        advice = "The sensors tell no more than a unit's age: look for sensors that follow wear, or replace by age."
        what = "RMSE of age alone less that of the fusion"
        yield Row(what, age["difference"], "90 % interval above 0", verdict, advice)
