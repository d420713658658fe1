"""A recipe is carried out: data, fit, diagnosis, figures on held-out data, comparison with other beliefs, sweeps."""

import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.choices import Run
from neurolatent.comparison import Sweep
from neurolatent.diagnostics import Diagnosis, check
from neurolatent.fitting import fit, fit_beside
from neurolatent.models.protocols import HasBound, TrainsBeside
from neurolatent.preparation import PreparationWarning, prepare, replay
from neurolatent.prognostics.assess import assess_units, unit_figures
from neurolatent.prognostics.checks import check_prognosis
from neurolatent.prognostics.out_of_fold import Shared
from neurolatent.prognostics.prognosis import prognose
from neurolatent.recipe.clusters import cluster_figures, entry_figures, hidden_scores
from neurolatent.recipe.decoding import decodes, methods_beside
from neurolatent.recipe.experiments import exact_beside
from neurolatent.recipe.figures import forecast_figures, given_units_figures, state_figures
from neurolatent.recipe.held_out import cross_validated, name_of
from neurolatent.recipe.latents import fits_beside, trial_figures
from neurolatent.recipe.lives import Lives, lives_of, with_arm
from neurolatent.recipe.network import network_figures, network_of
from neurolatent.recipe.patterns import foreseen_beside, foreseen_figures, generated_figures, pattern_figures
from neurolatent.recipe.plan import Plan, parts_of, plan_of, unknowing
from neurolatent.recipe.read import Recipe, grid
from neurolatent.recording import Recording
from neurolatent.result import Fit
from neurolatent.result.settings import encode, to_json
from neurolatent.validation import Choice, EntryScores

AS_WRITTEN = "as written"  # the arm that is the recipe itself
MOST_FITS = 20  # of a sweep are kept in memory
PLAIN = (bool, int, float, str)  # values of a grid that stand in its table as they are


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a recipe."""

    recipe: Recipe
    recording: Recording
    fit: Fit
    diagnosis: Diagnosis
    figures: dict[str, float]
    comparison: pd.DataFrame | None = None  # one row per arm; beside a figure x stand x_low and x_high
    test: Recording | None = None
    lives: Lives | None = None
    choice: Choice | None = None  # held-out scores of the model, and of itself with one state
    entries: EntryScores | None = None  # of the entries that were hidden from the fit
    seconds: dict[str, float] = field(default_factory=dict)
    interrupted: bool = False  # in the fit, or in what is measured after it

    def expectations(self) -> list[dict[str, Any]]:
        """The figures of the section ``expect``, each with its range and whether it lies inside.

        Raises:
            InputError: A figure that a finished run does not have.
        """
        return self.recipe.expectations(self.figures, is_whole=not self.interrupted)


def run_recipe(recipe: Recipe, run: Run | None = None, fitted: Fit | None = None) -> Outcome:
    """Fit what a recipe describes (or take what was fitted), check it, and measure it on held-out data.

    Ctrl-C ends the fit, or what is measured after it, and leaves what there is, marked as interrupted.

    Raises:
        InputError: Anything in the recipe or its data that is refused; nothing has been written then.
    """
    begin = time.perf_counter()
    plan = plan_of(recipe)
    parts = plan.parts
    if fitted is None:
        fitted = fit(parts.model, parts.recording, parts.steps, parts.engine, recipe.seed, run=run)
    fitted_at = time.perf_counter()
    figures, comparison, lives, choice = training_figures(fitted), None, None, None
    figures |= cluster_figures(fitted, parts.recording)
    entries = hidden_scores(fitted, parts.whole, parts.recording)
    figures |= entry_figures(entries, recipe.seed)
    interrupted = fitted.interrupted
    if not interrupted:
        try:
            comparison = _cross_validated(plan, recipe.seed) if plan.splits else None
            figures |= pattern_figures(fitted) | generated_figures(fitted, plan.simulated, recipe.seed)
            figures |= _flat(comparison) | _test_figures(plan, fitted, recipe.seed)
            if plan.test is not None and decodes(fitted):
                known = exact_beside(plan.simulated, plan.test)
                comparison, decoded = methods_beside(
                    fitted, _method(recipe), plan.arms, plan.test, parts.steps, recipe.seed, known
                )
                figures |= decoded
            if plan.test is not None and isinstance(fitted.model, HasBound):
                comparison, beside = fits_beside(
                    fitted, plan.arms, parts.recording, plan.test, parts.steps, recipe.seed
                )
                figures |= beside
                also, beside = foreseen_beside(
                    fitted, plan.arms, parts.recording, plan.test, plan.assessment, parts.steps, recipe.seed
                )
                comparison, figures = comparison if also is None else also, figures | beside
            lives = _lives(plan, fitted, recipe.seed)
            figures |= {} if lives is None else lives.figures()
            if plan.folds and not decodes(fitted):  # decoders have no one-state version; compare takes their folds
                choice = cross_validated(parts, fitted, plan.folds, recipe.seed)
            figures |= {} if choice is None else choice.figures_of(name_of(parts.model))
        except KeyboardInterrupt:
            interrupted = True
    seconds = {**fitted.seconds, "fit": fitted_at - begin, "assess": time.perf_counter() - fitted_at}
    diagnosis = check(fitted)
    if lives is not None:
        diagnosis = diagnosis.joined(check_prognosis(lives.prognosis, lives.held))
    measured = (comparison, plan.test, lives, choice, entries)
    return Outcome(recipe, parts.recording, fitted, diagnosis, figures, *measured, seconds, interrupted)


def _method(recipe: Recipe) -> str:
    """Words for the recipe's own method beside its arms."""
    regressor = recipe.section("model").get("regressor", AS_WRITTEN)
    return str(regressor["name"] if isinstance(regressor, dict) else regressor)


