"""The command line: parse, call, print. Heavy imports stand inside the commands, so that --help is quick."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from neurolatent._version import __version__
from neurolatent.checks import InputError

app = typer.Typer(
    name="neurolatent",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich alone would cost a quarter of a second
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Latent structure of recordings, with honest uncertainty: fit, check, report, predict.",
)

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
KEPT = -INTERRUPTED  # of a command that was interrupted and has written what there is
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Out = Annotated[Path | None, typer.Option("--out", help="Where to write.")]
RunFolder = Annotated[Path, typer.Argument(help="Folder of a run.", metavar="RUN")]


def main() -> None:
    """Run the command line and leave with its exit status."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Exit status of a command: 0 done, 1 a check failed, 2 the input was refused, 130 interrupted."""
    command = typer.main.get_command(app)
    try:
        status = command.main(args=words, prog_name="neurolatent", standalone_mode=False)
    except (InputError, OSError) as error:  # OSError: files that are missing, may not be read or written, a full disk
        return _refuse(str(error), "--json" in words)
    except typer.exceptions.TyperException as error:  # a command, option or value that the command line does not have
        return _refuse(error.format_message(), "--json" in words)
    if status == INTERRUPTED:  # Ctrl-C outside of what can be kept
        _refuse("interrupted before there was anything to keep", "--json" in words)
    return INTERRUPTED if status == KEPT else status if isinstance(status, int) else DONE


def _refuse(message: str, as_json: bool) -> int:
    print(f"refused: {message}", file=sys.stderr)
    if as_json:
        _print_json({"error": message})
    return REFUSED


def _print_json(value: Any) -> None:
    from neurolatent.recipe.folder import to_json

    print(to_json(value))


