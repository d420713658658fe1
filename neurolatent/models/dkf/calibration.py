"""The noise rescaled so that 95 % means 95 %, on rows that the regression has not seen.

The training rows are cut into blocks of time; each block is told by a regression that was learned of the others, the
whole is filtered, and the noise's factor is sought under which the 95 % ellipses hold 95 % of the true states.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Int

from neurolatent.models.dkf.filtering import Measured, decode
from neurolatent.models.dkf.noise import noise_at
from neurolatent.models.dkf.params import DKFParams, Noise
from neurolatent.models.dkf.selection import DKFData
from neurolatent.models.regressors import Regressor
from neurolatent.ops.decoding import ellipse_coverage

LEVEL = 0.95
WIDEST = 30.0  # factors from 1 / WIDEST to WIDEST are tried
HALVINGS = 14


class Calibrated(NamedTuple):
    """What the calibration found."""

    factor: float
    coverage_before: float  # of the 95 % ellipses, rows held out
    coverage_after: float

    def warnings(self) -> tuple[str, ...]:
        """A sentence where it did not come near its aim."""
        if abs(self.coverage_after - LEVEL) <= 0.02:
            return ()
        return (f"No scale of the noise makes the 95 % ellipses hold 95 %: at the best {self.coverage_after:.1%}.",)


def calibrate(
    choices: Any,
    regressor: Regressor,
    folds: int,
    params: DKFParams,
    data: DKFData,
    rows: Any,
    residual_rows: Int[np.ndarray, " residuals"],
    generator: np.random.Generator,
) -> Calibrated:
    """The factor, by halving: wider noise holds more."""
    measured = held_out(choices, regressor, folds, params, data, rows, residual_rows, generator)

    def coverage(factor: float) -> float:
        found = decode(choices.how, params.state, measured._replace(noise=factor * measured.noise)).filtered
        mean, cov = found.mean[rows.at], found.cov[rows.at]
        return ellipse_coverage(rows.z * params.scaling.target_scale, mean, cov, LEVEL)

    low, high = -np.log(WIDEST), np.log(WIDEST)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if coverage(float(np.exp(middle))) < LEVEL else (low, middle)
    factor = float(np.exp(0.5 * (low + high)))
    return Calibrated(factor, coverage(1.0), coverage(factor))


def held_out(
    choices: Any,
    regressor: Regressor,
    folds: int,
    params: DKFParams,
    data: DKFData,
    rows: Any,
    residual_rows: Array | np.ndarray,
    generator: np.random.Generator,
) -> Measured:
    """Every training row as it is told by a regression, and a noise, that have not seen its block of time."""
    size = rows.z.shape[1]
    heard = np.zeros(data.heard.shape, bool)
    heard[rows.at] = True
    mean, noise = np.zeros((*heard.shape, size)), np.tile(params.noise.mean, (*heard.shape, 1, 1))
    for block in np.array_split(np.arange(len(rows.x)), folds):
        others = np.delete(np.arange(len(rows.x)), block)
        learned = regressor.learn(rows.x[others], rows.z[others], generator, tuned=params.regressor)
        place = rows.at[0][block], rows.at[1][block]
        mean[place] = regressor.predict(learned, rows.x[block]) * params.scaling.target_scale
        if not np.isnan(params.noise.bandwidth):
            outside = _without(params.noise, np.isin(residual_rows, block))
            noise[place] = noise_at(outside, rows.x[block], choices.guard_count(size))
    return Measured(mean, params.noise.mean if np.isnan(params.noise.bandwidth) else noise, heard)


def _without(noise: Noise, gone: np.ndarray) -> Noise:
    return noise._replace(inputs=noise.inputs[~gone], residuals=noise.residuals[~gone])
