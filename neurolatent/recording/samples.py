"""Samples at any times (a position, a field potential) on even bins: averaged where dense, else drawn between."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from neurolatent.checks import InputError
from neurolatent.recording.stretches import Bins

DENSE = 2  # samples per bin from which on they are averaged
BRIDGED = 2.5  # usual steps: a gap longer than this is not drawn across
BLOCK = 2**22  # values read at once


class Resampled(NamedTuple):
    """Values on the bins, NaN where nothing was observed, and how they came there."""

    values: np.ndarray  # (samples, channels)
    how: str


def resample(
    times: np.ndarray, read: Callable[[int, int], np.ndarray], bins: Bins, *, is_angle: bool = False
) -> Resampled:
    """Values on the bins: the mean of the samples in a bin, or a line between neighbours at its middle.

    Samples are averaged where there are two or more in a bin of the usual step; a bin without one is not observed.
    Sparser samples are drawn between, but not across gaps of more than two and a half usual steps.

    Args:
        times: (given,) rising clock times of the samples.
        read: Gives the samples (rows, channels) from a first row up to a last one, which is left out.
        bins: The bins.
        is_angle: The values are angles in radians: they are averaged on the circle.
    """
    usual = float(np.median(np.diff(times))) if len(times) > 1 else np.inf

    def taken(first: int, last: int) -> np.ndarray:
        values = np.asarray(read(first, last))
        return np.exp(1j * values) if is_angle else values.astype(float, copy=False)

    if usual * DENSE <= bins.width * (1 + 1e-6):
        values, how = _averaged(bins.rows(times), taken), f"averaged: one sample every {usual:g}"
    else:
        values, how = _drawn(times, taken, bins.centres(), usual), f"interpolated: one sample every {usual:g}"
    return Resampled(np.angle(values) if is_angle else values, how)


def refuse_times(times: np.ndarray, where: str) -> None:
    """Refuse times that are missing, doubled or descending."""
    lost = np.flatnonzero(~np.isfinite(times))
    if len(lost):
        raise InputError(f"{where}: sample {lost[0] + 1} has the time {times[lost[0]]}. Drop it.")
    back = np.flatnonzero(np.diff(times) <= 0)
    if len(back):
        row = int(back[0])
        raise InputError(
            f"{where}: sample {row + 2} at {times[row + 1]:g} does not come after {times[row]:g}. "
            "Sort the samples by time, and drop what is doubled."
        )


def _averaged(rows: np.ndarray, taken: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """(samples, channels) mean over what was observed in each bin; NaN in a bin without."""
    order = np.argsort(rows[:, 0], kind="stable")  # sequences need not stand in order of time
    rows, width = rows[order], taken(0, 1).shape[1]
    parts = [_means(rows[low:high], taken) for low, high in _blocks(rows, max(BLOCK // width, 1))]
    means = np.concatenate(parts)
    return means[np.argsort(order, kind="stable")]


def _means(rows: np.ndarray, taken: Callable[[int, int], np.ndarray]) -> np.ndarray:
    first = int(rows[0, 0])
    values = taken(first, int(rows[-1, 1]))
    values = np.concatenate([values, np.zeros((1, values.shape[1]), values.dtype)])  # so that each end has a row
    seen = ~np.isnan(values)
    ends = (rows - first).ravel()
    total, count = (np.add.reduceat(v, ends, axis=0)[::2] for v in (np.where(seen, values, 0), seen.astype(int)))
    count = np.where(rows[:, :1] < rows[:, 1:], count, 0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _blocks(rows: np.ndarray, most: int) -> list[tuple[int, int]]:
    """Ranges of bins whose samples are at most so many, as far as one bin allows."""
    out, low = [], 0
    while low < len(rows):
        high = max(int(np.searchsorted(rows[:, 1], rows[low, 0] + most, side="right")), low + 1)
        out.append((low, min(high, len(rows))))
        low = out[-1][1]
    return out


def _drawn(times: np.ndarray, taken: Callable[[int, int], np.ndarray], at: np.ndarray, usual: float) -> np.ndarray:
    """(samples, channels) on the line between the samples before and after; NaN across a gap and beyond the ends."""
    values = taken(0, len(times))
    after = np.clip(np.searchsorted(times, at), 1, max(len(times) - 1, 1))
    before = after - 1
    if len(times) < 2:
        return np.full((len(at), values.shape[1]), np.nan, values.dtype)
    step = times[after] - times[before]
    share = (at - times[before]) / step
    slack = 1e-6
    good = (share >= -slack) & (share <= 1 + slack) & (step <= BRIDGED * usual)
    line = values[before] + (values[after] - values[before]) * share[:, None]
    return np.where(good[:, None], line, np.nan)
