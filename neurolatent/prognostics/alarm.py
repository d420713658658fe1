"""Fault alarms from filtered state probabilities."""

import numpy as np

THRESHOLD = 0.95  # probability of having left the healthy state
CONSECUTIVE = 3  # steps in a row above it (specification of the method, section 6)


def alarm_step(fault: np.ndarray, *, threshold: float = THRESHOLD, consecutive: int = CONSECUTIVE) -> int | None:
    """The step at which an alarm is raised: the last of the first ``consecutive`` steps above the threshold.

    Args:
        fault: (time,) filtered probability of a fault; NaN counts as below.

    Returns:
        The number of the step from 0, or None without alarm. It depends on the past only.
    """
    above = np.nan_to_num(np.asarray(fault, float), nan=-1.0) > threshold
    if len(above) < consecutive:
        return None
    runs = np.convolve(above, np.ones(consecutive, int), mode="valid") == consecutive
    return int(np.argmax(runs)) + consecutive - 1 if runs.any() else None


def since_step(fault: np.ndarray, *, level: float = 0.5) -> int | None:
    """The step from which the probability of a fault has stayed above ``level`` until now; None if it is not now."""
    above = np.nan_to_num(np.asarray(fault, float), nan=-1.0) > level
    if not len(above) or not above[-1]:
        return None
    below = np.flatnonzero(~above)
    return int(below[-1]) + 1 if len(below) else 0
