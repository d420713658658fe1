"""The page of a choice between decoders: which one to take, and by how much."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from neurolatent.report.figures import Painter
from neurolatent.report.origin import card_sections, comparison_section, recipe_section
from neurolatent.report.whole import Head, refuse_unwritable, render_page, write_whole


def write_decoder_report(
    table: pd.DataFrame, path: str | Path, *, title: str, recipe: str, cards: Sequence[str | Path] = ()
) -> Path:
    """Write one HTML file with the candidates side by side.

    Args:
        table: What :func:`neurolatent.recipe.decoders.compare_decoders` returned, best first.
        title: What was decoded.
        recipe: Text of the recipe.
        cards: Model and data cards, Markdown files.
    """
    path = Path(path)
    refuse_unwritable(path)
    best = table.iloc[0]
    words = f"Its nRMSE on held-out blocks of time is {best['nrmse']:.3f}"
    if len(table) > 1:
        words += f", that of the next one {table.iloc[1]['nrmse']:.3f} ({table.iloc[1]['candidate']})"
    head = Head(
        title=title,
        facts=f"{len(table)} candidates, each scored on blocks of time that it has not seen; lines span the folds",
        verdict="pass",
        headline=f"Take {best['candidate']}",
        words=f"{words}.",
        checks="",
    )
    sections = [comparison_section(table, Painter(0)), *card_sections(cards), recipe_section(recipe)]
    return write_whole(path, render_page(head, sections, 0))