def _lives(plan: Plan, fitted: Fit, seed: int) -> Lives | None:
    """The prognosis of the recipe, with the lines of its arms beside its own."""
    if plan.ahead is None:
        return None
    shared: Shared = {}
    lives = lives_of(plan.ahead, fitted, plan.parts.recording, plan.test, seed=seed, shared=shared)
    for name, arm in plan.arms.items():
        other = fit(arm.model, arm.recording, plan.parts.steps, arm.engine, seed)
        if other.interrupted:
            raise KeyboardInterrupt
        prognosis = prognose(other, arm.recording, plan.ahead.settings, seed=seed, shared=shared)
        lives = with_arm(lives, name, prognosis, plan.test)
    return lives


def training_figures(fitted: Fit) -> dict[str, float]:
    """Weighted log likelihood of the training recording, and what the engine did."""
    groups: Any = fitted.idata
    figures = {"loglik": float(groups["latents"]["log_evidence"].values.sum())}
    trace = groups["trace"]
    if "objective" in trace:
        own = trace["objective"].values[int(trace["best"])]
        figures["iterations"] = float(np.isfinite(own).sum())
    if fitted.draws is not None and "diverging" in groups["sample_stats"]:
        figures["divergences"] = float(groups["sample_stats"]["diverging"].values.sum())
    return figures


def _test_figures(plan: Plan, fitted: Fit, seed: int) -> dict[str, float]:
    if plan.test is None or decodes(fitted):
        return {}
    figures = {} if isinstance(fitted.model, HasBound) else state_figures(fitted, plan.test)
    figures |= given_units_figures(fitted, plan.test)
    network = network_of(plan.simulated, "[data.simulate]")
    if network is not None:
        figures |= network_figures(fitted, plan.parts.recording, plan.test, network)
    figures |= trial_figures(fitted, plan.parts.recording, plan.test)
    figures |= foreseen_figures(fitted, plan.parts.recording, plan.test, plan.assessment, seed)
    if plan.assessment.horizon:
        figures |= forecast_figures(fitted, plan.test, plan.assessment.horizon, seed)
    return figures


