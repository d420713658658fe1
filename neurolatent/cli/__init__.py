"""The command line: parse, call, print. Heavy imports stand inside the commands, so that --help is quick."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from neurolatent._version import __version__
from neurolatent.checks import InputError
from neurolatent.cli.status import DONE, FAILED, INTERRUPTED, KEPT, REFUSED, print_json
from neurolatent.locate import given_file

app = typer.Typer(
    name="neurolatent",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich alone would cost a quarter of a second
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Latent structure of recordings, with honest uncertainty: fit, check, report, predict.",
)

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
        print_json({"error": message})
    return REFUSED


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
    """Look for garbage more seldom, and keep compiled programs on disk, unless the user chose a place or none."""
    import gc
    import os

    import platformdirs

    gc.set_threshold(50_000, 20, 20)  # imports and tracing make many objects that stay: a third of a second saved

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
    quick: Annotated[bool, typer.Option("--quick", help="The shorter run of the recipe's [quick].")] = False,
    as_json: Json = False,
    cache: Annotated[bool, typer.Option(help="Keep compiled programs on disk.")] = True,
) -> int:
    """Fit what a recipe describes, check it, and write a report."""
    _start_up(cache)
    from neurolatent.cli.runs import fit_one, fit_sweep
    from neurolatent.recipe import parse_over, read_recipe
    from neurolatent.recipe.folder import run_folder

    recipe_read = read_recipe(recipe)
    recipe_read = recipe_read.quick() if quick else recipe_read
    grids = {**recipe_read.section("sweep"), **parse_over(over or [])}
    if resume and (out is None or grids):
        raise InputError(
            "--resume continues one fit in the folder that --out names; a sweep starts afresh with --force"
        )
    folder = run_folder(out, recipe_read.name, resume=resume, force=force)
    if grids:
        return fit_sweep(recipe_read, grids, folder, as_json=as_json)
    return fit_one(recipe_read, folder, resume=resume, as_json=as_json)


@app.command()
def check(run_folder: RunFolder, as_json: Json = False) -> int:
    """Say whether a run's fit is to be believed; the exit status is 0 only when no row fails."""
    from neurolatent.diagnostics import check as check_fit
    from neurolatent.recipe.folder import open_whole, verdict_summary
    from neurolatent.recipe.lives import checks_of

    fitted, prognosis, _ = open_whole(run_folder)
    diagnosis = check_fit(fitted).joined(checks_of(prognosis))
    if as_json:
        print_json({**verdict_summary(diagnosis), "versions": fitted.versions, "seed": fitted.seed})
    else:
        print(diagnosis)
    return DONE if diagnosis.passed else FAILED


@app.command()
def report(run_folder: RunFolder, as_json: Json = False) -> int:
    """Write the report of a run again."""
    import pandas as pd

    from neurolatent.cli.runs import outlook_of, write_page
    from neurolatent.recipe.folder import open_choice, open_entries, open_whole, shown_recording
    from neurolatent.recipe.lives import horizon_of, measured

    fitted, prognosis, recipe = open_whole(run_folder)
    comparison = run_folder / "comparison.csv"
    table = pd.read_csv(comparison) if comparison.is_file() else None
    shown = shown_recording(recipe)
    horizon = horizon_of(recipe.section("prognosis"))
    ahead = outlook_of(None if prognosis is None else measured(prognosis, horizon, shown))
    held_out: dict[str, Any] = {"choice": open_choice(run_folder), "entries": open_entries(run_folder)}
    path = write_page(run_folder, fitted, recipe, shown, comparison=table, **held_out, **ahead)
    if as_json:
        print_json({"paths": {"report": str(path)}, "versions": fitted.versions, "seed": fitted.seed})
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
    """The state of each unit of new data, by risk where there is a prognosis; or the signal told bin by bin."""
    data, outcomes = given_file(data), None if outcomes is None else given_file(outcomes)
    _start_up(cache)
    import time

    begin = time.perf_counter()
    from neurolatent.cli.runs import predicted
    from neurolatent.recipe.folder import new_recording, open_whole, refuse_unwritable, write_table

    if out is not None:
        refuse_unwritable(out.absolute().parent)
    fitted, prognosis, recipe = open_whole(run_folder)
    if prognosis is None and horizon is not None:
        raise InputError(f"--horizon needs a prognosis, and {run_folder} has none. Add [prognosis] to its recipe.")
    recording = new_recording(recipe, data, outcomes)
    table, figures, chosen = predicted(fitted, prognosis, recipe, recording, horizon)
    paths = {} if out is None else {"table": str(write_table(out, table))}
    if as_json:
        seconds = {"run": time.perf_counter() - begin}
        facts = {"seed": fitted.seed, "versions": fitted.versions, "seconds": seconds, "paths": paths}
        print_json({"figures": figures, "horizon": chosen, "units": table.to_dict("records"), **facts})
    else:
        print(table.to_string(index=False))
        for name, value in figures.items():
            print(f"  {name:<45} {value:.6g}")
    return DONE


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
    data = None if data is None else given_file(data)
    _start_up(cache)
    from neurolatent.cli.candidates import choose

    if len(runs) == 1 and runs[0].is_file():
        return choose(runs[0], over or [], out, force=force, as_json=as_json)
    if over:
        raise InputError("--over makes candidates of one recipe; runs are ranked as they are")
    from neurolatent.comparison import compare as compare_fits
    from neurolatent.recipe.folder import new_recording, open_run

    opened = {str(folder): open_run(folder) for folder in runs}
    recording = None if data is None else new_recording(next(iter(opened.values()))[1], data, None)
    table = compare_fits({name: fitted for name, (fitted, _) in opened.items()}, recording)
    if as_json:
        print_json({"ranking": table.to_dict("records")})
    else:
        print(table.to_string(index=False))
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
        print_json({"paths": {"recording": str(out)}, "seed": seed, "versions": fitted.versions})
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
    data = given_file(data)
    from neurolatent.loaders import describe as describe_file

    given = {"sequence": sequence, "clock": clock, "bin_width": bin_width}
    options = {key: value for key, value in given.items() if value is not None}
    description = describe_file(data, format=format, **options)
    if as_json:
        print_json(description.facts())
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
        print_json({"citations": references})
    else:
        print("\n".join(references))
    return DONE
