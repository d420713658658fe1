"""Is the prognosis better than something simpler? All lines side by side, the weights, and what the states add."""

import functools
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.plots.comparison import comparison_dots
from neurolatent.prognostics.measures import Measured
from neurolatent.prognostics.prognosis import FUSION, WITHOUT_STATES
from neurolatent.prognostics.survivors import Survivors
from neurolatent.report.blocks import Cell, Picture, Section, Table, Text, number, percent, plain
from neurolatent.report.evidence import HALF
from neurolatent.report.figures import Painter
from neurolatent.report.material import Material
from neurolatent.report.outlook import Outlook

WORDS = {FUSION: "fusion", WITHOUT_STATES: "fusion without states", Survivors().name: "age alone"}
RIVAL, FEWEST_RIVALS = 1.25, 4  # lines with so many times the fusion's RMSE, but at least four, are shown beside it


def words_of(line: str) -> str:
    """A line of the comparison in words; that of another arm with the arm's name behind."""
    arm, dot, own = line.rpartition(".")
    words = WORDS.get(own, own.replace("_", " "))
    return f"{words}, {arm.replace('_', ' ')}" if dot else words


def lines_section(material: Material, outlook: Outlook, painter: Painter) -> Section:
    """Every line on held-out units and, where the truth is known, on the units shown."""
    held, running = outlook.measured
    blocks: list[Any] = [
        Text(
            "The fusion joins the read-outs; it is what this page tells. Every other line tells remaining life alone, "
            "with intervals calibrated in the same way. Intervals in brackets are 90 % bootstrap intervals over units."
        ),
        Text(f"On held-out training units: {states_words(outlook.lines, material.units)}"),
    ]
    blocks += _dots(outlook.lines, material, painter)
    blocks.append(_table(outlook.lines, held, "Held-out training units.", material))
    if running is not None and outlook.lines_running is not None:
        caption = f"The {len(running.left)} units shown here whose truth is known, at their last row."
        blocks.append(Text(f"On the units shown here: {states_words(outlook.lines_running, material.units)}"))
        blocks.append(_table(outlook.lines_running, running, caption, material))
    blocks += [weights_table(outlook), Text(_weights_words(outlook), "small")]
    return Section("lines", "Is it better than something simpler?", blocks)


def states_words(lines: pd.DataFrame, units: str) -> str:
    """What the latent states add: the fusion against itself without the read-outs that use them."""
    found = [row for row in lines.to_dict("records") if row["line"] == WITHOUT_STATES]
    if not found:
        return "all read-outs use the latent states, or have no answer without them: what these add is not known."
    gap, low, high = (found[0][key] for key in ("difference", "difference_low", "difference_high"))
    said = [_signed(value, _decimals(lines)) for value in (gap, low, high)]
    sized = (
        f"without them the RMSE against the capped truth changes by {said[0]} {units} "
        f"(90 % interval {said[1]} to {said[2]})"
    )
    if low > 0:
        return f"the latent states help to tell remaining life; {sized}."
    if high < 0:
        return f"the latent states do harm to remaining life; {sized}."
    return f"what the latent states add to remaining life cannot be told from chance; {sized}."


def _signed(value: float, decimals: int) -> str:
    return f"{value:+.{decimals}f}".replace("-", "−")


def _decimals(lines: pd.DataFrame) -> int:
    """Decimals at which differences show a thousandth of the fusion's RMSE."""
    rmse = fusion_rmse(lines)
    return int(np.clip(3 - np.floor(np.log10(rmse)), 0, 6)) if rmse > 0 else 2


def fusion_rmse(lines: pd.DataFrame) -> float:
    """RMSE of the fusion."""
    return next(float(row["rmse"]) for row in lines.to_dict("records") if row["line"] == FUSION)


def _interval(row: dict[Any, Any], name: str, form: Any) -> Cell:
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    return Cell(f"{form(value)} [{form(low)}, {form(high)}]", value, "number")


