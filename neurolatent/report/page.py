"""The page: sections put together, drawn by the template, written in one move."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from neurolatent.checks import InputError, whole_number
from neurolatent.diagnostics import Diagnosis
from neurolatent.prognostics.prognosis import Prognosis
from neurolatent.recording import Recording
from neurolatent.report.blocks import Section
from neurolatent.report.evidence import (
    HEADLINES,
    HEADLINES_AHEAD,
    open_points,
    verdict_words,
)
from neurolatent.report.figures import Painter
from neurolatent.report.fleet import count
from neurolatent.report.material import Material, gather
from neurolatent.report.origin import card_sections, comparison_section, provenance_section, recipe_section
from neurolatent.report.outlook import Ahead, Measurements
from neurolatent.report.pages import sections_of
from neurolatent.report.risk import at_risk
from neurolatent.report.whole import Head, refuse_unwritable, render_page, write_whole
from neurolatent.result import Fit
from neurolatent.validation import Choice, EntryScores


def write_report(
    fit: Fit,
    recording: Any,
    path: str | Path,
    *,
    diagnosis: Diagnosis | None = None,
    fleet: pd.DataFrame | None = None,
    recipe: str | None = None,
    cards: Sequence[str | Path] = (),
    comparison: pd.DataFrame | None = None,
    most_units: int = 12,
    prognosis: Prognosis | None = None,
    horizon: float | int | None = None,
    measured: Measurements | None = None,
    choice: Choice | None = None,
    entries: EntryScores | None = None,
) -> Path:
    """Write one HTML file that says what was learned, where each unit stands, and whether to believe it.

    The file needs no network and no other file; it is written under another name and then moved, so that it is whole
    or not there.

    Args:
        recording: What to show: the training data, or units that still run; whatever :meth:`Recording.of` takes.
        path: The file; its folder must exist.
        diagnosis: What ``check(fit)`` returned; made here where None.
        fleet: What ``fleet_table(fit, recording)`` returned; made here where None.
        recipe: Text of the recipe.
        cards: Model and data cards, Markdown files.
        comparison: One row per arm; the columns ``x_low`` and ``x_high`` are the interval of ``x``.
        most_units: Units with a figure of their own; the table has all.
        prognosis: Of this fit: units are then sorted by their risk to fail, and the page says how far it is to be
            trusted.
        horizon: How far ahead failures are looked for, clock units; None for
            :func:`neurolatent.prognostics.risk.default_horizon`.
        measured: How good the prognosis has been; found out here where None, which takes seconds.
        choice: Held-out scores of this model and of others.
        entries: Scores of entries that were hidden from the fit.

    Raises:
        InputError: A folder that cannot be written, or a recording that the fit cannot answer.
    """
    path = Path(path)
    refuse_unwritable(path)
    whole_number("most_units", most_units, 0)
    given = card_sections(cards)
    if prognosis is None and (horizon is not None or measured is not None):
        raise InputError("horizon and measured say how a prognosis is shown, and none is given: give prognosis too")
    ahead = None if prognosis is None else Ahead(prognosis, horizon, measured)
    material = gather(fit, Recording.of(recording), diagnosis, fleet, most_units, ahead, choice, entries)
    painter = Painter(len(material.state_names))
    sections = sections_of(material, painter)
    sections += [comparison_section(comparison, painter)] if comparison is not None else []
    sections += given
    sections += [recipe_section(recipe)] if recipe else []
    sections += [provenance_section(material)]
    return write_whole(path, render(material, sections))


def render(material: Material, sections: Sequence[Section]) -> str:
    """The page of a fit as text."""
    fit, names = material.fit, material.state_names
    learned_from = count(fit.facts["n_sequences"], material.things.removesuffix("s"))
    diagnosis, outlook = material.diagnosis, material.outlook
    states = f" with {count(len(names), 'state')}" if names else ""
    head = Head(
        title=f"{type(fit.model).__name__} on {material.recording.name or 'an unnamed recording'}",
        facts=f"{type(fit.model).__name__}{states}, by {type(fit.engine).__name__}, "
        f"learned from {learned_from} of {fit.facts['name'] or 'a recording'}",
        verdict=diagnosis.verdict,
        headline=(HEADLINES if outlook is None else HEADLINES_AHEAD)[diagnosis.verdict],
        words=verdict_words(material),
        points=open_points(material),
        first=[] if outlook is None else at_risk(material, outlook),
    )
    return render_page(head, sections, len(names))
