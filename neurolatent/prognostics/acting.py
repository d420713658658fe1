"""At which quantile of its remaining life should a unit be taken off? What acting costs, on units whose end is known.

A unit is looked at once and its removal is planned for that quantile. Too early throws life away; too late is a
failure, which costs as much as some time of a unit's life. A removal that is planned anew at every look costs less, so
the figures are on the safe side. The cost is that of :func:`neurolatent.prognostics.scores.acting_cost`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from neurolatent.checks import InputError
from neurolatent.prognostics.calibration import LEVELS
from neurolatent.prognostics.measures import Measured
from neurolatent.prognostics.prognosis import FUSION, Prognosis
from neurolatent.prognostics.scores import acting_cost

COSTS = (0.1, 0.25, 0.5, 1.0, 2.0)  # of a failure, in median lives: ours; beyond, quantiles below 1 % would be needed
NEARLY = 1.05  # a cost within 5 % of the least is as good: ours


class Acting(NamedTuple):
    """What acting at each quantile costs when a failure costs so much; means over units, in clock units of life."""

    failure: float
    cost: Float[np.ndarray, " levels"]  # at LEVELS
    failed: Float[np.ndarray, " levels"]  # share of looks after which the unit fails before its removal
    given_up: Float[np.ndarray, " levels"]  # life thrown away, over all looks

    @property
    def best(self) -> int:
        """Number of the level that costs least."""
        return int(np.argmin(self.cost))

    @property
    def nearly(self) -> tuple[float, float]:
        """Lowest and highest level that cost hardly more than the best."""
        good = LEVELS[self.cost <= NEARLY * self.cost[self.best]]
        return float(good[0]), float(good[-1])


def acting(measured: Measured, failure: float | int, name: str = FUSION) -> Acting:
    """The cost at every quantile of a line; each unit has the same weight, however often it was looked at.

    Args:
        failure: What a failure costs, in clock units of life, above 0.

    Raises:
        InputError: A cost that is not above 0, or a line without an answer.
    """
    if not 0 < failure < np.inf:
        raise InputError(f"the cost of a failure must be above 0 and finite, got {failure!r}, in clock units of life")
    told = measured.told[name]
    known = np.isfinite(told.mean)
    if not known.any():
        raise InputError(f"{name} has no answer at any row, so that acting on it has no cost")
    planned, left = told.quantile[known].T, measured.left[known]
    _, unit = np.unique(measured.unit[known], return_inverse=True)
    weight = 1.0 / np.bincount(unit)[unit]
    cost = acting_cost(planned, left, failure=failure)
    late = left < planned
    return Acting(
        float(failure),
        np.average(cost, axis=1, weights=weight),
        np.average(late, axis=1, weights=weight),
        np.average(np.where(late, 0.0, left - planned), axis=1, weights=weight),
    )


def usual_costs(prognosis: Prognosis, shares: Sequence[float] = COSTS) -> tuple[float, ...]:
    """Costs of a failure worth looking at: multiples of the median life of the training units, rounded to one digit."""
    life = median_life(prognosis)
    return tuple(float(f"{share * life:.1g}") for share in shares)


def median_life(prognosis: Prognosis) -> float:
    """Of the training units that failed, in clock units."""
    whole = prognosis.held.whole
    _, first = np.unique(whole.unit, return_index=True)
    return float(np.median((whole.position + whole.left)[first])) * prognosis.fit.facts["bin_width"]
