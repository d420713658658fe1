"""Where a life ends: a threshold tells when a sequence has failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from neurolatent.checks import InputError, did_you_mean, place, whole_number, within
from neurolatent.recording.cuts import cut_sequences, take_sequences
from neurolatent.recording.parts import Parts


@dataclass(frozen=True)
class EndOfLife:
    """A sequence has failed where a channel falls below a threshold and stays there for some samples.

    A single sample below it is no failure: capacity of a cell recovers after a rest, and a measurement can be spoilt.

    Attributes:
        signal: Signal that the channel belongs to.
        channel: Its name.
        below: The threshold, in the signal's units.
        below_share_of_first: Instead of ``below``: the threshold as a share of the sequence's own first values.
        times: Observed samples in a row that must be below; the first of them is the end of life.
        n_first: Observed samples whose median stands for the first values.
    """

    signal: str
    channel: str
    below: float | int | None = None
    below_share_of_first: float | int | None = None
    times: int = 1
    n_first: int = 5  # ours: the median then bears two samples of a run-in

    def __post_init__(self) -> None:
        whole_number("times", self.times, 1)
        whole_number("n_first", self.n_first, 1)
        if (self.below is None) == (self.below_share_of_first is None):
            raise InputError("an end of life needs either below or below_share_of_first")
        if self.below is not None and not np.isfinite(self.below):
            raise InputError(f"below must be a finite number, got {self.below}")
        if self.below_share_of_first is not None:
            within("below_share_of_first", self.below_share_of_first, 0.0, 1.0)

    def threshold(self, values: Float[np.ndarray, " observed"]) -> float:
        """The threshold of a sequence with these observed values."""
        if self.below is not None:
            return float(self.below)
        return float(self.below_share_of_first or 0.0) * float(np.median(values[: self.n_first]))

    def describe(self) -> str:
        """What it says, in words."""
        level = f"{self.below:g}" if self.below is not None else f"{self.below_share_of_first:g} of its first values"
        return f"{self.signal} {self.channel} below {level}" + (f", {self.times} in a row" if self.times > 1 else "")


class Ends(NamedTuple):
    """Where each sequence crosses its threshold."""

    last: Int[np.ndarray, " sequences"]  # samples up to and including the end of life; all where there is none
    failed: Bool[np.ndarray, " sequences"]
    lifeless: Bool[np.ndarray, " sequences"]  # below from the first observed sample on, or never observed


def end_sequences(parts: Parts, rule: EndOfLife) -> Parts:
    """Each sequence cut at its end of life and marked; those that have no life are left out.

    Raises:
        InputError: No such signal or channel; no sequence that begins above the threshold.
    """
    values = channel_values(parts, rule.signal, rule.channel)
    ends = np.cumsum(parts.lengths)
    runs = [values[end - n : end] for end, n in zip(ends, parts.lengths, strict=True)]
    found = _ends(runs, rule)
    stays, failed = ~found.lifeless, found.failed[~found.lifeless]
    if not stays.any():
        raise InputError(_none_begins_above(parts, rule, values))
    ids = np.asarray([str(i) for i in parts.sequences["id"]])
    plain = parts._replace(sequences=parts.sequences.drop(columns=["failed", "remaining"], errors="ignore"))
    cut = cut_sequences(take_sequences(plain, ids[stays].tolist()), 0, found.last[stays])
    note = f"end of life, {rule.describe()}: {failed.sum()} sequences reached it, {(~failed).sum()} did not"
    note += "" if stays.all() else f"; left out, without a life above it: {', '.join(ids[~stays])}"
    return cut._replace(sequences=cut.sequences.assign(failed=failed), history=(*parts.history, note))


def _none_begins_above(parts: Parts, rule: EndOfLife, values: np.ndarray) -> str:
    low, high = np.nanmin(values, initial=np.inf), np.nanmax(values, initial=-np.inf)
    where = place(parts.name or "recording", f"signal {rule.signal}", f"channel {rule.channel}")
    seen = f"values run from {low:g} to {high:g}" if low <= high else "nothing was observed"
    return f"{where}: no sequence begins above the threshold ({rule.describe()}); {seen}. Lower the threshold."


def _ends(runs: Sequence[np.ndarray], rule: EndOfLife) -> Ends:
    last = np.array([len(run) for run in runs])
    failed, lifeless = np.zeros(len(runs), bool), np.zeros(len(runs), bool)
    for number, run in enumerate(runs):
        observed = np.flatnonzero(~np.isnan(run))
        low = run[observed] < rule.threshold(run[observed]) if len(observed) else np.zeros(0, bool)
        first = _first_run(low, rule.times)
        lifeless[number] = not len(observed) or first == 0
        if first is not None:
            failed[number], last[number] = True, observed[first] + 1
    return Ends(last, failed, lifeless)


def _first_run(low: Bool[np.ndarray, " observed"], times: int) -> int | None:
    """Where the first ``times`` true values in a row begin."""
    together = np.cumsum(low) - np.append(np.zeros(times, int), np.cumsum(low)[:-times])[: len(low)]
    ends = np.flatnonzero(together == times)
    return int(ends[0]) - times + 1 if len(ends) else None


def channel_values(parts: Parts, signal: str, channel: str) -> Float[np.ndarray, " samples"]:
    """One channel as floats, NaN where nothing was observed.

    Raises:
        InputError: No such signal or channel, with the close matches.
    """
    name = parts.name or "recording"
    if signal not in parts.signals:
        raise InputError(f"{name}: no signal {signal!r}. {did_you_mean(signal, parts.signals)}")
    whole = parts.signals[signal]
    if channel not in whole.names or whole.values.ndim != 2:
        raise InputError(
            f"{place(name, f'signal {signal}')}: no channel {channel!r}. {did_you_mean(channel, whole.names)}"
        )
    column = whole.names.index(channel)
    return np.where(whole.observed[:, column], whole.values[:, column], np.nan).astype(float)
