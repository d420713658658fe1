"""The level of the modelled signal at which units fail, for read-outs that wait for the signal to reach it."""

from typing import NamedTuple

import numpy as np

from neurolatent.checks import InputError
from neurolatent.prognostics.readout import Lives
from neurolatent.prognostics.view import View


class FailureLevel(NamedTuple):
    """Where failure lies, and from which side units come."""

    level: float  # median over training units at their failure
    sign: float  # 1 where the signal falls to the level, -1 where it rises to it


def failure_level(view: View, lives: Lives, name: str) -> FailureLevel:
    """The level and the side, from the last and the first rows of units that failed.

    Args:
        name: Of the read-out that asks.

    Raises:
        InputError: A signal of several features, which has no single level to cross.
    """
    if view.level.shape[1] != 1:
        raise InputError(
            f"the read-out {name!r} needs one modelled signal, this fit models {view.level.shape[1]} "
            "features. Prepare with HealthIndicator(), or leave the read-out out."
        )
    signal, known = view.level[:, 0], lives.known
    ends, starts = signal[known[lives.left[known] == 0]], signal[known[view.rows.position[known] == 0]]
    level = float(np.nanmedian(ends))
    return FailureLevel(level, 1.0 if np.nanmedian(starts) >= level else -1.0)
