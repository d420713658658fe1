"""Runs: a recipe, or a sweep of it, fitted, written and reported; what is told of new data."""

import sys
from pathlib import Path
from typing import Any

from neurolatent.cli.status import DONE, FAILED, KEPT, print_json


def fit_one(recipe: Any, folder: Path, *, resume: bool, as_json: bool) -> int:
    """Fit a recipe and write its run; the exit status."""
    from neurolatent.choices import Run
    from neurolatent.recipe import run_recipe
    from neurolatent.recipe.folder import summary, to_json, write_run, write_text

    outcome = run_recipe(recipe, Run(folder, resume, quiet=not sys.stderr.isatty()))
    expected = outcome.expectations()
    shown = outcome.test or outcome.recording
    fleet = units_table(outcome.fit, shown)
    paths = write_run(folder, outcome, fleet)
    extras = {"diagnosis": outcome.diagnosis, "fleet": fleet, "comparison": outcome.comparison}
    extras |= {"choice": outcome.choice, "entries": outcome.entries}
    extras |= outlook_of(outcome.lives)
    paths["report"] = str(write_page(folder, outcome.fit, recipe, shown, **extras))
    paths["summary"] = str(folder / "summary.json")
    result = summary(outcome, paths)
    write_text(folder / "summary.json", to_json(result))
    if as_json:
        print_json(result)
    else:
        print_outcome(outcome, paths)
    if outcome.interrupted:
        print(f"interrupted: what there is lies in {folder}; continue with --resume --out {folder}", file=sys.stderr)
        return KEPT
    return DONE if all(row["met"] for row in expected) else FAILED


def print_outcome(outcome: Any, paths: dict[str, str]) -> None:
    """What came of a recipe, for people."""
    from neurolatent.diagnostics.rows import in_words

    print(outcome.fit)
    print(outcome.diagnosis)
    for name, value in outcome.figures.items():
        print(f"  {name:<45} {in_words(value, 6)}")
    print_expectations(outcome.expectations())
    print(f"report: {paths['report']}")


def print_expectations(rows: list[dict[str, Any]]) -> None:
    """What a recipe expects, for people."""
    for row in rows:
        verdict = "met" if row["met"] else "NOT MET"
        print(f"  {verdict}: {row['figure']} = {row['value']:.6g} in [{row['low']}, {row['high']}]")


def fit_sweep(recipe: Any, grids: dict[str, Any], folder: Path, *, as_json: bool) -> int:
    """Fit every point of a grid, write the table and its page; the exit status.

    What the recipe expects is held against its own grid only, not against another one of the command line.
    """
    import math
    import time

    from neurolatent.recipe import run_sweep
    from neurolatent.recipe.folder import to_json, write_sweep, write_text
    from neurolatent.report import write_sweep_report
    from neurolatent.result.build import versions

    begin = time.perf_counter()
    sweep = run_sweep(recipe, grids, quiet=not sys.stderr.isatty())
    is_whole = len(sweep.points) == math.prod(len(values) for values in grids.values())
    if not sweep.points:
        raise KeyboardInterrupt
    seconds, figures = {"run": time.perf_counter() - begin}, sweep.summary()
    paths = {**write_sweep(folder, recipe, sweep), "summary": str(folder / "summary.json")}
    page: Any = {"title": recipe.table.get("title", recipe.name), "recipe": recipe.to_toml(), "cards": recipe.cards}
    paths["report"] = str(write_sweep_report(sweep, folder / "report.html", is_whole=is_whole, **page))
    # A wrong name in it is an error: what took long is written before.
    expected = recipe.expectations(figures, is_whole=is_whole) if grids == recipe.section("sweep") else []
    result = {"figures": figures, "expectations": expected, "points": len(sweep.points), "interrupted": not is_whole}
    result |= {"paths": paths, "seconds": seconds, "versions": versions(), "seed": recipe.seed}
    write_text(folder / "summary.json", to_json(result))
    if as_json:
        print_json(result)
    else:
        print(sweep.table().to_string(index=False))
        print_expectations(expected)
        print("\n".join(f"{name}: {path}" for name, path in paths.items()))
    if not is_whole:
        return KEPT
    return DONE if all(row["met"] for row in expected) else FAILED


def units_table(fitted: Any, recording: Any) -> Any:
    """One row per unit; None of a model whose states lead to no failure."""
    from neurolatent.models.protocols import Degrades
    from neurolatent.prognostics import fleet_table

    return fleet_table(fitted, recording) if isinstance(fitted.model, Degrades) else None


def outlook_of(lives: Any) -> dict[str, Any]:
    """What the report takes of a prognosis."""
    if lives is None:
        return {}
    from neurolatent.report.outlook import Measurements

    measured = Measurements(lives.held, lives.running)
    return {"prognosis": lives.prognosis, "horizon": lives.horizon, "measured": measured}


def write_page(folder: Path, fitted: Any, recipe: Any, recording: Any, **extras: Any) -> Path:
    """Write the report of a run."""
    from neurolatent.report import write_report

    path = folder / "report.html"
    return write_report(fitted, recording, path, recipe=recipe.to_toml(), cards=recipe.cards, **extras)


def predicted(
    fitted: Any, prognosis: Any, recipe: Any, recording: Any, horizon: float | None
) -> tuple[Any, dict[str, float], float | None]:
    """Table of units, figures where the truth is given, and the horizon of the risk."""
    from neurolatent.models.protocols import Foresees

    if prognosis is None:
        from neurolatent.recipe.decoding import decoded_table, decodes, decoding_figures
        from neurolatent.recipe.figures import given_units_figures

        if isinstance(fitted.model, Foresees):
            from neurolatent.recipe.patterns import foreseen_table, stream_figures

            return foreseen_table(fitted, recording, recipe.seed), stream_figures(fitted, recording, recipe.seed), None
        if decodes(fitted):
            return decoded_table(fitted, recording), decoding_figures(fitted, recording), None
        return units_table(fitted, recording), given_units_figures(fitted, recording), None
    from neurolatent.prognostics.measures import flat_figures, on_running
    from neurolatent.prognostics.risk import default_horizon, risk_table
    from neurolatent.recipe.lives import horizon_of

    asked = horizon_of(recipe.section("prognosis")) if horizon is None else horizon
    chosen = default_horizon(prognosis) if asked is None else asked
    figures = flat_figures(on_running(prognosis, recording)) if "remaining" in recording.sequences else {}
    return risk_table(prognosis, recording, chosen), figures, chosen
