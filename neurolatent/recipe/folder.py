"""A run is a folder that explains itself: resolved recipe, fit, summary, tables, log; the report is written beside."""

import json
import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from neurolatent.checks import InputError, existing_file
from neurolatent.comparison import Sweep
from neurolatent.diagnostics import Diagnosis
from neurolatent.loaders.csv import table_of_text
from neurolatent.prognostics.prognosis import Prognosis
from neurolatent.recipe.data import recording_of
from neurolatent.recipe.plan import parts_of, test_recording
from neurolatent.recipe.read import Recipe, read_recipe
from neurolatent.recipe.run import Outcome
from neurolatent.recording import Recording
from neurolatent.result import Fit
from neurolatent.validation import Choice, EntryScores

ENTRIES = "entries.csv"
WRITTEN = (  # all files of a run or a sweep
    *(
        "recipe.toml",
        "fit.nc",
        "prognosis.nc",
        "lives.csv",
        "log.txt",
        "fleet.csv",
        "comparison.csv",
        "choice.csv",
        "held_out.csv",
        ENTRIES,
        "report.html",
        "summary.json",
    ),
    *("sweep.csv", "sweep.png"),
)


def run_folder(out: Path | None, name: str, *, resume: bool, force: bool) -> Path:
    """The folder of a run, not yet made: ``out``, or ``runs/NAME-DATE-TIME``.

    Raises:
        InputError: It exists already and neither ``resume`` nor ``force`` was given, or it cannot be written.
    """
    folder = out or Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; a folder is needed for the run. Choose another --out.")
    if folder.is_dir() and any(folder.iterdir()) and not (resume or force):
        raise InputError(
            f"{folder} exists already. Continue with --resume, replace with --force, or choose another --out."
        )
    refuse_unwritable(folder)
    return folder


def refuse_unwritable(folder: Path) -> None:
    """Refuse a folder into which no file can be written; nothing is left behind."""
    parent = folder.absolute()
    while not parent.exists():
        parent = parent.parent
    try:
        with tempfile.TemporaryFile(dir=parent):
            return
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}). Choose another --out.") from error


def write_text(path: Path, text: str) -> Path:
    """Write a text file under a temporary name and move it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_table(path: Path, table: pd.DataFrame) -> Path:
    """Write a table under a temporary name and move it into place: parquet by its suffix, else csv."""
    if path.suffix not in (".parquet", ".pq"):
        return write_text(path, table.to_csv(index=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        table.to_parquet(temporary, index=False)
        temporary.replace(path)
    except ImportError as error:
        raise InputError(f"{path}: parquet needs pyarrow, which is not installed. Write .csv instead.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def clean(folder: Path) -> None:
    """Make the folder, without the files that a former run wrote there; a checkpoint stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in WRITTEN:
        (folder / name).unlink(missing_ok=True)


def write_sweep(folder: Path, recipe: Recipe, sweep: Sweep) -> dict[str, str]:
    """Write the table and the curves of a sweep, and say where each lies; no curves where no number was varied."""
    clean(folder)
    paths = {
        "recipe": write_text(folder / "recipe.toml", recipe.to_toml()),
        "sweep": write_text(folder / "sweep.csv", sweep.table().to_csv(index=False)),
    }
    if sweep.has_curves:
        from neurolatent.plots.sweep import save_sweep  # matplotlib is slow to import, and most commands draw nothing

        paths["curves"] = save_sweep(sweep, folder / "sweep.png")
    return {name: str(path) for name, path in paths.items()}


def write_run(folder: Path, outcome: Outcome, fleet: pd.DataFrame | None) -> dict[str, str]:
    """Write all of a run but its report, and say where each part lies; what a former run left there is removed."""
    clean(folder)
    paths = {
        "recipe": write_text(folder / "recipe.toml", outcome.recipe.to_toml()),
        "fit": outcome.fit.save(folder / "fit.nc"),
        "log": write_text(
            folder / "log.txt", f"{outcome.recording.describe()}\n\n{outcome.fit}\n\n{outcome.diagnosis}\n"
        ),
    }
    if fleet is not None:
        paths["fleet"] = write_text(folder / "fleet.csv", fleet.to_csv(index=False))
    if outcome.lives is not None:
        paths["prognosis"] = outcome.lives.prognosis.save(folder / "prognosis.nc")
        paths["lives"] = write_text(folder / "lives.csv", outcome.lives.table(outcome.recipe.seed).to_csv(index=False))
    if outcome.comparison is not None:
        paths["comparison"] = write_text(folder / "comparison.csv", outcome.comparison.to_csv(index=False))
    if outcome.choice is not None:
        paths |= write_scores(folder, outcome.choice)
    if outcome.entries is not None:
        paths["entries"] = write_entries(folder, outcome.entries, outcome.fit.facts["channels"])
    if not outcome.interrupted:
        shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    return {name: str(path) for name, path in paths.items()}


