"""Held-out scores side by side: a section of a fit's page, or the page of a choice between candidates."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurolatent.plots.choice import held_out_curve
from neurolatent.report.blocks import Cell, Picture, Section, Table, Text, number, percent, plain
from neurolatent.report.figures import Painter
from neurolatent.report.origin import card_sections, fit_facts, recipe_section
from neurolatent.report.whole import Head, refuse_unwritable, render_page, write_whole
from neurolatent.validation import Choice

HOW = (
    "Every candidate was fitted anew to the training part of each fold, with the preparation learned there, and asked "
    "for the part that it had not seen. Bits are what it tells better than {without} of the same training part. The "
    "standard error is that of the difference to the best, over {units} held-out pieces that all candidates share. "
    "Recommended is the candidate with the fewest parameters within one standard error of the best. BIC, states and "
    "restarts are of the fit to all data."
)


def choice_section(choice: Choice, painter: Painter) -> Section:
    """Candidates on held-out data: words, picture, table."""
    words = choice.words()
    how = HOW.format(without=choice.yardstick.without, units=len(choice.units(choice.best)))
    blocks = [Text(words[0]), picture(choice, painter), table(choice), Text(how, "small")]
    blocks += [Text(" ".join(words[1:]), "caution")] if words[1:] else []
    return Section("held-out", "How well does it tell data that it has not seen?", blocks)


def picture(choice: Choice, painter: Painter) -> Picture:
    """Held-out score along the candidates."""
    rows, unit = choice.table, choice.yardstick.unit
    bits = rows[choice.yardstick.figure].to_numpy(float)
    amount = float(choice.scores.loc[choice.scores["candidate"] == choice.best, "amount"].sum())
    error = rows["standard_error"].to_numpy(float) / (amount * np.log(2))
    names = [name.replace("=", " = ") for name in choice.names]
    draw = functools.partial(
        held_out_curve, choice.by_fold().to_numpy(float), bits, error, names,
        chosen=choice.names.index(choice.chosen), label=f"held-out bits per {unit}",
    )  # fmt: skip
    said = ", ".join(f"{name} {plain(value)}" for name, value in zip(choice.names, bits, strict=True))
    return painter.picture(
        draw, f"Held-out bits per {unit}: {said}. Recommended: {choice.chosen}.",
        "Held-out score, fold by fold and on all data; bars that reach the dashed line are within one standard error "
        "of the best. The ring marks the recommended candidate.", size=(6.4, 3.4),
    )  # fmt: skip


def table(choice: Choice) -> Table:
    """One row per candidate."""
    columns = (
        "candidate", "held-out log likelihood (nats)", "less the best", "± standard error",
        f"bits per {choice.yardstick.unit}", "parameters", "BIC", "rarest state", "restarts at best", "fits converged",
    )  # fmt: skip
    return Table("Candidates on held-out data.", columns, [_row(r, choice) for r in choice.table.to_dict("records")])


def _row(row: dict[Any, Any], choice: Choice) -> list[Cell]:
    best = row["candidate"] == choice.best
    ends = f"{row['restarts_at_best']} of {row['restarts']}" if row["restarts"] else "–"
    done, all_fits = row["folds_converged"] + row["converged"], row["folds"] + 1
    return [
        Cell(row["candidate"], kind="name own" if row["candidate"] == choice.chosen else "name"),
        Cell(f"{row['log_score']:.1f}", row["log_score"], "number"),
        Cell("best" if best else f"{row['difference']:.1f}".replace("-", "−"), row["difference"], "number"),
        Cell("–" if best else plain(row["standard_error"], 3), row["standard_error"], "number"),
        Cell(f"{row[choice.yardstick.figure]:.4f}", row[choice.yardstick.figure], "number"),
        number(row["parameters"]),
        Cell(f"{row['bic']:.1f}", row["bic"], "number"),
        Cell(percent(row["rarest"], 1), row["rarest"], "number"),
        Cell(ends, kind="number"),
        Cell(f"{done} of {all_fits}", kind="number"),
    ]


def write_choice_report(
    choice: Choice, path: str | Path, *, recipe: str | None = None, cards: Sequence[str | Path] = ()
) -> Path:
    """Write one HTML file that says which candidate to take, and why.

    Args:
        path: The file; its folder must exist.
        recipe: Text of the recipe.
        cards: Model and data cards, Markdown files.

    Raises:
        InputError: A folder that cannot be written.
    """
    path, fit = Path(path), choice.fits[choice.chosen]
    refuse_unwritable(path)
    words, model = choice.words(), type(fit.model).__name__
    head = Head(
        title=f"Which {model} for {fit.facts['name'] or 'an unnamed recording'}?",
        facts=f"{len(choice.names)} candidates by cross-validation over {len(choice.by_fold())} folds, "
        f"{fit.facts['n_sequences']} sequences, {fit.facts['n_samples']} samples",
        verdict="warn" if words[1:] else "pass",
        headline=f"Take {choice.chosen}" if len(choice.names) > 1 else choice.chosen,
        words=words[0],
        points=words[1:],
        checks="",
    )
    sections = [choice_section(choice, Painter(2)), *card_sections(cards)]
    sections += [recipe_section(recipe)] if recipe else []
    sections += [Section("provenance", "Provenance", fit_facts(fit))]
    return write_whole(path, render_page(head, sections, 2))
