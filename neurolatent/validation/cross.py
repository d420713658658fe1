"""Cross-validation: every candidate learns each training part anew and is asked for what it has not seen."""

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neurolatent.checks import InputError
from neurolatent.choices import Engine
from neurolatent.fitting import fit
from neurolatent.preparation import PreparationWarning, Step, prepare, replay
from neurolatent.recording import Knowledge, Recording
from neurolatent.result import Fit
from neurolatent.validation.baseline import BY_KIND, amounts, baseline_scores
from neurolatent.validation.choice import Choice, facts_of_fit
from neurolatent.validation.folds import Fold, Folds, folds_of, hidden, seen_in, training_part


class Candidate(NamedTuple):
    """What competes: a model and how it is learned."""

    model: Any
    engine: Engine | None = None


@dataclass(frozen=True, eq=False)
class Splits:
    """A recording cut for all candidates alike.

    Attributes:
        prepared: Per fold the whole recording after the preparation that its training part has taught.
        skipped: Samples at the start of each sequence that no score counts, so that all orders score the same ones.
    """

    folds: Sequence[Fold]
    prepared: Sequence[Recording]
    signal: str
    skipped: int
    seed: int


def cross_validate(
    candidates: Mapping[str, Candidate],
    recording: Any,
    prepare: Sequence[Step] = (),
    *,
    folds: Folds | None = None,
    seed: int = 0,
    quiet: bool = True,
) -> Choice:
    """Candidates side by side on data that they have not seen, and one that is recommended.

    Each candidate is fitted to all data, and to the training part of every fold, where the preparation is learned anew.
    A held-out sequence is scored by its log evidence; a held-out block of time by its log evidence given the rest of
    its sequence, with parameters that have not seen it.

    Args:
        candidates: By name, from simple to elaborate or in any order.
        recording: Whatever :meth:`Recording.of` takes.
        prepare: Steps that learn from the training part.
        folds: How sequences are held out; None for five random folds.
        seed: Of folds and fits.
        quiet: False tells on standard error which candidate is being fitted.

    Raises:
        InputError: Fewer than one candidate, candidates that model different signals, folds that cannot be made, or
            training parts of which a model cannot learn.
    """
    recording = Recording.of(recording)
    splits = split(recording, prepare, [c.model for c in candidates.values()], folds or Folds(), seed)
    tables, fits = [], {}
    for name, candidate in candidates.items():
        if not quiet:
            print(f"{len(fits) + 1} of {len(candidates)}: {name}", file=sys.stderr)
        try:
            whole = fit(candidate.model, recording, prepare, candidate.engine, seed)
            table = held_out_scores(candidate, splits)
        except KeyboardInterrupt:
            break
        if whole.interrupted:
            break
        fits[name] = whole
        tables.append(table.assign(candidate=name))
    if not fits:
        raise KeyboardInterrupt
    return choice_of(tables, fits, is_whole=len(fits) == len(candidates))


def choice_of(tables: Sequence[pd.DataFrame], fits: Mapping[str, Fit], *, is_whole: bool = True) -> Choice:
    """The choice between fits to all data by their held-out scores."""
    facts = pd.DataFrame([facts_of_fit(name, fitted) for name, fitted in fits.items()])
    return Choice(pd.concat(tables, ignore_index=True), facts, fits, is_whole)


def split(recording: Recording, steps: Sequence[Step], models: Sequence[Any], wanted: Folds, seed: int) -> Splits:
    """The recording cut into folds, with the preparation of each."""
    if not models:
        raise InputError("cross-validation needs at least one candidate")
    folds = folds_of(recording, wanted, seed, max(model.reach for model in models))
    prepared = [_prepared(recording, steps, fold) for fold in folds]
    signals = {model.signal_of(prepared[0]) for model in models}
    if len(signals) > 1:
        raise InputError(f"the candidates model different signals ({sorted(signals)}), so that no score compares them")
    (signal,) = signals
    names = [p.signal(signal).names for p in prepared]
    if any(other != names[0] for other in names):
        raise InputError(
            f"{recording.title}: the folds are left with different channels of {signal!r}, so that their scores do not "
            "add up. Choose the channels beforehand, as in [data], instead of in the preparation."
        )
    return Splits(folds, prepared, signal, max(model.skipped for model in models), seed)


