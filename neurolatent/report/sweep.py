"""The page of a sweep: what moved along its grid, as a table of medians with their spread and as curves."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurolatent.comparison import Sweep
from neurolatent.plots.sweep import LABELS, panels_of, sweep_panel
from neurolatent.report.blocks import Cell, Section, Table, number, plain
from neurolatent.report.figures import Painter
from neurolatent.report.origin import card_sections, recipe_section
from neurolatent.report.whole import Head, refuse_unwritable, render_page, write_whole

COUNTED = ("collapsed", "converged")  # figures of 0 and 1: of how many fits they hold
HALF = (4.7, 3.4)  # inches: two pictures stand side by side


def write_sweep_report(
    sweep: Sweep,
    path: str | Path,
    *,
    title: str = "A sweep",
    recipe: str | None = None,
    cards: Sequence[str | Path] = (),
    is_whole: bool = True,
) -> Path:
    """Write one HTML file with the figures along a sweep; it needs no network and no other file.

    Args:
        path: The file; its folder must exist.
        recipe: Text of the recipe.
        cards: Model and data cards, Markdown files.
        is_whole: False where it was interrupted.

    Raises:
        InputError: A folder that cannot be written.
    """
    path = Path(path)
    refuse_unwritable(path)
    sections = [sweep_section(sweep, Painter(2)), *card_sections(cards)]
    sections += [recipe_section(recipe)] if recipe else []
    return write_whole(path, render_page(_head(sweep, title, is_whole=is_whole), sections, 2))


def sweep_section(sweep: Sweep, painter: Painter) -> Section:
    """The table, and a picture for each figure where some number was varied."""
    blocks: list[Any] = [*_tables(sweep)]
    for panel in panels_of(sweep) if sweep.has_curves else []:
        along = LABELS.get(sweep.axes()[0], sweep.axes()[0])
        said = "; ".join(f"{name}: {_course(sweep, figure)}" for name, figure in panel.figures.items())
        draw = functools.partial(sweep_panel, sweep, panel)
        words = f"{panel.label[:1].upper()}{panel.label[1:]}"
        blocks.append(painter.picture(draw, f"{words} along {along}. {said}.", f"{words}.", size=HALF))
    return Section("sweep", "What moved along the grid?", blocks)


def _course(sweep: Sweep, figure: str) -> str:
    """Medians of a figure along the grid, in words."""
    values, series = sweep.series(figure)
    one = np.nanmedian(np.concatenate(list(series.values())), axis=0)
    return ", ".join(f"{plain(value, 3)} at {plain(x, 3)}" for x, value in zip(values, one, strict=True))


def _head(sweep: Sweep, title: str, *, is_whole: bool) -> Head:
    count, settled = len(sweep.points), int(sum(figures["converged"] for figures in sweep.figures))
    points = [] if is_whole else ["It was interrupted: only the points that were done are told."]
    points += _points(sweep, "converged", 0.0, "Not settled when their epochs or steps ended")
    collapsed = [name for name in sweep.figures[0] if name.startswith("collapsed.")]
    for name in collapsed:
        points += _points(sweep, name, 1.0, f"Layer {name.partition('.')[2]} collapsed, its latents tell nothing")
    return Head(
        title=title,
        facts=f"{count} fits over {', '.join(_grid(sweep))}",
        verdict="pass" if is_whole and settled == count else "warn",
        headline="All fits settled" if settled == count else f"{settled} of {count} fits settled",
        words="A sweep tells what a choice does; whether one fit is to be believed, 'neurolatent fit' tells of it.",
        points=points,
        checks="",
    )


def _grid(sweep: Sweep) -> list[str]:
    """Each key of the grid with its value, or with how many it has."""
    told = []
    for key, first in sweep.points[0].items():
        count = len({str(point[key]) for point in sweep.points})
        many = f"{count} seeds" if key == "seed" else f"{count} values of {_word(key)}"
        told.append(many if count > 1 else f"{_word(key)} {_plain(first)}")
    return told


def _word(key: str) -> str:
    return LABELS.get(key, key.rpartition(".")[2].replace("_", " "))


def _points(sweep: Sweep, figure: str, value: float, words: str) -> list[str]:
    """At which points of the grid how many fits have a figure of this value; nothing where none has."""
    told = []
    for where, part in sweep.by_point():
        found = int((part[figure].to_numpy() == value).sum())
        at = ", ".join(f"{k.rpartition('.')[2]} = {_plain(v)}" for k, v in where.items()) or "all seeds"
        told += [f"{at} ({found} of {len(part)})"] if found else []
    return [f"{words}: {'; '.join(told)}."] if told else []


def _tables(sweep: Sweep) -> list[Table]:
    """A row for each point of the grid, and one for each of its layers where figures are told by layer."""
    known, single, layered = sweep.figures[0], [], ["beta"]
    for panel in panels_of(sweep):
        (single if panel.name in panel.figures else layered).append(panel.name)
    single += [name for name in ("converged",) if name in known]
    layers = [key.rpartition(".")[2] for key in known if key.startswith("beta.")]
    said = "Median over the seeds, smallest to largest in brackets" if "seed" in sweep.points[0] else "One fit each"
    tables = [_table(sweep, single, [""], f"{said}.")]
    by_layer = [*layered, "collapsed"]
    return [*tables, _table(sweep, by_layer, layers, f"{said}; by layer, the lowest first.")] if layers else tables


def _table(sweep: Sweep, names: Sequence[str], layers: Sequence[str], said: str) -> Table:
    keys, rows = [k for k in sweep.points[0] if k != "seed"], []
    for where, part in sweep.by_point():
        for layer in layers:
            cells = [number(v) if isinstance(v, (int, float)) else Cell(str(v)) for v in where.values()]
            cells += [Cell(layer, int(layer), "number")] if layer else []
            figures = [f"{name}.{layer}" if layer else name for name in names]
            rows.append([*cells, *(_figure(name, part[name].to_numpy(float)) for name in figures)])
    heads = (*map(_word, keys), *(["layer"] if layers[0] else []), *(LABELS.get(n, n.replace("_", " ")) for n in names))
    return Table(said, heads, rows, is_sortable=True)


def _figure(name: str, values: np.ndarray) -> Cell:
    """Of how many fits it holds, or the median with its range."""
    if name.partition(".")[0] in COUNTED:
        return Cell(f"{int(values.sum())} of {len(values)}", int(values.sum()), "number")
    middle, low, high = (float(f(values)) for f in (np.median, np.min, np.max))
    if not low < high:
        return number(middle, 3)
    return Cell(f"{plain(middle, 3)} ({plain(low, 3)} to {plain(high, 3)})", middle, "number")


def _plain(value: Any) -> str:
    return plain(float(value), 3) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