def _cross_validated(plan: Plan, seed: int) -> pd.DataFrame:
    """Figures of every arm on units held out once each; the preparation is learned anew in every fold.

    Every fold's fit is shown the whole recording, of which only its held-out units are counted: so all have one shape,
    and one compiled program serves them.
    """
    steps, arms = plan.parts.steps, {AS_WRITTEN: plan.parts, **plan.arms}
    rows: dict[str, list[pd.DataFrame]] = {name: [] for name in arms}
    for number, (train, held) in enumerate(plan.splits, seed):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PreparationWarning)  # the fit to all units has told it
            applied, learned = prepare(train, steps)
        seen = replay(unknowing(plan.parts.recording), steps, learned).recording
        for name, arm in arms.items():
            known = arm.recording.take(applied.recording.ids).knowledge
            fitted = fit(arm.model, replace(applied.recording, knowledge=known), (), arm.engine, number)
            if fitted.interrupted:
                raise KeyboardInterrupt
            rows[name].append(assess_units(fitted, seen, plan.assessment.edges, seed=number, units=held.ids))
    tables = {name: pd.concat(parts, ignore_index=True) for name, parts in rows.items()}
    return pd.DataFrame([{"arm": name, **_wide(table, seed)} for name, table in tables.items()])


def _wide(units: pd.DataFrame, seed: int) -> dict[str, float]:
    """Each figure x, with its interval under x_low and x_high."""
    out: dict[str, float] = {}
    for name, figure in unit_figures(units, seed=seed).items():
        out |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return out


def _flat(comparison: pd.DataFrame | None) -> dict[str, float]:
    """Figures by flat names: those of the recipe itself bare, the others with their arm before them."""
    figures: dict[str, float] = {}
    for row in [] if comparison is None else comparison.to_dict("records"):
        prefix = "" if row["arm"] == AS_WRITTEN else f"{row['arm']}."
        figures |= {f"{prefix}{k}": v for k, v in row.items() if k != "arm" and not k.endswith(("_low", "_high"))}
    return figures


def run_sweep(recipe: Recipe, grids: Mapping[str, Any], quiet: bool = True) -> Sweep:
    """The figures of a recipe at every point of a grid; the fits are kept where there are at most twenty.

    Ctrl-C ends it after the points that are done.
    """
    points, figures, fits = [], [], []
    whole = grid(recipe, grids)
    ready = fitted_beside([varied for _, varied in whole], quiet=quiet)
    for (point, varied), fitted in zip(whole, ready, strict=True):
        if not quiet:
            print(f"{len(points) + 1} of {len(whole)}: {point}", file=sys.stderr)
        try:
            outcome = run_recipe(varied, fitted=fitted)
        except KeyboardInterrupt:
            break
        if outcome.interrupted:
            break
        points.append({key: value if isinstance(value, PLAIN) else str(value) for key, value in point.items()})
        figures.append({**outcome.figures, "converged": float(outcome.fit.converged)})
        fits += [outcome.fit] if len(whole) <= MOST_FITS else []
    return Sweep(tuple(points), tuple(figures), tuple(fits))


def fitted_beside(recipes: Sequence[Recipe], *, quiet: bool) -> Sequence[Fit | None]:
    """The fits of recipes whose models train side by side on the same data; else nothing of each."""
    none = [None] * len(recipes)
    if len(recipes) < 2:
        return none
    parts = [parts_of(recipe) for recipe in recipes]
    models = [part.model for part in parts]
    if not all(isinstance(model, TrainsBeside) for model in models):
        return none
    shared = {(to_json(encode(p.model.beside())), to_json(encode(p.engine)), p.recording.fingerprint()) for p in parts}
    if len(shared) > 1 or any(part.steps != parts[0].steps for part in parts):
        return none
    seeds, first = [recipe.seed for recipe in recipes], parts[0]
    return fit_beside(models, first.recording, first.steps, first.engine, seeds, run=Run(quiet=quiet))
