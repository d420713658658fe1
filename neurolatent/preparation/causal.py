"""Running features of each row from its own sequence's past: what comes later never changes them, bit for bit.

All arrays hold sequences end to end, shape (rows, channels). Sums run row by row, or elementwise over a few lags, so
that neither the rows that follow nor the other sequences touch the order of additions.
"""

from typing import NamedTuple

import numpy as np


class Rows(NamedTuple):
    """Where each row stands."""

    position: np.ndarray  # (rows,) place within the sequence, from 0
    start: np.ndarray  # (rows,) number of the first row of its sequence
    slices: list[slice]  # the sequences


def rows_of(lengths: np.ndarray) -> Rows:
    """Places of the rows of sequences with these lengths."""
    starts = np.cumsum(lengths) - lengths
    start = np.repeat(starts, lengths)
    slices = [slice(int(s), int(s + n)) for s, n in zip(starts, lengths, strict=True)]
    return Rows(np.arange(len(start)) - start, start, slices)


def carried(values: np.ndarray, rows: Rows) -> np.ndarray:
    """Each NaN replaced by the last value before it in its sequence; NaN where there is none."""
    numbers = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, numbers), axis=0)
    found = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(last >= rows.start[:, None], found, np.nan)


def trailing_mean(values: np.ndarray, rows: Rows, window: int) -> np.ndarray:
    """Mean of what was observed in this row and the ``window`` - 1 rows before it; NaN where nothing was."""
    seen = ~np.isnan(values)
    safe, total, count = np.where(seen, values, 0.0), np.zeros_like(values), np.zeros(values.shape)
    for lag in range(min(window, len(values))):
        inside = (rows.position[lag:] >= lag)[:, None]
        end = len(values) - lag
        total[lag:] += np.where(inside, safe[:end], 0.0)
        count[lag:] += inside & seen[:end]
    return _ratio(total, count)


def exponential_mean(values: np.ndarray, rows: Rows, span: int) -> np.ndarray:
    """Mean with weights (1 - 2 / (span + 1))^age over what was observed so far; unobserved rows keep the last one."""
    seen = ~np.isnan(values)
    decay = 1 - 2 / (span + 1)
    total = _running_sum(np.where(seen, values, 0.0), rows, decay)
    mean = _ratio(total, _running_sum(seen.astype(float), rows, decay))
    return carried(np.where(seen, mean, np.nan), rows)


def first_mean(values: np.ndarray, rows: Rows, n_first: int) -> np.ndarray:
    """Mean of the sequence's first ``n_first`` observed values, or of as many as there were so far."""
    seen = ~np.isnan(values)
    taken = seen & (_running_sum(seen.astype(float), rows, 1.0) <= n_first)
    total = _running_sum(np.where(taken, values, 0.0), rows, 1.0)
    return _ratio(total, _running_sum(taken.astype(float), rows, 1.0))


def _running_sum(values: np.ndarray, rows: Rows, decay: float) -> np.ndarray:
    """Row after row, all sequences side by side; importing SciPy's filter takes longer than this."""
    total, first = values.copy(), np.flatnonzero(rows.position == 0)
    lengths = np.diff(first, append=len(values))
    for place in range(1, lengths.max(initial=0)):
        here = first[lengths > place] + place
        total[here] += decay * total[here - 1]
    return total


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.where(count > 0, total / np.where(count > 0, count, 1.0), np.nan)
