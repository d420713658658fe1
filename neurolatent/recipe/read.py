"""A recipe file: TOML with named sections, overridden by dotted keys, written back with absolute paths."""

import copy
import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from neurolatent.checks import InputError, did_you_mean, existing_file, place, whole_number
from neurolatent.locate import located
from neurolatent.recipe.objects import expect_table, refuse_unknown

SECTIONS = (
    "title",
    "card",
    "seed",
    "data",
    "prepare",
    "model",
    "engine",
    "test",
    "cv",
    "prognosis",
    "arms",
    "sweep",
    "quick",
    "expect",
)
TABLES = ("data", "model", "engine", "test", "cv", "prognosis", "arms", "sweep", "quick", "expect")
PATHS = ("path", "outcomes", "sequences", "card")  # keys that hold paths, wherever they stand
IN_ARMS = ("data.knowledge", "model", "engine")  # what an arm may change: all else is shared with the recipe


@dataclass(frozen=True)
class Recipe:
    """A recipe as it was read: plain tables, with absolute paths."""

    name: str
    table: dict[str, Any]
    folder: Path

    @property
    def seed(self) -> int:
        """The seed of everything random in the run."""
        return self.table.get("seed", 0)

    @property
    def cards(self) -> list[Path]:
        """Model and data cards that the recipe names."""
        tables = (self.table, self.section("data"), self.section("test"))
        return [Path(card) for card in dict.fromkeys(t["card"] for t in tables if "card" in t)]

    def section(self, name: str) -> dict[str, Any]:
        """A section, empty where it is missing."""
        return self.table.get(name, {})

    def expectations(self, figures: Mapping[str, float], *, is_whole: bool) -> list[dict[str, Any]]:
        """The figures of the section ``expect``, each with its range and whether it lies inside.

        Args:
            is_whole: False where a run was interrupted, so that figures may be missing.

        Raises:
            InputError: A figure that a whole run does not have.
        """
        rows = []
        for name, (low, high) in self.section("expect").items():
            if name not in figures and is_whole:
                raise InputError(f"{self.name}: [expect] {name!r}: no such figure. {did_you_mean(name, figures)}")
            value = figures.get(name, float("nan"))
            rows.append({"figure": name, "value": value, "low": low, "high": high, "met": bool(low <= value <= high)})
        return rows

    def with_values(self, values: Mapping[str, Any]) -> "Recipe":
        """The recipe with values at dotted keys, such as ``model.n_states``."""
        table = copy.deepcopy(self.table)
        for key, value in values.items():
            set_at(table, key, _absolute(value, key.split(".")[-1], self.folder), self.name)
        return Recipe(self.name, _checked(table, self.name), self.folder)

    def arms(self) -> dict[str, "Recipe"]:
        """The recipe under the other beliefs of its section ``arms``."""
        return {name: self.with_values(values) for name, values in self.section("arms").items()}

    def quick(self) -> "Recipe":
        """The shorter run that the section ``quick`` describes, at dotted keys; its figures need not be as expected.

        Raises:
            InputError: There is no such section.
        """
        values = self.section("quick")
        if not values:
            raise InputError(f'{self.name}: there is no shorter run: write one, as in [quick] "engine.draws" = 100')
        shorter = self.with_values(values)
        return Recipe(self.name, {k: v for k, v in shorter.table.items() if k != "expect"}, self.folder)

    def to_toml(self) -> str:
        """The resolved recipe."""
        return tomli_w.dumps(self.table)


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a TOML file; paths are relative to the file, or to NEUROLATENT_DATA after ``data:``.

    Raises:
        FileNotFoundError: No such file.
        InputError: Not TOML, unknown sections, sections of another type, NEUROLATENT_DATA needed and unset.
    """
    path = existing_file(path)
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is not TOML: {error}") from error
    folder = path.resolve().parent
    return Recipe(path.stem, _checked(_absolute(table, "", folder), path.name), folder)


def _checked(table: dict[str, Any], name: str) -> dict[str, Any]:
    """The table, whose sections must be known and of the right type."""
    refuse_unknown(table, SECTIONS, name)
    for needed in ("data", "model"):
        if needed not in table:
            raise InputError(f"{name}: the section [{needed}] is missing")
    for section in TABLES:
        expect_table(table.get(section, {}), f"{name}: [{section}]")
    steps = table.get("prepare", [])
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise InputError(f"{name}: prepare: write one table [[prepare]] for each step, got {steps!r}")
    for word in ("title", "card"):
        if not isinstance(table.get(word, ""), str):
            raise InputError(f"{name}: {word}: text is expected, got {table[word]!r}")
    whole_number(f"{name}: seed", table.get("seed", 0), 0)
    for arm, values in table.get("arms", {}).items():
        _refuse_arm(expect_table(values, f"{name}: [arms.{arm}]"), f"{name}: [arms.{arm}]")
    for figure, bounds in table.get("expect", {}).items():
        _refuse_bounds(bounds, f"{name}: [expect] {figure!r}")
    return table


def _refuse_arm(values: Mapping[str, Any], where: str) -> None:
    for key in values:
        if not any(key == known or key.startswith(f"{known}.") for known in IN_ARMS):
            raise InputError(
                f"{where}: {key!r}: an arm differs in {', '.join(IN_ARMS)} and keys below them, written with dots "
                f"and in quotes. {did_you_mean(key, IN_ARMS)}"
            )


def _refuse_bounds(bounds: Any, where: str) -> None:
    is_pair = isinstance(bounds, list) and len(bounds) == 2
    if not is_pair or not all(isinstance(b, (int, float)) and not isinstance(b, bool) for b in bounds):
        raise InputError(f"{where}: two numbers [low, high] are expected, got {bounds!r}")
    if not bounds[0] <= bounds[1]:
        raise InputError(f"{where}: low must not be above high, got {bounds!r}")


def set_at(table: dict[str, Any], key: str, value: Any, where: str) -> None:
    """Set a value at a dotted key; tables on the way are made where they are missing."""
    *way, last = key.split(".")
    here = table
    refuse_unknown({(way or [last])[0]: None}, SECTIONS, place(where, f"key {key!r}"))
    for part in way:
        here = here.setdefault(part, {})
        if not isinstance(here, dict):
            raise InputError(f"{where}: {key!r} leads through {part!r}, which is no table")
    here[last] = value


def parse_over(words: Sequence[str]) -> dict[str, list[Any]]:
    """Grids from command-line words such as ``model.n_states=2..5`` or ``engine.start=random,segments``."""
    grids: dict[str, list[Any]] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not key or not equals or not text:
            raise InputError(f"--over {word!r}: write KEY=VALUES, such as model.n_states=2..5 or seed=0,1,2")
        if key in grids:
            raise InputError(f"--over {word!r}: {key!r} stands twice. Write all its values at once: {key}=A,B")
        grids[key] = _over_values(text, word)
    return grids


def _over_values(text: str, word: str) -> list[Any]:
    """A range of whole numbers, or values as TOML writes them, or else plain words, with commas between them."""
    low, dots, high = text.partition("..")
    if dots and low.lstrip("-").isdigit() and high.lstrip("-").isdigit():
        if int(low) > int(high):
            raise InputError(f"--over {word!r}: the range is empty. Write the lower number first.")
        return list(range(int(low), int(high) + 1))
    whole = _toml_value(f"[{text}]")
    return whole if isinstance(whole, list) else [_toml_value(item) for item in text.split(",")]


def grid(recipe: Recipe, grids: Mapping[str, Any]) -> list[tuple[dict[str, Any], Recipe]]:
    """One recipe for each point of a grid, with the point's values."""
    for key, values in grids.items():
        if not isinstance(values, (list, tuple)) or not values:
            raise InputError(f"{recipe.name}: [sweep] {key!r}: a list of values is expected, got {values!r}")
    points = [dict(zip(grids, values, strict=True)) for values in itertools.product(*grids.values())]
    return [(point, recipe.with_values(point)) for point in points]


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


def _absolute(value: Any, key: str, folder: Path) -> Any:
    if isinstance(value, dict):
        return {k: _absolute(v, k.split(".")[-1], folder) for k, v in value.items()}
    if isinstance(value, list):
        return [_absolute(v, key, folder) for v in value]
    if key in PATHS and isinstance(value, str):
        return str(located(value, folder))
    return value
