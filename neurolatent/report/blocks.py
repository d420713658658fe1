"""What a section of the page is made of; the template draws each kind of block."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        sort: What the column is sorted by, where it is not the text.
        kind: Classes of the style sheet, such as ``number`` or ``muted``.
        swatch: Number of a state from 1, whose colour stands before the text; 0 for none.
        link: Anchor on this page.
    """

    text: str
    sort: float | int | str | None = None
    kind: str = ""
    swatch: int = 0
    link: str = ""


@dataclass(frozen=True)
class Table:
    """A plain table; ``numeric`` columns are set flush right."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    is_sortable: bool = False
    block: str = "table"


@dataclass(frozen=True)
class Picture:
    """A figure as markup (SVG, or PNG as data), with its alternative text inside, and a caption."""

    markup: Markup
    caption: str = ""
    is_half: bool = False  # two of these stand side by side where there is room
    block: str = "picture"


@dataclass(frozen=True)
class Text:
    """A paragraph; ``kind`` is a class of the style sheet, such as ``note``."""

    text: str
    kind: str = ""
    block: str = "text"


@dataclass(frozen=True)
class Code:
    """Text as it is."""

    text: str
    block: str = "code"


@dataclass(frozen=True)
class Html:
    """Markup that is safe already."""

    markup: Markup
    block: str = "html"


@dataclass(frozen=True)
class Section:
    """A part of the page with its own anchor; ``parts`` are sections inside it, side by side where there is room."""

    anchor: str
    title: str
    blocks: Sequence[Any] = ()
    parts: Sequence["Section"] = field(default_factory=tuple)


def number(value: Any, digits: int = 4, kind: str = "number") -> Cell:
    """A number with so many significant digits; a dash where it is none."""
    if value is None or not isinstance(value, (int, float, np.integer, np.floating)) or np.isnan(value):
        return Cell("–", -np.inf, f"{kind} muted")
    if np.isinf(value):
        return Cell("∞" if value > 0 else "−∞", float(value), kind)
    return Cell(plain(float(value), digits), float(value), kind)


def plain(value: float, digits: int = 4) -> str:
    """A number in few characters: no exponent for usual sizes."""
    if not np.isfinite(value):  # the R-hat of chains that each stay at a value of their own
        return "∞" if value > 0 else "–" if np.isnan(value) else "−∞"
    kept = value if value == round(value) else float(f"{value:.{digits}g}")
    if kept == round(kept) and 1 <= abs(kept) < 1e7 or value == 0:
        return f"{kept:.0f}"
    return f"{value:.{digits}g}"


def percent(share: float, digits: int = 0) -> str:
    """A share in per cent."""
    return f"{100 * share:.{digits}f} %"


def probability(value: Any) -> Cell:
    """A probability with three decimals, never rounded to a false 0 or 1."""
    if value is None or np.isnan(value):
        return number(np.nan)
    return Cell(as_probability(float(value)), float(value), "number")


def as_probability(value: float) -> str:
    """Words for a probability that data gave: it is never quite 0 or 1."""
    if value < 0.0005:
        return "< 0.001"
    return "> 0.999" if value >= 0.9995 else f"{value:.3f}"