def write_scores(folder: Path, choice: Choice) -> dict[str, Path]:
    """Write what was held out and how well it was told, and what each fit to all data says of itself."""
    return {
        "choice": write_text(folder / "choice.csv", choice.facts.to_csv(index=False)),
        "held_out": write_text(folder / "held_out.csv", choice.scores.to_csv(index=False)),
    }


def open_choice(folder: Path) -> Choice | None:
    """The held-out scores of a run; None where its recipe asked for none."""
    facts, scores = folder / "choice.csv", folder / "held_out.csv"
    if not (facts.is_file() and scores.is_file()):
        return None
    text: Any = {"candidate": str, "fold": str, "sequence": str}
    return Choice(pd.read_csv(scores, dtype=text), pd.read_csv(facts).astype({"candidate": str}))


def write_entries(folder: Path, scores: EntryScores, channels: Sequence[str]) -> Path:
    """Write the scores of hidden entries, one row a channel."""
    table = pd.DataFrame({"channel": list(channels), **scores._asdict()})
    return write_text(folder / ENTRIES, table.to_csv(index=False))


def open_entries(folder: Path) -> EntryScores | None:
    """The scores of a run's hidden entries; None where its recipe hid none."""
    if not (folder / ENTRIES).is_file():
        return None
    table = pd.read_csv(folder / ENTRIES)
    return EntryScores(*(table[name].to_numpy() for name in EntryScores._fields))


def summary(outcome: Outcome, paths: dict[str, str]) -> dict[str, Any]:
    """The one object that ``--json`` prints and ``summary.json`` holds."""
    return {
        "figures": outcome.figures,
        "verdict": outcome.diagnosis.verdict,
        "verdicts": outcome.diagnosis.table(),
        "expectations": outcome.expectations(),
        "warnings": list(outcome.fit.warnings),
        "interrupted": outcome.interrupted,
        "paths": paths,
        "seconds": outcome.seconds,
        "versions": outcome.fit.versions,
        "seed": outcome.fit.seed,
    }


def to_json(value: Any, *, indent: int | None = 1) -> str:
    """JSON in which numbers that are none, or infinite, stand as null; without an indent in one line."""
    return json.dumps(_finite(value), indent=indent, default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def open_run(folder: Path) -> tuple[Fit, Recipe]:
    """The fit and the recipe of a run.

    Raises:
        InputError: The folder is no run.
    """
    _refuse_other(folder)
    return Fit.load(folder / "fit.nc"), read_recipe(folder / "recipe.toml")


def open_whole(folder: Path) -> tuple[Fit, Prognosis | None, Recipe]:
    """The same with the prognosis, which holds the fit; None where the recipe asked for none.

    Raises:
        InputError: The folder is no run.
    """
    if not (folder / "prognosis.nc").is_file():
        fit, recipe = open_run(folder)
        return fit, None, recipe
    _refuse_other(folder)
    prognosis = Prognosis.load(folder / "prognosis.nc")
    return prognosis.fit, prognosis, read_recipe(folder / "recipe.toml")


def _refuse_other(folder: Path) -> None:
    if not (folder / "fit.nc").is_file() or not (folder / "recipe.toml").is_file():
        raise InputError(
            f"{folder} is no run: it needs fit.nc and recipe.toml. Make one with 'neurolatent fit RECIPE'."
        )


def shown_recording(recipe: Recipe) -> Recording:
    """The recording that a run's report shows: the test recording where there is one, else the training one."""
    return test_recording(recipe) or parts_of(recipe).recording


def new_recording(recipe: Recipe, path: Path, outcomes: Path | None) -> Recording:
    """New data in the format and on the clock of a run's training data; ``outcomes`` holds true remaining lives."""
    training = recipe.section("data")
    left_out = ("simulate", "knowledge", "card", "take", "cut", "outcomes", "sequences", "failed")
    table = {k: v for k, v in training.items() if k not in left_out} | {"path": str(path)}
    if outcomes is not None:
        table["outcomes" if training.get("format") == "cmapss" else "sequences"] = str(outcomes)
    where, target = f"{recipe.name}: [data]", str(recipe.section("model").get("target"))
    if "only" in table and not _has_columns(path, table["only"], str(table.get("separator", ","))):
        table.pop("only")  # a file of its own holds no other split
    try:
        return recording_of(table, where, recipe.seed)
    except InputError:
        named: Any = table.get("signals", {})
        if target not in named:
            raise
        inputs = {name: columns for name, columns in named.items() if name != target}
        return recording_of(table | {"signals": inputs}, where, recipe.seed)  # what is to be decoded is not known


def _has_columns(path: Path, columns: Any, separator: str) -> bool:
    """Whether the header of a table of text has all of these columns."""
    return set(columns) <= set(table_of_text(existing_file(path), separator).columns)


def verdict_summary(diagnosis: Diagnosis) -> dict[str, Any]:
    """What ``check --json`` prints."""
    return {"verdict": diagnosis.verdict, "verdicts": diagnosis.table()}
