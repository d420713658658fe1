"""Decoders side by side on blocks of time that none of them has seen: candidates of one recipe."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.checks import InputError
from neurolatent.fitting import fit
from neurolatent.models.protocols import HasTwoStages
from neurolatent.ops import decoding
from neurolatent.recipe.decoding import LEVEL
from neurolatent.recipe.held_out import folds_in
from neurolatent.recipe.objects import build_named
from neurolatent.recipe.plan import MODELS, parts_of
from neurolatent.recipe.read import Recipe, grid
from neurolatent.recording import Recording
from neurolatent.validation.folds import Fold, folds_of

GUARD = 1  # bins after a held-out block that no side is shown


def is_of_decoder(recipe: Recipe) -> bool:
    """Whether the model of a recipe decodes a signal, instead of finding states."""
    model = build_named(recipe.section("model"), MODELS, f"{recipe.name}: [model]")
    return isinstance(model, HasTwoStages)


def compare_decoders(recipe: Recipe, grids: Mapping[str, Any], *, quiet: bool = True) -> pd.DataFrame:
    """One row per candidate, best first: errors over the folds of [cv], with the least and the largest of the folds.

    Every fold's rows are hidden, inputs and target, while the candidate learns; then it decodes the whole and is scored
    on the hidden rows.

    Raises:
        InputError: No grid, or keys outside of [model] and [engine].
    """
    if not grids:
        raise InputError("a choice needs candidates: add --over, such as --over model.regressor=ridge,nw,gp,mlp")
    for key in grids:
        if key.partition(".")[0] not in ("model", "engine"):
            raise InputError(f"--over {key!r}: candidates differ in keys of [model] and [engine] only")
    parts = parts_of(recipe)
    folds = folds_of(parts.recording, folds_in(recipe.section("cv"), f"{recipe.name}: [cv]"), recipe.seed, GUARD)
    rows = []
    for point, varied in grid(recipe, grids):
        words = {key.rpartition(".")[2]: v.get("name", v) if isinstance(v, dict) else v for key, v in point.items()}
        name = ",".join(f"{key}={value}" for key, value in words.items())
        if not quiet:
            print(name, file=sys.stderr)
        other = parts_of(varied, parts.recording)
        scores = pd.DataFrame([_scores(other, fold, recipe.seed) for fold in folds])
        row: dict[str, Any] = {"candidate": name}
        for figure in scores.columns:
            row |= {figure: scores[figure].mean()}
            row |= {f"{figure}_low": scores[figure].min(), f"{figure}_high": scores[figure].max()}
        rows.append(row)
    return pd.DataFrame(rows).sort_values("nrmse", ignore_index=True)


def figures_of_candidates(table: pd.DataFrame) -> dict[str, float]:
    """The table by flat names, such as ``regressor=gp.nrmse``."""
    ends = ("candidate", "_low", "_high")
    return {
        f"{row['candidate']}.{key}": value
        for row in table.to_dict("records")
        for key, value in row.items()
        if not str(key).endswith(ends)
    }


def _scores(parts: Any, fold: Fold, seed: int) -> dict[str, float]:
    """Errors of one candidate on one fold."""
    held, shown = (_rows(parts.recording, fold, with_guard=asked) for asked in (False, True))
    fitted = fit(parts.model, _without(parts.recording, shown), parts.steps, parts.engine, seed)
    told, signal = fitted.predict(parts.recording), parts.recording.signal(fitted.facts["signal"])
    rows = held & signal.observed.all(axis=1)
    truth = signal.values[rows].astype(float)
    mean, cov = told["filtered_mean"].values[rows], told["filtered_cov"].values[rows]
    out = {"nrmse": decoding.nrmse(truth, mean)}
    if truth.shape[1] == 2:
        out["angle_error"] = decoding.angle_error(truth, mean)
    r2 = float(decoding.r_squared(truth, mean).mean())
    return out | {"r2": r2, "coverage95": decoding.ellipse_coverage(truth, mean, cov, LEVEL)}


def _rows(recording: Recording, fold: Fold, *, with_guard: bool) -> np.ndarray:
    """(samples,) the held-out ones, and those that are shown to no side."""
    out = np.zeros(recording.n_samples, bool)
    for name, part in zip(recording.ids, recording.slices(), strict=True):
        for rows in (fold.held, fold.guard) if with_guard else (fold.held,):
            out[part] |= rows.get(name, np.zeros(part.stop - part.start, bool))
    return out


def _without(recording: Recording, rows: np.ndarray) -> Recording:
    """With nothing observed in these samples, of any signal."""
    for name, signal in recording.signals.items():
        keep = np.broadcast_to(~rows.reshape(-1, *[1] * (signal.values.ndim - 1)), signal.values.shape)
        recording = recording.with_signal(name, signal.masked(keep))
    return recording
