"""Where it comes from: comparison with other arms, cards, recipe, settings, versions."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from neurolatent.checks import InputError, existing_file
from neurolatent.plots.comparison import comparison_dots, figures_of
from neurolatent.report.blocks import Cell, Code, Html, Section, Table, Text, number
from neurolatent.report.figures import Painter
from neurolatent.report.markdown import inline, to_html
from neurolatent.report.material import Material
from neurolatent.result import Fit
from neurolatent.result.settings import encode

MOST_PANELS = 6


def comparison_section(table: pd.DataFrame, painter: Painter) -> Section:
    """Arms side by side, as a table and as dots.

    The first column of text, or the index, names the arms; ``x_low`` and ``x_high`` are the interval of ``x``.
    """
    table = table.dropna(axis=1, how="all")
    text = [c for c in table.columns if not pd.api.types.is_numeric_dtype(table[c])]
    arms = [str(a) for a in (table[text[0]] if text else table.index)]
    rest = [c for c in table.columns if not (text and c == text[0])]
    rows = [
        [Cell(arm), *(_cell(value) for value in values)]
        for arm, values in zip(arms, table[rest].itertuples(index=False), strict=True)
    ]
    head = (str(text[0]) if text else "arm", *(str(c).replace("_", " ").replace(".", " ") for c in rest))
    blocks: list[Any] = [Table("Arms side by side.", head, rows, is_sortable=True)]
    for name in figures_of(table)[:MOST_PANELS]:
        found = ", ".join(f"{arm} {value:.4g}" for arm, value in zip(arms, table[name], strict=True))
        draw = functools.partial(comparison_dots, table, name, arms=arms)
        size = (4.4, 1.0 + 0.3 * len(table))
        blocks.append(painter.picture(draw, f"{name} of each arm: {found}.", size=size))
    return Section("comparison", "Comparison", blocks)


def _cell(value: Any) -> Cell:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number(value) if is_number or pd.isna(value) else Cell(str(value))


def card_sections(cards: Iterable[str | Path]) -> list[Section]:
    """Model and data cards, from Markdown files.

    Raises:
        InputError: A file that is not text.
        FileNotFoundError: No such file; the message gives the close matches.
    """
    out = []
    for count, card in enumerate(cards, 1):
        path = existing_file(card)
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: a card is Markdown in UTF-8, and this is not ({error.reason}).") from error
        first, _, rest = text.lstrip().partition("\n")
        title = str(inline(first.lstrip("# ")).striptags()) if first.startswith("#") else path.stem.replace("_", " ")
        body = rest if first.startswith("#") else text
        out.append(Section(f"card-{count}", title, [Html(to_html(body))]))
    return out


def recipe_section(recipe: str) -> Section:
    """The recipe, as it was run."""
    said = "With this recipe `neurolatent fit` makes the fit again.".replace("`", "")
    return Section("recipe", "Recipe", [Text(said, "small"), Code(recipe.strip("\n"))])


def provenance_section(material: Material) -> Section:
    """Settings, data, versions, seconds."""
    shown = material.recording
    given = [
        ("recording", shown.name or "unnamed"),
        ("fingerprint", shown.fingerprint()),
        (
            "size",
            f"{shown.n_sequences} sequences, {shown.n_samples} samples, every {shown.bin_width:g} {shown.clock_unit}",
        ),
        *_numbered("history", shown.history),
    ]
    fit, trained, versions = fit_facts(material.fit)
    return Section("provenance", "Provenance", [fit, trained, _facts("Data shown here", given), versions])


def fit_facts(fit: Fit) -> list[Table]:
    """The fit with its settings, its training data, and the versions of what computed it."""
    trained = [
        ("recording", fit.facts["name"] or "unnamed"),
        ("fingerprint after preparation", fit.facts["fingerprint"]),
        ("size", f"{fit.facts['n_sequences']} sequences, {fit.facts['n_samples']} samples"),
        ("modelled signal", fit.facts["signal"]),
        ("knowledge of the states", fit.facts["knowledge"]),
        *_numbered("history", fit.facts["history"]),
    ]
    seconds = [(f"seconds to {name}", f"{value:.2f}") for name, value in fit.seconds.items()]
    return [
        _facts("The fit", [("seed", str(fit.seed)), *seconds, *(settings(fit))]),
        _facts("Training data", trained),
        _facts("Versions", list(fit.versions.items())),
    ]


def settings(fit: Fit) -> list[tuple[str, str]]:
    """Every choice of model, preparation and engine, by name."""
    steps = [(f"preparation {n}", step) for n, step in enumerate(fit.prepare, 1)]
    out = []
    for title, part in (("model", fit.model), *steps, ("engine", fit.engine)):
        values = encode(part)
        choices = ", ".join(f"{k} = {_said(v)}" for k, v in values.items() if k != "class")
        out.append((title, f"{values['class']}({choices})"))
    return out


def _said(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{k} = {_said(v)}" for k, v in value.items() if k != "class")
        return f"{value['class']}({inner})"
    return repr(value)


def _numbered(name: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    return [(f"{name} {n}", line) for n, line in enumerate(lines, 1)]


def _facts(caption: str, pairs: Sequence[tuple[str, str]]) -> Table:
    return Table(
        caption, ("what", "value"), [[Cell(name, kind="name"), Cell(value, kind="wrap")] for name, value in pairs]
    )
