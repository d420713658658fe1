"""What is held out in each fold: whole sequences, or blocks of time where there are fewer sequences than folds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool

from neurolatent.checks import InputError, did_you_mean, place, whole_number
from neurolatent.recording import Recording


@dataclass(frozen=True)
class Folds:
    """How sequences are held out: each sample once.

    Attributes:
        folds: How many, or the column of the table of sequences that names the fold of each.
        contiguous: Hold out neighbouring sequences together, where these follow each other in time; else at random.
    """

    folds: int | str = 5
    contiguous: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.folds, str):
            whole_number("folds", self.folds, 2)
        elif self.contiguous:
            raise InputError(f"folds={self.folds!r} names the fold of each sequence, so leave contiguous out")


class Fold(NamedTuple):
    """One fold."""

    name: str
    held: Mapping[str, Bool[np.ndarray, " time"]]  # id of each sequence that is touched: its held-out samples
    guard: Mapping[str, Bool[np.ndarray, " time"]] = MappingProxyType({})  # samples that neither side is shown

    @property
    def whole(self) -> set[str]:
        """Ids of the sequences that are held out from their first to their last sample."""
        return {name for name, held in self.held.items() if held.all()}


def folds_of(recording: Recording, wanted: Folds, seed: int, reach: int = 0) -> list[Fold]:
    """The folds of a recording.

    Args:
        reach: How many samples a model is moved by one of them: so many after a block of time are shown to no side.

    Raises:
        InputError: No such column, a sequence without a fold, a single fold, sequences shorter than the folds.
    """
    if isinstance(wanted.folds, str):
        return _by_column(recording, wanted.folds)
    if recording.n_sequences < wanted.folds:
        return _blocks_of_time(recording, wanted.folds, reach)
    order = np.arange(recording.n_sequences)
    if not wanted.contiguous:
        order = np.random.default_rng(seed).permutation(order)
    parts = [np.sort(part) for part in np.array_split(order, wanted.folds)]
    return [_of_sequences(recording, str(n), part) for n, part in enumerate(parts, 1)]


def _of_sequences(recording: Recording, name: str, numbers: np.ndarray) -> Fold:
    return Fold(name, {recording.ids[n]: np.ones(int(recording.lengths[n]), bool) for n in numbers})


def _by_column(recording: Recording, column: str) -> list[Fold]:
    if column not in recording.sequences:
        known = did_you_mean(column, [str(c) for c in recording.sequences.columns])
        raise InputError(f"{recording.title}: no column {column!r} in the table of sequences for the folds. {known}")
    values = recording.sequences[column]
    empty = np.flatnonzero(pd.isna(values))
    if len(empty):
        where = place(recording.title, f"sequence {recording.ids[empty[0]]}")
        raise InputError(f"{where}: no fold stands in the column {column!r}. Give it one, or leave the sequence out.")
    names = sorted(values.unique().tolist())
    if len(names) < 2:
        raise InputError(f"{recording.title}: the column {column!r} names one fold ({names[0]!r}); two are needed")
    return [_of_sequences(recording, str(name), np.flatnonzero(values == name)) for name in names]


def _blocks_of_time(recording: Recording, count: int, reach: int) -> list[Fold]:
    """Block n of every sequence, of so many of equal length, makes fold n."""
    short = np.flatnonzero(recording.lengths < 2 * count)
    if len(short):
        raise InputError(
            f"{place(recording.title, f'sequence {recording.ids[short[0]]}')}: {recording.lengths[short[0]]} samples "
            f"are too few for {count} blocks of time. Lower folds."
        )
    out = []
    for number in range(count):
        held, guard = {}, {}
        for name, length in zip(recording.ids, recording.lengths, strict=True):
            at, edges = np.arange(length), np.linspace(0, length, count + 1).astype(int)
            held[name] = (at >= edges[number]) & (at < edges[number + 1])
            guard[name] = (at >= edges[number + 1]) & (at < edges[number + 1] + reach)
        out.append(Fold(str(number + 1), held, guard))
    return out


def hidden(recording: Recording, signals: Iterable[str], *masks: Mapping[str, np.ndarray]) -> Recording:
    """The recording with these samples of these signals not observed; a mask is by sequence."""
    keep = np.ones(recording.n_samples, bool)
    for name, part in zip(recording.ids, recording.slices(), strict=True):
        for mask in masks:
            if name in mask:
                keep[part] &= ~mask[name]
    for name in signals:
        signal = recording.signal(name)
        shown = signal.masked(keep.reshape(-1, *(1,) * (signal.values.ndim - 1)))
        recording = recording.with_signal(name, shown)
    return recording


def seen_in(recording: Recording, fold: Fold) -> Recording:
    """What a fold may learn a preparation from: its held-out sequences gone, its held-out blocks not observed."""
    kept = recording.take([name for name in recording.ids if name not in fold.whole])
    return hidden(kept, kept.signals, fold.held, fold.guard)


def training_part(prepared: Recording, signal: str, fold: Fold, size: int) -> Recording:
    """What a fold's fit is shown: ``size`` sequences, so that one compiled program serves all folds.

    Where a fold trains on fewer, held-out sequences fill it up of which nothing is observed: these add nothing to the
    evidence (a law of every model), so that its maximum stays where it is. With knowledge of the states it is left at
    fewer, since that would speak of them.
    """
    blind = hidden(prepared, [signal], fold.held, fold.guard)
    kept = [name for name in prepared.ids if name not in fold.whole]
    spare = [name for name in prepared.ids if name in fold.whole] if prepared.knowledge.is_empty else []
    return blind.take([*kept, *spare[: max(size - len(kept), 0)]])