def _version(value: bool) -> bool:
    if value:
        print(__version__)
        raise typer.Exit
    return value


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Latent structure of recordings, with honest uncertainty."""


def _start_up(cache: bool) -> None:
    """Keep compiled programs on disk between commands, unless the user chose a place or none."""
    import os

    import platformdirs

    if not cache or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    import jax

    folder = Path(platformdirs.user_cache_dir("neurolatent")) / f"jax-{jax.__version__}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        print(f"compiled programs are not kept: {folder} cannot be written", file=sys.stderr)
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@app.command()
def fit(
    recipe: Annotated[Path, typer.Argument(help="A recipe (TOML).")],
    out: Out = None,
    over: Annotated[
        list[str] | None, typer.Option("--over", help="A grid, such as model.n_states=2..5; repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run in --out.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that is there already.")] = False,
    as_json: Json = False,
    cache: Annotated[bool, typer.Option(help="Keep compiled programs on disk.")] = True,
) -> int:
    """Fit what a recipe describes, check it, and write a report."""
    _start_up(cache)
    from neurolatent.recipe import parse_over, read_recipe
    from neurolatent.recipe.folder import run_folder

    recipe_read = read_recipe(recipe)
    grids = {**recipe_read.section("sweep"), **parse_over(over or [])}
    if resume and (out is None or grids):
        raise InputError(
            "--resume continues one fit in the folder that --out names; a sweep starts afresh with --force"
        )
    folder = run_folder(out, recipe_read.name, resume=resume, force=force)
    if grids:
        return _fit_sweep(recipe_read, grids, folder, as_json=as_json)
    return _fit_one(recipe_read, folder, resume=resume, as_json=as_json)


def _fit_one(recipe: Any, folder: Path, *, resume: bool, as_json: bool) -> int:
    from neurolatent.choices import Run
    from neurolatent.recipe import run_recipe
    from neurolatent.recipe.folder import summary, to_json, write_run, write_text

    outcome = run_recipe(recipe, Run(folder, resume, quiet=not sys.stderr.isatty()))
    expected = outcome.expectations()
    shown = outcome.test or outcome.recording
    fleet = _fleet(outcome.fit, shown)
    paths = write_run(folder, outcome, fleet)
    extras = {"diagnosis": outcome.diagnosis, "fleet": fleet, "comparison": outcome.comparison}
    extras["choice"] = outcome.choice
    extras |= _ahead(outcome.lives)
    paths["report"] = str(_report(folder, outcome.fit, recipe, shown, **extras))
    paths["summary"] = str(folder / "summary.json")
    result = summary(outcome, paths)
    write_text(folder / "summary.json", to_json(result))
    if as_json:
        _print_json(result)
    else:
        _print_outcome(outcome, paths)
    if outcome.interrupted:
        print(f"interrupted: what there is lies in {folder}; continue with --resume --out {folder}", file=sys.stderr)
        return KEPT
    return DONE if all(row["met"] for row in expected) else FAILED


def _print_outcome(outcome: Any, paths: dict[str, str]) -> None:
    print(outcome.fit)
    print(outcome.diagnosis)
    for name, value in outcome.figures.items():
        print(f"  {name:<45} {value:.6g}")
    for row in outcome.expectations():
        verdict = "met" if row["met"] else "NOT MET"
        print(f"  {verdict}: {row['figure']} = {row['value']:.6g} in [{row['low']}, {row['high']}]")
    print(f"report: {paths['report']}")


def _fleet(fitted: Any, recording: Any) -> Any:
    """One row per unit; None of a model whose states lead to no failure."""
    from neurolatent.models.protocols import Degrades
    from neurolatent.prognostics import fleet_table

    return fleet_table(fitted, recording) if isinstance(fitted.model, Degrades) else None


def _ahead(lives: Any) -> dict[str, Any]:
    """What the report takes of a prognosis."""
    if lives is None:
        return {}
    from neurolatent.report.outlook import Measurements

    measured = Measurements(lives.held, lives.running)
    return {"prognosis": lives.prognosis, "horizon": lives.horizon, "measured": measured}


def _report(folder: Path, fitted: Any, recipe: Any, recording: Any, **extras: Any) -> Path:
    from neurolatent.report import write_report

    path = folder / "report.html"
    return write_report(fitted, recording, path, recipe=recipe.to_toml(), cards=recipe.cards, **extras)


def _fit_sweep(recipe: Any, grids: dict[str, Any], folder: Path, *, as_json: bool) -> int:
    import math
    import time

    from neurolatent.recipe import run_sweep
    from neurolatent.recipe.folder import to_json, write_sweep, write_text
    from neurolatent.result.build import versions

    begin = time.perf_counter()
    sweep = run_sweep(recipe, grids, quiet=not sys.stderr.isatty())
    is_whole = len(sweep.points) == math.prod(len(values) for values in grids.values())
    if not sweep.points:
        raise KeyboardInterrupt
    paths = {**write_sweep(folder, recipe, sweep), "summary": str(folder / "summary.json")}
    seconds = {"run": time.perf_counter() - begin}
    result = {"figures": sweep.summary(), "points": len(sweep.points), "interrupted": not is_whole, "paths": paths}
    result |= {"seconds": seconds, "versions": versions(), "seed": recipe.seed}
    write_text(folder / "summary.json", to_json(result))
    if as_json:
        _print_json(result)
    else:
        print(sweep.table().to_string(index=False))
        print("\n".join(f"{name}: {path}" for name, path in paths.items()))
    return DONE if is_whole else KEPT


@app.command()
def check(run_folder: RunFolder, as_json: Json = False) -> int:
    """Say whether a run's fit is to be believed; the exit status is 0 only when no row fails."""
    from neurolatent.diagnostics import check as check_fit
    from neurolatent.recipe.folder import open_prognosis, open_run, verdict_summary
    from neurolatent.recipe.lives import checks_of

    fitted, _ = open_run(run_folder)
    diagnosis = check_fit(fitted).joined(checks_of(open_prognosis(run_folder)))
    if as_json:
        _print_json({**verdict_summary(diagnosis), "versions": fitted.versions, "seed": fitted.seed})
    else:
        print(diagnosis)
    return DONE if diagnosis.passed else FAILED


@app.command()
def report(run_folder: RunFolder, as_json: Json = False) -> int:
    """Write the report of a run again."""
    import pandas as pd

    from neurolatent.recipe.folder import open_choice, open_prognosis, open_run, shown_recording
    from neurolatent.recipe.lives import horizon_of, measured

    fitted, recipe = open_run(run_folder)
    comparison = run_folder / "comparison.csv"
    table = pd.read_csv(comparison) if comparison.is_file() else None
    shown, prognosis = shown_recording(recipe), open_prognosis(run_folder)
    horizon = horizon_of(recipe.section("prognosis"))
    ahead = _ahead(None if prognosis is None else measured(prognosis, horizon, shown))
    path = _report(run_folder, fitted, recipe, shown, comparison=table, choice=open_choice(run_folder), **ahead)
    if as_json:
        _print_json({"paths": {"report": str(path)}, "versions": fitted.versions, "seed": fitted.seed})
    else:
        print(f"report: {path}")
    return DONE


