"""Which point of a grid tells unseen data best: the candidates of a recipe, cross-validated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurolatent.checks import InputError
from neurolatent.recipe.folder import clean, write_scores, write_text
from neurolatent.recipe.held_out import folds_in
from neurolatent.recipe.plan import parts_of
from neurolatent.recipe.read import Recipe, grid
from neurolatent.validation import Candidate, Choice, cross_validate

VARIED = ("model", "engine")  # sections in which candidates may differ: all else is shared by them


def choose(recipe: Recipe, grids: Mapping[str, Any], *, quiet: bool = True) -> Choice:
    """The points of a grid side by side on held-out data, with the folds of the section [cv].

    Raises:
        InputError: No grid, keys outside of [model] and [engine], or whatever the recipe's data refuse.
    """
    if not grids:
        raise InputError("a choice needs candidates: add --over, such as --over model.n_states=1..5")
    for key in grids:
        if key.partition(".")[0] not in VARIED:
            raise InputError(
                f"--over {key!r}: candidates are scored on the same data, so they differ in keys of [model] and "
                "[engine] only"
            )
    folds, parts = folds_in(recipe.section("cv"), f"{recipe.name}: [cv]"), parts_of(recipe)
    varied = {name_of(point): parts_of(other, parts.recording) for point, other in grid(recipe, grids)}
    candidates = {name: Candidate(each.model, each.engine) for name, each in varied.items()}
    return cross_validate(candidates, parts.recording, parts.steps, folds=folds, seed=recipe.seed, quiet=quiet)


def name_of(point: Mapping[str, Any]) -> str:
    """A point of a grid in short, such as ``n_states=3``; of a table its kind."""
    short = {key.rpartition(".")[2]: v.get("kind", v) if isinstance(v, dict) else v for key, v in point.items()}
    return ",".join(f"{key}={value}" for key, value in short.items())


def write_choice(folder: Path, recipe: Recipe, choice: Choice) -> dict[str, str]:
    """Write the tables of a choice and the fits to all data, and say where each lies."""
    clean(folder)
    paths = {"recipe": write_text(folder / "recipe.toml", recipe.to_toml()), **write_scores(folder, choice)}
    return {name: str(path) for name, path in paths.items()}
