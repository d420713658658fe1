"""Features of a row for regressions of remaining life: its unit's past in many lengths, nothing of its future.

Reference: specification of the ARPHMM, section 8 (a) to (d), with slower and faster means and changes beside them.
"""

import numpy as np
from jaxtyping import Float

from neurolatent.preparation.causal import Rows, carried, exponential_mean, first_mean, trailing_mean
from neurolatent.prognostics.view import View

WINDOW, SPAN, N_FIRST = 15, 40, 15  # those of the health indicator
FAST, SLOW = 5, 40  # rows of a faster and a slower trailing mean: ours
LAGS = (20, 40)  # rows over which the trailing mean's change is taken: ours
LEVEL_LAGS = (5, 10, 20, 40)  # rows back at which the modelled signal is looked up: ours


def rich(view: View, values: Float[np.ndarray, "rows channels"]) -> Float[np.ndarray, "rows features"]:
    """Means, changes and first values of every sensor, the modelled signal with its past, and the age."""
    rows = view.rows
    trailing = carried(trailing_mean(values, rows, WINDOW), rows)
    first = first_mean(values, rows, N_FIRST)
    parts = [
        trailing,
        exponential_mean(values, rows, SPAN),
        trailing - first,
        first,
        carried(trailing_mean(values, rows, FAST), rows),
        carried(trailing_mean(values, rows, SLOW), rows),
        *(trailing - lagged(trailing, rows, lag) for lag in LAGS),
        view.level,
        *(lagged(view.level, rows, lag) for lag in LEVEL_LAGS),
        view.age[:, None].astype(float),
    ]
    return np.concatenate(parts, axis=1)


def lagged(values: Float[np.ndarray, "rows columns"], rows: Rows, lag: int) -> Float[np.ndarray, "rows columns"]:
    """Values ``lag`` rows before; NaN before the unit's first row."""
    out = np.full_like(values, np.nan)
    old = np.flatnonzero(rows.position >= lag)
    out[old] = values[old - lag]
    return out
