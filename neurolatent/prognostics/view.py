"""What the read-outs of remaining life see of units: at each row, only what was known by then."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from neurolatent.precision import in_double
from neurolatent.preparation import replay
from neurolatent.preparation.causal import Rows, carried, rows_of
from neurolatent.recording import Recording
from neurolatent.result import Fit


class View(NamedTuple):
    """Prepared units, sequences end to end, with the filter's belief at every row."""

    fit: Fit
    recording: Recording  # prepared
    rows: Rows
    level: Float[np.ndarray, "rows features"]  # the modelled signal; a missing value keeps the last one
    beliefs: Float[np.ndarray, "sets rows places"]  # one per parameter set of the fit
    evidence: Float[np.ndarray, " rows"]  # log p of the unit's rows so far, nats; mean over parameter sets
    sets: list[Any]  # the parameter sets

    @property
    def belief(self) -> Float[np.ndarray, "rows places"]:
        """The belief averaged over parameter sets."""
        return self.beliefs.mean(axis=0)

    @property
    def age(self) -> Int[np.ndarray, " rows"]:
        """Rows of its unit up to and including this one."""
        return self.rows.position + 1

    def at(self, unit: int, position: np.ndarray | int) -> np.ndarray:
        """Row numbers of positions within a unit."""
        return self.rows.slices[unit].start + np.asarray(position)


class Looked(NamedTuple):
    """A view, and the units that it does not hold, with the reason."""

    view: View
    refused: dict[str, str]


MOST_SETS = 20  # parameter sets over which the posterior is averaged: ours, remaining life changes little beyond


@in_double
def look(fit: Fit, recording: Recording) -> Looked:
    """The units as the fit sees them; the knowledge that a recording brings is not used.

    Raises:
        InputError: No unit can be prepared.
    """
    applied = replay(recording, fit.prepare, fit.learned)
    prepared = applied.recording
    values = fit.model.modelled_values(prepared)
    rows = rows_of(prepared.lengths)
    sets = fit.parameter_sets(MOST_SETS)
    whole = padded(values, rows)
    filtered = [fit.model.filter_rows(params, whole, prepared.lengths) for params in sets]
    beliefs = np.stack([_flat(f.belief, prepared.lengths) for f in filtered])
    evidence = np.mean([_flat(f.log_evidence, prepared.lengths) for f in filtered], axis=0)
    view = View(fit, prepared, rows, carried(values, rows), beliefs, evidence, sets)
    return Looked(view, applied.refused)


def padded(values: Float[np.ndarray, "rows features"], rows: Rows) -> Float[np.ndarray, "units longest features"]:
    """(rows, features) as (units, longest, features), NaN at the end."""
    lengths = [part.stop - part.start for part in rows.slices]
    out = np.full((len(lengths), max(lengths), values.shape[1]), np.nan)
    for number, part in enumerate(rows.slices):
        out[number, : lengths[number]] = values[part]
    return out


def _flat(padded: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([padded[number, :length] for number, length in enumerate(lengths)])