def _prepared(recording: Recording, steps: Sequence[Step], fold: Fold) -> Recording:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PreparationWarning)  # the fit to all data has told it
        _, learned = prepare(seen_in(recording, fold), steps)
    return replay(recording, steps, learned).recording


def held_out_scores(candidate: Candidate, splits: Splits) -> pd.DataFrame:
    """One row per held-out sequence, or block of one.

    Columns: ``fold``, ``sequence``, ``log_score`` and ``baseline`` (nats), ``amount`` of the ``unit`` in which bits are
    counted, ``values`` (single entries observed), ``converged``.

    Raises:
        KeyboardInterrupt: A fit was interrupted.
    """
    size = max(p.n_sequences - len(f.whole) for f, p in zip(splits.folds, splits.prepared, strict=True))
    tables = []
    for number, (fold, prepared) in enumerate(zip(splits.folds, splits.prepared, strict=True)):
        train = training_part(prepared, splits.signal, fold, size)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PreparationWarning)
            fitted = fit(candidate.model, train, (), candidate.engine, splits.seed + number)
        if fitted.interrupted:
            raise KeyboardInterrupt
        tables.append(_scores(fitted, replace(prepared, knowledge=Knowledge()), fold, splits))
    return pd.concat(tables, ignore_index=True)


def _scores(fitted: Fit, prepared: Recording, fold: Fold, splits: Splits) -> pd.DataFrame:
    """Held-out scores of one fold; ``fitted`` has not seen its held-out samples."""
    blind = hidden(prepared, [splits.signal], fold.held, fold.guard)
    prepared = hidden(prepared, [splits.signal], fold.guard)
    surplus = splits.skipped - fitted.model.skipped
    score = fitted.score(_counted(prepared, surplus, splits.skipped))
    rest = fitted.score(_counted(blind, surplus, splits.skipped)) if fold.held.keys() - fold.whole else 0 * score
    gain = dict(zip(map(str, score["sequence"].values), (score - rest).values, strict=True))
    facts = _without_model(prepared, blind, splits)
    rows = [
        {"fold": fold.name, "sequence": name, "log_score": float(gain[name]), **facts[name]}
        for name in fold.held
        if name in gain and name in facts
    ]
    if not rows:
        raise InputError(f"{prepared.title}: fold {fold.name} has no sequence that can be scored. Lower folds.")
    unit = BY_KIND.get(prepared.signal(splits.signal).kind, BY_KIND["continuous"]).unit
    return pd.DataFrame(rows).assign(unit=unit, converged=fitted.converged)


def _counted(recording: Recording, surplus: int, skipped: int) -> Recording:
    """The samples that candidates of every order score."""
    if not surplus:
        return recording
    return recording.take(np.asarray(recording.ids)[recording.lengths > skipped]).cut(surplus)


def _without_model(prepared: Recording, blind: Recording, splits: Splits) -> dict[str, dict[str, float]]:
    """Per sequence what the baseline says of what was held out, and how much there is of it."""
    signal = prepared.signal(splits.signal)
    train = np.asarray(blind.signal(splits.signal).observed.reshape(prepared.n_samples, -1).any(axis=1))
    counted = _scored_rows(prepared, splits) & ~_scored_rows(blind, splits)
    nats, amount = baseline_scores(signal, train, counted), amounts(signal, counted)
    values = (signal.observed.reshape(len(counted), -1) & counted[:, None]).sum(axis=1)
    columns = {"baseline": nats, "amount": amount, "values": values}
    return {
        name: {column: float(each[part].sum()) for column, each in columns.items()}
        for name, part in zip(prepared.ids, prepared.slices(), strict=True)
    }


def _scored_rows(recording: Recording, splits: Splits) -> np.ndarray:
    """(samples,) whether a sample is scored: those that a model conditions on, and those after a gap, are not."""
    known = recording.signal(splits.signal).observed.reshape(recording.n_samples, -1)
    out = np.asarray(known.any(axis=1))
    for part in recording.slices():
        whole = np.asarray(known[part].all(axis=1))
        for lag in range(1, splits.skipped + 1):
            out[part][lag:] &= whole[:-lag]
            out[part][:lag] = False
    return out