@app.command()
def predict(
    run_folder: RunFolder,
    data: Annotated[Path, typer.Argument(help="New data, in the format of the run's training data.", metavar="DATA")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the table, as csv or, by its suffix, parquet.")
    ] = None,
    outcomes: Annotated[Path | None, typer.Option("--outcomes", help="True remaining lives, for scoring only.")] = None,
    horizon: Annotated[
        float | None, typer.Option("--horizon", help="Clock time ahead within which a failure counts as a risk.")
    ] = None,
    as_json: Json = False,
    cache: Annotated[bool, typer.Option(help="Keep compiled programs on disk.")] = True,
) -> int:
    """The state of each unit of new data, by risk where the run has a prognosis; or the decoded signal, bin by bin."""
    _start_up(cache)
    import time

    begin = time.perf_counter()
    from neurolatent.recipe.folder import new_recording, open_prognosis, open_run, refuse_unwritable, write_table

    if out is not None:
        refuse_unwritable(out.absolute().parent)
    prognosis = open_prognosis(run_folder)
    fitted, recipe = open_run(run_folder)
    if prognosis is None and horizon is not None:
        raise InputError(f"--horizon needs a prognosis, and {run_folder} has none. Add [prognosis] to its recipe.")
    recording = new_recording(recipe, data, outcomes)
    table, figures, chosen = _predicted(fitted, prognosis, recipe, recording, horizon)
    paths = {} if out is None else {"table": str(write_table(out, table))}
    if as_json:
        seconds = {"run": time.perf_counter() - begin}
        facts = {"seed": fitted.seed, "versions": fitted.versions, "seconds": seconds, "paths": paths}
        _print_json({"figures": figures, "horizon": chosen, "units": table.to_dict("records"), **facts})
    else:
        print(table.to_string(index=False))
        for name, value in figures.items():
            print(f"  {name:<45} {value:.6g}")
    return DONE


def _predicted(
    fitted: Any, prognosis: Any, recipe: Any, recording: Any, horizon: float | None
) -> tuple[Any, dict[str, float], float | None]:
    """Table of units, figures where the truth is given, and the horizon of the risk."""
    if prognosis is None:
        from neurolatent.recipe.decoding import decoded_table, decodes, decoding_figures
        from neurolatent.recipe.figures import given_units_figures

        if decodes(fitted):
            return decoded_table(fitted, recording), decoding_figures(fitted, recording), None
        return _fleet(fitted, recording), given_units_figures(fitted, recording), None
    from neurolatent.prognostics.measures import flat_figures, on_running
    from neurolatent.prognostics.risk import default_horizon, risk_table
    from neurolatent.recipe.lives import horizon_of

    asked = horizon_of(recipe.section("prognosis")) if horizon is None else horizon
    chosen = default_horizon(prognosis) if asked is None else asked
    figures = flat_figures(on_running(prognosis, recording)) if "remaining" in recording.sequences else {}
    return risk_table(prognosis, recording, chosen), figures, chosen


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, or one recipe.", metavar="RUN...|RECIPE")],
    data: Annotated[Path | None, typer.Option("--data", help="Data that none of the runs has seen.")] = None,
    over: Annotated[
        list[str] | None, typer.Option("--over", help="Candidates of a recipe, such as model.n_states=1..5.")
    ] = None,
    out: Out = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is in --out already.")] = False,
    as_json: Json = False,
    cache: Annotated[bool, typer.Option(help="Keep compiled programs on disk.")] = True,
) -> int:
    """Rank runs by data that they have not seen, or choose among candidates of one recipe by cross-validation."""
    _start_up(cache)
    if len(runs) == 1 and runs[0].is_file():
        return _choose(runs[0], over or [], out, force=force, as_json=as_json)
    if over:
        raise InputError("--over makes candidates of one recipe; runs are ranked as they are")
    from neurolatent.comparison import compare as compare_fits
    from neurolatent.recipe.folder import new_recording, open_run

    opened = {str(folder): open_run(folder) for folder in runs}
    recording = None if data is None else new_recording(next(iter(opened.values()))[1], data, None)
    table = compare_fits({name: fitted for name, (fitted, _) in opened.items()}, recording)
    if as_json:
        _print_json({"ranking": table.to_dict("records")})
    else:
        print(table.to_string(index=False))
    return DONE


