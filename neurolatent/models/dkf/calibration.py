r"""Covariances rescaled so that 95 % means 95 %, on rows that the regression has not seen.

The training rows are cut into blocks of time; each block is told by a regression that was learned of the others, the
whole is filtered, and one factor for :math:`Q, \Gamma` and :math:`S` together is read off: it leaves every mean as it
is and multiplies every decoded covariance. (A factor for :math:`Q` alone cannot do it: movements have heavier tails
than a normal law, and a :math:`Q` beyond :math:`S` says nothing any more. Measured on monkey reaching: no such factor
brings the ellipses to 95 %.)
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int
from scipy.special import chdtri

from neurolatent.models.dkf.decoding import discriminated, own_decoded
from neurolatent.models.dkf.filtering import Measured
from neurolatent.models.dkf.noise import noise_at
from neurolatent.models.dkf.params import DKFParams, Noise
from neurolatent.models.dkf.selection import DKFData
from neurolatent.models.regressors import HasOwnFilter, Regressor
from neurolatent.ops.decoding import squared_lengths

LEVEL = 0.95


class Calibrated(NamedTuple):
    """What the calibration found, of the 95 % ellipses on rows held out."""

    factor: float
    coverage_before: float
    coverage_after: float


def calibrate(
    choices: Any, regressor: Regressor, folds: int, params: DKFParams, data: DKFData, rows: Any, seen: Any
) -> Calibrated:
    """The factor under which the 95 % ellipses hold 95 % of the held-out rows.

    Args:
        rows: Training rows, scaled, and where they stand.
        seen: ``noise_rows``, the numbers of the rows of the noise, and the ``generator``.
    """
    if isinstance(regressor, HasOwnFilter):
        mean, cov = held_out_alone(choices, regressor, folds, params, data, rows, seen.generator)
    else:
        found = discriminated(choices, params, held_out(choices, regressor, folds, params, data, rows, seen))
        mean, cov = found.filtered.mean[rows.at], found.filtered.cov[rows.at]
    lengths = squared_lengths(rows.z * params.scaling.target_scale, mean, cov)
    bound = chdtri(rows.z.shape[1], 1 - LEVEL)
    factor = float(np.quantile(lengths, LEVEL) / bound)
    return Calibrated(factor, float(np.mean(lengths <= bound)), float(np.mean(lengths <= factor * bound)))


class Seen(NamedTuple):
    """What stands beside the rows in a calibration."""

    noise_rows: Int[np.ndarray, " residuals"]  # numbers of the rows of the noise
    generator: np.random.Generator


def held_out(
    choices: Any, regressor: Regressor, folds: int, params: DKFParams, data: DKFData, rows: Any, seen: Seen
) -> Measured:
    """Every training row as it is told by a regression, and a noise, that have not seen its block of time."""
    size, numbers = rows.z.shape[1], np.arange(len(rows.x))
    heard, is_constant = np.zeros(data.heard.shape, bool), bool(np.isnan(params.noise.bandwidth))
    heard[rows.at] = True
    mean, noise = np.zeros((*heard.shape, size)), np.tile(params.noise.mean, (*heard.shape, 1, 1))
    for block in np.array_split(numbers, folds):
        others = np.delete(numbers, block)
        learned = regressor.learn(rows.x[others], rows.z[others], seen.generator, tuned=params.regressor)
        place = rows.at[0][block], rows.at[1][block]
        mean[place] = regressor.predict(learned, rows.x[block]) * params.scaling.target_scale
        if not is_constant:
            outside = _without(params.noise, np.isin(seen.noise_rows, block))
            noise[place] = noise_at(outside, rows.x[block], choices.guard_count(size))
    return Measured(mean, params.noise.mean if is_constant else noise, heard)


def held_out_alone(
    choices: Any, regressor: Any, folds: int, params: DKFParams, data: DKFData, rows: Any, generator: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of every training row, by filters that have not learned its block of time."""
    numbers, means, covs = np.arange(len(rows.x)), [], []
    heard = np.zeros(data.heard.shape, bool)
    heard[rows.at] = True
    for block in np.array_split(numbers, folds):
        others = np.delete(numbers, block)
        learned = regressor.learn(rows.x[others], rows.z[others], generator, tuned=params.regressor)
        found = own_decoded(choices, regressor, params._replace(regressor=learned), data, heard).filtered
        means.append(found.mean[rows.at][block])
        covs.append(found.cov[rows.at][block])
    return np.concatenate(means), np.concatenate(covs)


def _without(noise: Noise, gone: np.ndarray) -> Noise:
    return noise._replace(inputs=noise.inputs[~gone], residuals=noise.residuals[~gone])
