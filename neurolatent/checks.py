"""The house's boundary checks and the form of their messages: where, what, with which value, what to do."""

import difflib
import numbers
from collections.abc import Iterable, Sequence
from pathlib import Path


class InputError(ValueError):
    """Input that is refused; the message names the place and the value and says what to do."""


class IncompatibleKnowledgeError(InputError):
    """Knowledge that leaves no possible path of states for a sequence."""


def place(*parts: object) -> str:
    """The words that open a message, such as ``train.csv, unit 3, row 17``; empty parts are left out."""
    return ", ".join(str(part) for part in parts if part not in (None, ""))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A closing sentence with the close matches of ``name``, else with all that is known."""
    known = [str(k) for k in known]
    close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.6)
    if close:
        return "Did you mean " + " or ".join(repr(c) for c in close) + "?"
    listed = ", ".join(repr(k) for k in known[:30]) + (", ..." if len(known) > 30 else "")
    return f"Known: {listed}." if known else "None is known here."


def one_of(name: str, value: object, known: Sequence[str]) -> None:
    """Refuse a ``value`` of the choice ``name`` that is not among ``known``."""
    if value not in known:
        raise InputError(f"{name} must be one of {list(known)}, got {value!r}. {did_you_mean(str(value), known)}")


def at_least(name: str, value: object, low: float | int) -> None:
    """Refuse a number ``value`` below ``low`` (or not a number)."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not float(value) >= low:
        raise InputError(f"{name} must be at least {low}, got {value!r}")


def positive(name: str, value: object) -> None:
    """Refuse a ``value`` that is not a number above 0."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not float(value) > 0:
        raise InputError(f"{name} must be a number above 0, got {value!r}")


def whole_number(name: str, value: object, low: int) -> None:
    """Refuse a ``value`` that is not a whole number of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < low:
        raise InputError(f"{name} must be a whole number of at least {low}, got {value!r}")


def within(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number ``value`` outside [low, high]."""
    if not low <= value <= high:
        raise InputError(f"{name} must lie in [{low}, {high}], got {value!r}")


def existing_file(path: str | Path) -> Path:
    """The path of a file that exists; otherwise the error names the close matches in its folder."""
    path = Path(path)
    if path.is_file():
        return path
    if path.is_dir():
        raise InputError(f"{path} is a folder; a file is expected")
    folder = path.parent if path.parent.is_dir() else None
    hint = (
        did_you_mean(path.name, [p.name for p in sorted(folder.iterdir())]) if folder else "Its folder is missing too."
    )
    raise FileNotFoundError(f"{path} does not exist. {hint}")
