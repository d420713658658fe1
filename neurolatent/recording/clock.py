"""Samples with times are put on an even clock: missing steps are found and listed, uneven steps refused."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from neurolatent.checks import InputError

LISTED = 5  # missing steps that are named one by one in the history
TOLERANCE = 1e-3  # of a step: how far it may be from a multiple of the bin width
MOST_EMPTY = 100  # steps on the clock per sample, above which a gap is taken for a mistake


class Grid(NamedTuple):
    """Where given samples stand on an even clock."""

    rows: np.ndarray  # (given,) row of each given sample among all samples
    lengths: np.ndarray  # (sequences,) samples, missing ones included
    start: np.ndarray  # (sequences,) clock time of the first sample
    bin_width: float
    ids: np.ndarray  # (sequences,) in order of appearance
    history: tuple[str, ...]  # the missing steps


def even_grid(
    ticks: np.ndarray, ids: np.ndarray, *, bin_width: float | int | None, clock: str, spot: Callable[[int], str]
) -> Grid:
    """The even clock on which samples stand, rows of a sequence together and in order of time.

    Args:
        ticks: (given,) clock time of each sample.
        ids: (given,) sequence of each sample.
        bin_width: Clock time between two samples; None takes the most common step.
        clock: What the clock is called in messages.
        spot: Words for the place of a given sample (number from 0), which open a message.

    Raises:
        InputError: Times that are missing, doubled, decreasing or uneven; gaps beyond all measure.
    """
    if bin_width is not None and not 0 < bin_width < np.inf:
        raise InputError(f"bin_width must be positive, got {bin_width}")
    begins = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
    lead = np.zeros(len(ids), bool)
    lead[begins] = True
    _refuse_disorder(ticks, lead, clock, spot)
    steps = np.diff(ticks, prepend=ticks[0])
    width = float(bin_width or (_common(steps[~lead]) if (~lead).any() else 1.0))
    counts = _whole_steps(steps, lead, width, clock, spot)
    if bin_width is None and counts.any():
        width = float(f"{steps[~lead].sum() / counts.sum():.12g}")
    number = np.cumsum(lead) - 1
    position = np.cumsum(counts)
    position = position - position[begins][number]
    _refuse_drift(ticks, ticks[begins][number] + position * width, width, clock, spot)
    lengths = np.append(position[begins[1:] - 1], position[-1]) + 1
    rows = (np.cumsum(lengths) - lengths)[number] + position
    _refuse_vast(lengths, len(ticks), counts, clock, spot)
    return Grid(
        rows, lengths, ticks[begins], width, ids[begins], _gaps(rows, lengths, ticks[begins], width, ids[begins])
    )


def _common(steps: np.ndarray) -> float:
    """The most common step, of steps that agree to four digits taken together; the shortest among equals."""
    digit = 10.0 ** (np.floor(np.log10(np.median(steps))) - 3)
    groups, member, count = np.unique(np.round(steps / digit), return_inverse=True, return_counts=True)
    return float(np.median(steps[member == np.argmax(count)]))


def _refuse_disorder(ticks: np.ndarray, lead: np.ndarray, clock: str, spot: Callable[[int], str]) -> None:
    unknown = np.flatnonzero(~np.isfinite(ticks))
    if len(unknown):
        raise InputError(f"{spot(int(unknown[0]))}: no {clock}. Fill it in or drop the row.")
    wrong = np.flatnonzero(~lead[1:] & (np.diff(ticks) <= 0)) + 1
    if len(wrong):
        row = int(wrong[0])
        what = "stands twice" if ticks[row] == ticks[row - 1] else f"comes after {ticks[row - 1]:g}"
        raise InputError(
            f"{spot(row)}: {clock} {ticks[row]:g} {what}. "
            f"Each {clock} must be later than the one before: sort, and drop what is doubled."
        )


def _whole_steps(
    steps: np.ndarray, lead: np.ndarray, width: float, clock: str, spot: Callable[[int], str]
) -> np.ndarray:
    """(given,) how many steps of the clock each sample comes after the one before; 0 for the first of a sequence."""
    multiple = np.where(lead, 0.0, steps / width)
    counts = np.round(multiple)
    uneven = np.flatnonzero(~lead & ((counts < 1) | (np.abs(multiple - counts) > TOLERANCE * np.maximum(multiple, 1))))
    if len(uneven):
        row = int(uneven[0])
        raise InputError(
            f"{spot(row)}: {clock} steps by {steps[row]:g}, which is no multiple of {width:g}. "
            "The models need an even clock: resample first, or pass bin_width=..."
        )
    if (~lead).sum() > 1 and counts[~lead].min() > 1:
        raise InputError(
            f"{spot(int(np.argmax(~lead)))}: {clock} steps by {steps[~lead].min():g} or more everywhere, never by "
            f"bin_width={width:g}, so that most samples would be missing. Leave bin_width out, or correct it."
        )
    return counts.astype(np.int64)


def _refuse_drift(ticks: np.ndarray, even: np.ndarray, width: float, clock: str, spot: Callable[[int], str]) -> None:
    drift = np.abs(ticks - even)
    if drift.max() > width / 2:
        row = int(np.argmax(drift > width / 2))
        raise InputError(
            f"{spot(row)}: {clock} {ticks[row]:g} has drifted by {drift[row]:g} from an even clock of {width:g}. "
            "The models need an even clock: resample first, or pass the true bin_width=..."
        )


def _refuse_vast(lengths: np.ndarray, given: int, counts: np.ndarray, clock: str, spot: Callable[[int], str]) -> None:
    if lengths.sum() > MOST_EMPTY * (given + MOST_EMPTY):
        row = int(np.argmax(counts))
        raise InputError(
            f"{spot(row)}: {counts[row] - 1} steps of the {clock} are missing before it; all together hold "
            f"{given} samples on {int(lengths.sum())} steps. Correct the {clock}, or cut the file into sequences there."
        )


def _gaps(rows: np.ndarray, lengths: np.ndarray, start: np.ndarray, width: float, ids: np.ndarray) -> tuple[str, ...]:
    is_given = np.zeros(int(lengths.sum()), bool)
    is_given[rows] = True
    missing = np.flatnonzero(~is_given)
    if not len(missing):
        return ()
    ends = np.cumsum(lengths)
    number = np.searchsorted(ends, missing[:LISTED], side="right")
    times = start[number] + width * (missing[:LISTED] - (ends - lengths)[number])
    listed = [f"sequence {ids[n]} at {t:g}" for n, t in zip(number, times, strict=True)]
    more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
    return (f"{len(missing)} missing steps were masked: {', '.join(listed)}{more}",)