def _choose(path: Path, over: list[str], out: Path | None, *, force: bool, as_json: bool) -> int:
    import time

    from neurolatent.recipe import parse_over, read_recipe
    from neurolatent.recipe.choose import choose, write_choice
    from neurolatent.recipe.folder import run_folder, to_json, write_text
    from neurolatent.report.choice import write_choice_report
    from neurolatent.result.build import versions

    begin, recipe = time.perf_counter(), read_recipe(path)
    folder = run_folder(out, f"{recipe.name}-compare", resume=False, force=force)
    if recipe.section("model").get("name") == "dkf":
        return _choose_decoder(recipe, parse_over(over), folder, as_json=as_json)
    choice = choose(recipe, parse_over(over), quiet=not sys.stderr.isatty())
    paths = write_choice(folder, recipe, choice)
    page = write_choice_report(choice, folder / "report.html", recipe=recipe.to_toml(), cards=recipe.cards)
    paths |= {"report": str(page), "summary": str(folder / "summary.json")}
    result = {"figures": choice.figures(), "chosen": choice.chosen, "words": choice.words(), "paths": paths}
    result |= {"interrupted": not choice.is_whole, "table": choice.table.to_dict("records")}
    result |= {"seconds": {"run": time.perf_counter() - begin}, "versions": versions(), "seed": recipe.seed}
    write_text(folder / "summary.json", to_json(result))
    if as_json:
        _print_json(result)
    else:
        print(choice.table.to_string(index=False))
        print("\n".join([*choice.words(), f"report: {page}"]))
    return DONE if choice.is_whole else KEPT


def _choose_decoder(recipe: Any, grids: dict[str, Any], folder: Path, *, as_json: bool) -> int:
    import time

    from neurolatent.recipe.decoders import compare_decoders, figures_of_candidates
    from neurolatent.recipe.folder import clean, to_json, write_text
    from neurolatent.report.decoders import write_decoder_report
    from neurolatent.result.build import versions

    begin = time.perf_counter()
    table = compare_decoders(recipe, grids, quiet=not sys.stderr.isatty())
    clean(folder)
    paths = {"recipe": str(write_text(folder / "recipe.toml", recipe.to_toml()))}
    paths["comparison"] = str(write_text(folder / "comparison.csv", table.to_csv(index=False)))
    title = f"Which decoder for {recipe.name}?"
    page = write_decoder_report(table, folder / "report.html", title=title, recipe=recipe.to_toml(), cards=recipe.cards)
    paths |= {"report": str(page), "summary": str(folder / "summary.json")}
    result = {"figures": figures_of_candidates(table), "chosen": table.iloc[0]["candidate"], "paths": paths}
    result |= {"table": table.to_dict("records"), "seconds": {"run": time.perf_counter() - begin}}
    result |= {"versions": versions(), "seed": recipe.seed}
    write_text(folder / "summary.json", to_json(result))
    if as_json:
        _print_json(result)
    else:
        print(table.to_string(index=False))
        print(f"report: {page}")
    return DONE


@app.command()
def simulate(
    run_folder: RunFolder,
    out: Annotated[Path, typer.Option("--out", help="The recording to write (netCDF).")],
    sequences: Annotated[int, typer.Option(min=1)] = 10,
    length: Annotated[int, typer.Option(min=2)] = 200,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Json = False,
) -> int:
    """Draw a recording from a fitted model, with its true states."""
    from neurolatent.recipe.folder import open_run, refuse_unwritable

    refuse_unwritable(out.absolute().parent)
    fitted, _ = open_run(run_folder)
    fitted.simulate([length] * sequences, seed=seed).save(out)
    if as_json:
        _print_json({"paths": {"recording": str(out)}, "seed": seed, "versions": fitted.versions})
    else:
        print(f"recording: {out}")
    return DONE


@app.command()
def describe(
    data: Annotated[Path, typer.Argument(help="A data file.", metavar="DATA")],
    format: Annotated[
        str | None, typer.Option("--format", help="csv, parquet, npz, netcdf, cmapss, nwb or spikes.")
    ] = None,
    sequence: Annotated[str | None, typer.Option("--sequence", help="Column that names the sequence.")] = None,
    clock: Annotated[str | None, typer.Option("--clock", help="Column with the clock time.")] = None,
    bin_width: Annotated[float | None, typer.Option("--bin-width", help="Width of a bin (NWB, spike times).")] = None,
    as_json: Json = False,
) -> int:
    """Say what is in a data file and what of it is left unread, and how the models will see it."""
    from neurolatent.loaders import describe as describe_file

    given = {"sequence": sequence, "clock": clock, "bin_width": bin_width}
    options = {key: value for key, value in given.items() if value is not None}
    description = describe_file(data, format=format, **options)
    if as_json:
        _print_json(description.facts())
    else:
        print(description)
    return DONE


@app.command()
def cite(model: Annotated[str, typer.Argument(help="Name of a model, as in recipes.")], as_json: Json = False) -> int:
    """Print what to cite for a model."""
    from neurolatent.checks import did_you_mean
    from neurolatent.models.citations import CITATIONS, PACKAGE

    if model.lower() not in CITATIONS:
        raise InputError(f"no model {model!r}. {did_you_mean(model.lower(), CITATIONS)}")
    references = [*CITATIONS[model.lower()], PACKAGE]
    if as_json:
        _print_json({"citations": references})
    else:
        print("\n".join(references))
    return DONE
