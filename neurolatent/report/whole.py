"""A whole page: head and sections through the template, written in one move."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from neurolatent.checks import InputError
from neurolatent.plots.style import state_colours
from neurolatent.report.blocks import Section

HERE = Path(__file__).parent
MOST_POINTS = 3  # that stand open on the first screen: what was found comes next


@dataclass(frozen=True)
class Head:
    """What stands above the sections.

    Attributes:
        verdict: pass, warn or fail.
        points: What the reader must know before the rest; the first few stand open.
        first: Blocks between the verdict and the contents.
        checks: Anchor of the section with all checks, where there is one.
    """

    title: str
    facts: str
    verdict: str
    headline: str
    words: str
    points: Sequence[str] = ()
    first: Sequence[Any] = field(default_factory=tuple)
    checks: str = "diagnostics"


def render_page(head: Head, sections: Sequence[Section], n_states: int) -> str:
    """The page as text, with the colours of so many states."""
    loader = jinja2.FileSystemLoader(HERE)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.jinja").render(
        head=head,
        most_points=MOST_POINTS,
        sections=sections,
        ramps=(state_colours(n_states), state_colours(n_states, on_dark=True)),
        style=Markup((HERE / "style.css").read_text("utf-8")),
        script=Markup((HERE / "sort.js").read_text("utf-8")),
    )


def refuse_unwritable(path: Path) -> None:
    """Refuse a file name that cannot be written, before the work is done."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; a file name such as report.html is expected")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: the folder {path.parent} does not exist. Make it first.")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path} cannot be written: the folder {path.parent} is not writable. Choose another one.")


def write_whole(path: Path, text: str) -> Path:
    """Write the text under another name in the same folder and move it into place.

    Raises:
        InputError: The folder cannot be written.
    """
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}). Choose another folder.") from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
    return path
