"""Stretches of time (trials, epochs, observed intervals) cut into even bins: the clock of what is made from events."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neurolatent.checks import InputError, place, positive

SLACK = (
    1e-6  # of a bin: how far a time may be off by rounding; an event on an edge belongs to the bin that begins there
)
LISTED = 5
MOST_BINS = 2**31  # bins in all; more is taken for a bin width in the wrong unit


class Bins(NamedTuple):
    """Even bins, half open [begin, end), in each of some stretches of time."""

    begin: np.ndarray  # (sequences,) where the first bin of each stretch begins
    lengths: np.ndarray  # (sequences,) whole bins
    width: float

    @property
    def start(self) -> np.ndarray:
        """(sequences,) the middle of each first bin: the clock time of its sample."""
        return self.begin + self.width / 2

    @property
    def end(self) -> np.ndarray:
        """(sequences,) where the last bin of each stretch ends."""
        return self.begin + self.width * self.lengths

    def rows(self, times: np.ndarray) -> np.ndarray:
        """(samples, 2) of sorted ``times`` the number of the first in each bin, and of the first after the bin."""
        ends = [b + self.width * (np.arange(n + 1) - SLACK) for b, n in zip(self.begin, self.lengths, strict=True)]
        found = np.searchsorted(times, np.concatenate(ends))
        last = np.cumsum(self.lengths + 1) - 1
        return np.column_stack([np.delete(found, last), np.delete(found, last - self.lengths)])

    def centres(self) -> np.ndarray:
        """(samples,) the middle of each bin."""
        return self._firsts() + self.width / 2

    def inside(self, intervals: np.ndarray) -> np.ndarray:
        """(samples,) whether each bin lies wholly within the union of some intervals (intervals, 2)."""
        first = self._firsts() + SLACK * self.width
        low, high = merged(intervals).T
        number = np.searchsorted(low, first, side="right") - 1
        ends = np.append(high, -np.inf)  # of number -1: before the first interval
        return first + (1 - 2 * SLACK) * self.width <= ends[number]

    def touching(self, intervals: np.ndarray) -> np.ndarray:
        """(samples,) whether each bin shares time with one of some intervals (intervals, 2)."""
        first = self._firsts() + SLACK * self.width
        low, high = merged(intervals).T
        before = np.searchsorted(low, first + (1 - 2 * SLACK) * self.width, side="left") - 1
        return np.append(high, -np.inf)[before] > first

    def _firsts(self) -> np.ndarray:
        rows = [b + self.width * np.arange(n) for b, n in zip(self.begin, self.lengths, strict=True)]
        return np.concatenate(rows)


class Cut(NamedTuple):
    """Bins in those stretches that hold one, and what was left over."""

    bins: Bins
    kept: np.ndarray  # (stretches,) True where a stretch became a sequence
    history: tuple[str, ...]


def cut_stretches(stretches: np.ndarray, width: float | int, ids: Sequence[str], name: str) -> Cut:
    """Even bins from the beginning of each stretch (stretches, 2); a rest shorter than a bin is dropped and said.

    Raises:
        InputError: A stretch that ends before it begins or overlaps another, none as long as one bin, too many bins.
    """
    positive("bin_width", width)
    width = float(width)
    _refuse_disorder(stretches, ids, SLACK * width, name)
    spans = stretches[:, 1] - stretches[:, 0]
    counts = np.floor(spans / width + SLACK)
    if counts.sum() > MOST_BINS:
        raise InputError(f"{name}: bins of {width:g} make {counts.sum():g} samples. Is bin_width in seconds? Widen it.")
    kept = counts >= 1
    if not kept.any():
        raise InputError(f"{name}: no sequence is as long as one bin of {width:g}; the longest lasts {spans.max():g}.")
    bins = Bins(stretches[kept, 0], counts[kept].astype(np.int64), width)
    short = [i for i, keep in zip(ids, kept, strict=True) if not keep]
    rest = spans[kept] - bins.lengths * width
    notes = (f"left out {len(short)} sequences shorter than one bin: {listed(short)}",) if short else ()
    partial = int((rest > SLACK * width).sum())
    notes += (f"dropped the last part of {partial} sequences, shorter than one bin",) if partial else ()
    return Cut(bins, kept, notes)


def listed(names: Sequence[object]) -> str:
    """Some names, five at most, and how many more there are."""
    rest = len(names) - LISTED
    return ", ".join(str(n) for n in names[:LISTED]) + (f" and {rest} more" if rest > 0 else "")


def merged(intervals: np.ndarray) -> np.ndarray:
    """The union of intervals (intervals, 2) as intervals in order of time that neither overlap nor touch."""
    intervals = np.asarray(intervals, float).reshape(-1, 2)
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reach = np.maximum.accumulate(intervals[:, 1])
    opens = np.concatenate([[True], intervals[1:, 0] > reach[:-1]])[: len(intervals)]
    closes = np.append(np.flatnonzero(opens)[1:] - 1, len(intervals) - 1)[: opens.sum()]
    return np.column_stack([intervals[opens, 0], reach[closes]])


def _refuse_disorder(stretches: np.ndarray, ids: Sequence[str], slack: float, name: str) -> None:
    wrong = np.flatnonzero(~(np.isfinite(stretches).all(axis=1) & (stretches[:, 0] < stretches[:, 1])))
    if len(wrong):
        number = int(wrong[0])
        low, high = stretches[number]
        raise InputError(f"{place(name, f'sequence {ids[number]}')}: it runs from {low:g} to {high:g}. Correct it.")
    order = np.argsort(stretches[:, 0], kind="stable")
    begin, end = stretches[order].T
    shared = np.minimum(np.maximum.accumulate(end)[:-1], end[1:]) - begin[1:]
    wrong = np.flatnonzero(shared > slack)
    if len(wrong):
        one, two = int(order[wrong[0]]), int(order[wrong[0] + 1])
        raise InputError(
            f"{name}: the sequences {ids[one]} and {ids[two]} overlap by {shared[wrong[0]]:g}, so that the same data "
            f"would count twice ({len(wrong)} overlaps in all). Choose a narrower window, or leave some of them out."
        )