def _table(lines: pd.DataFrame, measured: Measured, caption: str, material: Material) -> Table:
    capped = f"rmse_capped{measured.cap:g}"
    unit = material.unit
    columns = (
        "line", f"RMSE ({unit})", f"RMSE, truth capped at {measured.cap:g}", "the same less fusion's", "score per 100",
        "in [−13, 10]", "80 % interval holds", f"width of 80 % ({unit})", f"CRPS ({unit})",
    )  # fmt: skip
    rows, signed = [], functools.partial(_signed, decimals=_decimals(lines))
    for row in lines.to_dict("records"):
        own = row["line"] == FUSION
        gap = Cell("–", 0.0, "number muted") if own else _interval(row, "difference", signed)
        rows.append(
            [
                Cell(words_of(row["line"]), kind="name own" if own else "name"),
                _interval(row, "rmse", lambda v: plain(v, 3)),
                number(row[capped], 3),
                gap,
                number(row["score_per_100"], 3),
                Cell(percent(row["accuracy"] / 100), row["accuracy"], "number"),
                Cell(percent(row["coverage80"], 1), row["coverage80"], "number"),
                number(row["width80"], 3),
                number(row["crps"], 3),
            ]
        )
    return Table(f"{caption} Click a heading to sort.", columns, rows, is_sortable=True)


def _dots(lines: pd.DataFrame, material: Material, painter: Painter) -> list[Picture]:
    arms = [words_of(line) for line in lines["line"]]
    said = ", ".join(f"{arm} {plain(value, 3)}" for arm, value in zip(arms, lines["rmse"], strict=True))
    size = (HALF[0] + 0.3, 1.1 + 0.24 * len(lines))
    rmse = functools.partial(comparison_dots, lines, "rmse", unit=material.units, arms=arms, label="RMSE")
    others: Any = lines[lines["line"] != FUSION]
    others = others.head(max(FEWEST_RIVALS, int((others["rmse"] <= RIVAL * fusion_rmse(lines)).sum())))
    gap = functools.partial(
        comparison_dots, others, "difference", unit=material.units, arms=[words_of(line) for line in others["line"]],
        label="RMSE, truth capped, less fusion's", reference=0.0,
    )  # fmt: skip
    return [
        painter.picture(rmse, f"RMSE of each line: {said}.", "RMSE with 90 % intervals over units.", size=size),
        painter.picture(
            gap,
            f"RMSE against capped truth less that of the fusion for {len(others)} other lines, with 90 % intervals; "
            f"{int((others['difference'] > 0).sum())} of them err more.",
            "The best other lines, paired with the fusion on lives up to the cap: at the right of the dashed line the "
            "fusion is better.",
            size=(size[0], 1.1 + 0.24 * len(others)),
        ),
    ]


def weights_table(outlook: Outlook) -> Table:
    """What each joined read-out is, and its weight."""
    weights, readouts = outlook.prognosis.weights, outlook.prognosis.settings.readouts
    rows = [
        [
            Cell(words_of(readout.name), kind="name"),
            Cell(f"{weights[readout.name]:.2f}", weights[readout.name], "number"),
            Cell("yes" if readout.uses_states else "no"),
            Cell((type(readout).__doc__ or "").strip().partition("\n")[0], kind="note"),
        ]
        for readout in sorted(readouts, key=lambda r: -weights[r.name])
    ]
    return Table("Read-outs that the fusion joins.", ("read-out", "weight", "uses states", "what it does"), rows)


def _weights_words(outlook: Outlook) -> str:
    weights, readouts = outlook.prognosis.weights, outlook.prognosis.settings.readouts
    total = sum(weights.values())
    share = sum(weights[r.name] for r in readouts if r.uses_states) / total if total else np.nan
    idle = [words_of(name) for name, weight in weights.items() if weight < 0.005]
    said = (
        f"The estimate is the sum of the read-outs times their weights, which together are {total:.2f}; read-outs that "
        f"use the latent states have {percent(share)} of it."
    )
    return said + (f" No weight: {', '.join(idle)}: what they say is in the others already, or wrong." if idle else "")
