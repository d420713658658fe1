"""Figures inside the page: SVG that takes its colours from the page, or PNG where SVG would be too large."""

import base64
import io
import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from markupsafe import Markup, escape

from neurolatent.plots.style import (
    ACCENT,
    ALARM,
    GRID,
    INK,
    MUTED,
    PAPER,
    SERIES,
    house_style,
    new_figure,
    state_colours,
)
from neurolatent.report.blocks import Picture

LARGEST_SVG = 160_000  # characters; above it a figure is stored as PNG
PNG_DPI = 130
NAMES = {INK: "ink", MUTED: "muted", GRID: "grid", ACCENT: "accent", ALARM: "alarm", PAPER: "paper"}
NAMES |= {colour: f"series-{n}" for n, colour in enumerate(SERIES, 1) if colour not in NAMES}


class Painter:
    """Turns drawings into pictures; numbers their ids, so that no two pictures on a page share one."""

    def __init__(self, n_states: int) -> None:
        self._serial = itertools.count(1)
        states = {colour: f"state-{k + 1}" for k, colour in enumerate(state_colours(n_states))}
        self._variables = {**states, **NAMES}

    def picture(
        self, draw: Callable[..., object], alt: str, caption: str = "", *, size: tuple[float, float] = (6.4, 3.0)
    ) -> Picture:
        """The picture of one drawing; ``draw`` is called with the axes as ``ax``, or with ``figure``.

        Args:
            alt: What there is to see, for who cannot see it.
            size: Inches; a width below 5 lets two pictures stand side by side.
        """
        with house_style(), _figure(size) as figure:
            if getattr(draw, "wants_figure", False):
                draw(figure=figure)
            else:
                draw(ax=figure.subplots())
            markup = self._embed(figure, alt)
        return Picture(markup, caption, is_half=size[0] < 5)

    def _embed(self, figure, alt: str) -> Markup:  # type: ignore[no-untyped-def]
        page = io.StringIO()
        figure.savefig(page, format="svg")
        svg = inline_svg(page.getvalue(), alt, f"f{next(self._serial)}-", self._variables)
        if len(svg) <= LARGEST_SVG:
            return Markup(svg)
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=PNG_DPI, facecolor="white")
        data = base64.b64encode(image.getvalue()).decode()
        return Markup('<img class="card" alt="{}" src="data:image/png;base64,{}">').format(alt, Markup(data))


@contextmanager
def _figure(size: tuple[float, float]) -> Iterator:
    figure = new_figure(*size)
    yield figure
    figure.clear()


def inline_svg(svg: str, alt: str, prefix: str, variables: dict[str, str]) -> str:
    """An SVG document as an element of a page: scaling, labelled, ids of its own, colours as variables of the page.

    Args:
        prefix: Of the ids that stay; those that nothing refers to are dropped.
        variables: Hex colours to names of CSS variables.
    """
    body = svg[svg.index("<svg") :]
    head, body = re.match(r"<svg[^>]*>", body).group(), body[body.index(">") + 1 :]  # type: ignore[union-attr]
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head)
    width, height = box.groups() if box else ("460", "216")
    body = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->|<defs>\s*</defs>", "", body, flags=re.S)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', body))
    body = re.sub(r'\sid="([^"]*)"', lambda m: f' id="{prefix}{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r'(?:xlink:)?href="#', f'href="#{prefix}', body).replace("url(#", f"url(#{prefix}")
    body = re.sub(r'(?<=\s)(d|x|y)="([^"]*)"', lambda m: f'{m[1]}="{_rounded(m[2])}"', body)
    body = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", body)
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)
    for colour, name in variables.items():
        body = body.replace(colour, f"var(--{name})")
    body = re.sub(r">\s+<", "><", re.sub(r"\s*\n\s*", " ", body))
    opening = (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(alt)}" '
        f'style="max-width: {float(width) * 4 / 3 * 1.15:.0f}px"><title>{escape(alt)}</title>'
    )
    return opening + body.strip()


def _rounded(numbers: str) -> str:
    return re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.1f}".removesuffix(".0"), numbers)
