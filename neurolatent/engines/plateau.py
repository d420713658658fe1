"""Has a noisy objective levelled off? The mean of its last steps against that of the steps before them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Rise(NamedTuple):
    """How far the objective still rose from the last window but one to the last."""

    value: float  # NaN where there are fewer than two windows with numbers in them
    noise: float  # standard error of the value

    def is_none(self, tolerance: float) -> bool:
        """Whether it is within the tolerance, or within three standard errors where these are larger."""
        return abs(self.value) <= max(tolerance, 3 * self.noise)


def last_rise(objective: ArrayLike, window: int) -> Rise:
    """The rise between the last two windows of an objective (steps); values that are no number are left out."""
    values = np.asarray(objective, float)
    parts = [part[np.isfinite(part)] for part in (values[-2 * window : -window], values[-window:])]
    if len(values) < 2 * window or min(len(part) for part in parts) < 2:
        return Rise(np.nan, np.nan)
    before, after = parts
    noise = np.sqrt(before.var(ddof=1) / len(before) + after.var(ddof=1) / len(after))
    return Rise(float(after.mean() - before.mean()), float(noise))
