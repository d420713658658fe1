"""The container that every model reads: named signals on one even clock, cut into sequences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, did_you_mean, place, within
from neurolatent.recording.bins import bin_sequences
from neurolatent.recording.cuts import block_sequences, cut_sequences, take_sequences
from neurolatent.recording.digest import describe, fingerprint
from neurolatent.recording.endings import EndOfLife, end_sequences
from neurolatent.recording.faults import refuse_faults, true_or_false
from neurolatent.recording.knowledge import Knowledge
from neurolatent.recording.limits import mask_outside
from neurolatent.recording.of import parts_of
from neurolatent.recording.parts import Parts
from neurolatent.recording.signal import Signal
from neurolatent.recording.spikes import from_spikes, take_spiking
from neurolatent.recording.store import load_parts, save_parts

Counts = int | np.integer | Sequence[int] | np.ndarray  # one number of samples, or one per sequence


@dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """Named signals, all on one even clock, cut into sequences (trials, sessions, engines, laps); immutable.

    Attributes:
        signals: Name to :class:`Signal`; every signal has the same samples, all sequences end to end.
        lengths: (sequences,) samples of each sequence.
        start: (sequences,) clock time of each sequence's first sample.
        bin_width: Clock time between two samples, in ``clock_unit``.
        clock_unit: "s", "cycle", "trial", ...
        sequences: One row per sequence; the column ``id`` names it; ``failed`` says whether it ran to failure,
            ``remaining`` holds a true remaining life in clock units, where they are known.
        knowledge: What is known of the hidden states.
        name: Where it came from; opens error messages.
        history: What was done to it, oldest first.
    """

    signals: Mapping[str, Signal]
    lengths: np.ndarray
    start: np.ndarray
    bin_width: float = 1.0
    clock_unit: str = "s"
    sequences: pd.DataFrame = field(default_factory=pd.DataFrame)
    knowledge: Knowledge = field(default_factory=Knowledge)
    name: str = ""
    history: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, kind in (("lengths", np.int64), ("start", np.float64)):
            array = np.array(getattr(self, name), kind)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        refuse_faults(self.parts)

    @classmethod
    def of(cls, data: Any, **options: Any) -> "Recording":
        """A recording from whatever holds one.

        Args:
            data: A Recording (returned as it is); an array (samples, channels) or a list of such arrays, one per
                sequence; a mapping of signal names to these; a DataFrame with one row per sample; an xarray DataArray
                or Dataset with a dimension ``time``; a pynapple TsGroup (with ``bin_width``), Tsd or TsdFrame.
            options: For arrays those of :func:`neurolatent.recording.arrays.from_arrays` (bin_width, kinds, ids, ...),
                for DataFrames those of :func:`neurolatent.recording.table.from_table` (sequence, clock, signals, ...),
                for pynapple those of :func:`neurolatent.recording.pynapple.from_pynapple` (bin_width, epochs, ...).

        Raises:
            InputError: Values that no recording can hold; the message says where.
            TypeError: An object of another kind.
        """
        if isinstance(data, cls):
            if options:
                raise InputError(
                    f"{data.title}: it is a recording already, so {', '.join(options)} would change nothing"
                )
            return data
        return cls(**parts_of(data, **options)._asdict())

    @classmethod
    def from_spikes(cls, times: Any, units: Any = None, *, bin_width: float | int, **options: Any) -> "Recording":
        """A recording of one signal ``spikes``: spike times counted in bins.

        ``times`` maps units to sorted times, or lists them, or holds all with the unit of each in ``units``; for the
        rest (epochs, observed, channels, ...) and what is refused see :func:`neurolatent.recording.spikes.from_spikes`.
        """
        return cls(**from_spikes(times, units, bin_width=bin_width, **options)._asdict())

    def save(self, path: str | Path) -> None:
        """Write everything to one netCDF file (suffix .nc), which :meth:`load` reads back exactly.

        Raises:
            InputError: A folder that does not exist or may not be written to; no file is left half written.
        """
        save_parts(self.parts, path)

    @classmethod
    def load(cls, path: str | Path) -> "Recording":
        """The recording that :meth:`save` wrote.

        Raises:
            FileNotFoundError: No such file.
            InputError: A file that holds no saved recording.
        """
        return cls(**load_parts(path)._asdict())

    # --- what it holds -------------------------------------------------------------------------------------------

    @property
    def n_sequences(self) -> int:
        """Number of sequences."""
        return len(self.lengths)

    @property
    def n_samples(self) -> int:
        """Samples of all sequences together."""
        return int(np.sum(self.lengths))

    @property
    def ids(self) -> list[str]:
        """Names of the sequences, in order."""
        return [str(i) for i in self.sequences["id"]]

    def slices(self) -> list[slice]:
        """Where each sequence lies among the samples."""
        ends = np.cumsum(self.lengths)
        return [slice(int(end - n), int(end)) for end, n in zip(ends, self.lengths, strict=True)]

    def times(self) -> list[np.ndarray]:
        """Clock times of the samples of each sequence."""
        return [s + self.bin_width * np.arange(n) for s, n in zip(self.start, self.lengths, strict=True)]

    def clock(self) -> np.ndarray:
        """(samples,) clock time of each sample within its sequence."""
        return np.concatenate(self.times())

    def signal(self, name: str) -> Signal:
        """The signal of that name, or an error with the close matches."""
        if name not in self.signals:
            raise InputError(f"{self.title}: no signal {name!r}. {did_you_mean(name, self.signals)}")
        return self.signals[name]

    def failed(self, needed: bool, asked_by: str) -> np.ndarray:
        """(sequences,) whether each ran to failure; an error if that is ``needed`` and not known."""
        if "failed" in self.sequences:
            return true_or_false(self.sequences["failed"], self.ids, self.title)
        if needed:
            raise InputError(
                f"{self.title}: {asked_by} must know which sequences ran to failure. "
                "Load with failed=True (or False), or set the column 'failed' with with_facts(failed=...)."
            )
        return np.zeros(self.n_sequences, bool)

    def whereabouts(self, sample: int) -> str:
        """Words for one sample: file, sequence, clock time, for messages."""
        number = int(np.searchsorted(np.cumsum(self.lengths), sample, side="right"))
        row = sample - int(np.sum(self.lengths[:number]))
        time = self.start[number] + row * self.bin_width
        return place(self.title, f"sequence {self.ids[number]}", f"row {row + 1}", f"{self.clock_unit} {time:g}")

    def fingerprint(self) -> str:
        """Short hash of all values, masks, names, clock and ids: equal data, equal fingerprint."""
        return fingerprint(self.parts)

    def __repr__(self) -> str:
        return self.describe()

    def describe(self) -> str:
        """What is in it, in a few lines."""
        return describe(self.parts)

    @property
    def parts(self) -> Parts:
        """Its fields."""
        return Parts(**{name: getattr(self, name) for name in Parts._fields})

    @property
    def title(self) -> str:
        """Its name for messages."""
        return self.name or "recording"

    # --- new recordings from this one ----------------------------------------------------------------------------

    def noting(self, step: str) -> "Recording":
        """The same recording with one more line of history."""
        return replace(self, history=(*self.history, step))

    def with_signal(self, name: str, signal: Signal) -> "Recording":
        """With one more signal, or another in its place."""
        return replace(self, signals={**self.signals, name: signal})

    def with_knowledge(self, knowledge: Knowledge) -> "Recording":
        """With other knowledge of the hidden states."""
        return replace(self, knowledge=knowledge).noting(f"knowledge: {knowledge.describe()}")

    def with_facts(self, **columns: object) -> "Recording":
        """With more columns in the table of sequences, such as ``failed`` or ``remaining``."""
        return replace(self, sequences=self.sequences.assign(**columns))

    def select(self, *signals: str) -> "Recording":
        """Only some signals."""
        chosen = {name: self.signal(name) for name in signals}
        return replace(self, signals=chosen).noting(f"selected signals {', '.join(signals)}")

    def take(self, ids: Iterable[object] | str) -> "Recording":
        """Only some sequences, by id, in the order given."""
        return self._with(take_sequences(self.parts, [ids] if isinstance(ids, str) else [str(i) for i in ids]))

    def cut(self, first: Counts = 0, last: Counts | None = None) -> "Recording":
        """Samples ``first`` to ``last`` - 1 of each sequence; the cut keeps its place on the clock.

        Args:
            first: First sample that stays, counted from 0: one number, or one per sequence.
            last: First sample that goes; None keeps the end. A number beyond the end keeps the end.
        """
        return self._with(cut_sequences(self.parts, first, last))

    def blocks(self, length: int) -> "Recording":
        """Each sequence cut into blocks of ``length`` samples, which become sequences (``id/0``, ``id/1``, ...)."""
        return self._with(block_sequences(self.parts, length))

    def spiking(self, least: int) -> "Recording":
        """Only units with at least so many observed spikes, in every signal of counts; other signals stay."""
        return self._with(take_spiking(self.parts, least))

    def within(self, valid: Mapping[str, Sequence[float | int]]) -> "Recording":
        """With values outside the (low, high) of their channel masked: not observed, their samples stay."""
        return self._with(mask_outside(self.parts, valid))

    def ending(self, rule: EndOfLife) -> "Recording":
        """Each sequence cut at its end of life, with ``failed`` in the table; those without a life are left out."""
        return self._with(end_sequences(self.parts, rule))

    def split(self, fraction: float, *, seed: int) -> tuple["Recording", "Recording"]:
        """Two recordings with whole sequences each: about ``fraction`` of them in the first, at random by ``seed``."""
        if not 0 < fraction < 1 or self.n_sequences < 2:
            raise InputError(
                f"{self.title}: a split needs 0 < fraction < 1 and at least two sequences, "
                f"got {fraction} and {self.n_sequences}"
            )
        order = np.random.default_rng(seed).permutation(self.n_sequences)
        count = min(max(round(fraction * self.n_sequences), 1), self.n_sequences - 1)
        ids = np.asarray(self.ids)
        return self.take(ids[np.sort(order[:count])]), self.take(ids[np.sort(order[count:])])

    def folds(self, n_folds: int, *, seed: int) -> list[tuple["Recording", "Recording"]]:
        """Pairs (training, held out) in which every sequence is held out once."""
        if not 2 <= n_folds <= self.n_sequences:
            raise InputError(f"{self.title}: n_folds must lie in 2..{self.n_sequences} (the sequences), got {n_folds}")
        order = np.random.default_rng(seed).permutation(self.n_sequences)
        held = [np.sort(part) for part in np.array_split(order, n_folds)]
        ids = np.asarray(self.ids)
        return [(self.take(np.delete(ids, part)), self.take(ids[part])) for part in held]

    def split_time(self, fraction: float) -> tuple["Recording", "Recording"]:
        """Each sequence cut in two blocks of time at ``fraction`` of its samples: the past and the future."""
        if not 0 < fraction < 1:
            raise InputError(f"{self.title}: a split needs 0 < fraction < 1, got {fraction}")
        at = np.clip(np.round(fraction * self.lengths).astype(int), 1, self.lengths - 1)
        return self.cut(0, at), self.cut(at)

    def with_channels(self, signal: str, names: Sequence[str]) -> "Recording":
        """With these channels of a signal, in this order; with all of them where none is named.

        Raises:
            InputError: An unknown channel; the message names the close matches.
        """
        numbers = self._numbers_of_channels(signal, names)
        return self.with_signal(signal, self.signal(signal).pick(numbers)) if len(numbers) else self

    def _numbers_of_channels(self, signal: str, names: Sequence[str]) -> np.ndarray:
        known = self.signal(signal).names
        unknown = [name for name in names if name not in known]
        if unknown:
            where = place(self.title, f"signal {signal}")
            raise InputError(f"{where}: no channel {unknown[0]!r}. {did_you_mean(unknown[0], known)}")
        return np.array([known.index(name) for name in names], int)

    def split_channels(self, signal: str, names: Sequence[str]) -> tuple["Recording", "Recording"]:
        """Two recordings: the named channels of a signal, and the other channels of it."""
        whole = self.signal(signal)
        inside = np.isin(np.arange(whole.n_channels), self._numbers_of_channels(signal, names))
        if inside.all() or not inside.any():
            raise InputError(f"{place(self.title, f'signal {signal}')}: the split leaves one side without a channel")
        notes = [f"kept {keep.sum()} of {len(keep)} channels of {signal}" for keep in (inside, ~inside)]
        kept = [self.with_signal(signal, whole.pick(keep)) for keep in (inside, ~inside)]
        return kept[0].noting(notes[0]), kept[1].noting(notes[1])

    def hide(self, signal: str, fraction: float, *, seed: int) -> "Recording":
        """With a random share of a signal's observed entries masked, to be predicted and scored afterwards."""
        within("fraction", fraction, 0.0, 1.0)
        whole = self.signal(signal)
        keep = np.random.default_rng(seed).uniform(size=whole.observed.shape) >= fraction
        hidden = whole.masked(keep)
        return self.with_signal(signal, hidden).noting(f"hid {fraction:.1%} of the entries of {signal}")

    def bin(self, factor: int) -> "Recording":
        """On a clock ``factor`` times coarser: counts add up, continuous values average; a rest at the end is dropped.

        Counts with a missing entry in the bin are missing; averages are over what was observed.

        Raises:
            InputError: Signals of other kinds, a sequence shorter than one bin, knowledge per sample.
        """
        return self._with(bin_sequences(self.parts, factor))

    def _with(self, parts: Parts) -> "Recording":
        return replace(self, **parts._asdict())
