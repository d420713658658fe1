"""Measured rows of a made-up prognosis whose distributions are known in closed form."""

import numpy as np
from scipy.stats import norm

from neurolatent.prognostics.calibration import LEVELS
from neurolatent.prognostics.measures import Measured
from neurolatent.prognostics.prognosis import FUSION
from neurolatent.prognostics.row import Told


def normal_told(mean: np.ndarray, sd: np.ndarray) -> Told:
    """Normal predictive distributions, not below zero."""
    quantile = np.maximum(mean[:, None] + sd[:, None] * norm.ppf(LEVELS), 0.0)
    return Told(mean, sd, quantile, np.zeros(len(mean)))


def made_up(units: int = 60, rows: int = 20, *, narrow: float = 1.0, late: float = 0.0, seed: int = 0) -> Measured:
    """Truths that are drawn from what was told; ``narrow`` divides the told spread, ``late`` is added to what is told.

    Lines: the fusion, one with twice its error, and age alone, which says the same of all.
    """
    rng = np.random.default_rng(seed)
    centre = rng.uniform(40, 140, units * rows)
    sd = 0.05 * centre
    left = centre + sd * rng.standard_normal(len(centre))
    told = {
        FUSION: normal_told(centre + late, sd / narrow),
        "worse": normal_told(centre + 2 * sd * rng.standard_normal(len(centre)), 2 * sd),
        "survivors": normal_told(np.full(len(centre), 90.0), np.full(len(centre), 30.0)),
    }
    return Measured(told, left, np.repeat(np.arange(units), rows), rng.uniform(size=len(left)), 200.0)


def with_line(measured: Measured, name: str, told: Told) -> Measured:
    """The same with one line replaced or added."""
    return measured._replace(told={**measured.told, name: told})
