r"""Covariances rescaled so that 95 % means 95 %, on rows that the regression has not seen.

The training rows are cut into blocks of time; each block is told by a regression that was learned of the others, the
whole is filtered, and one factor for :math:`Q, \Gamma` and :math:`S` together is read off: it leaves every mean as it
is and multiplies every decoded covariance. (A factor for :math:`Q` alone cannot do it: movements have heavier tails
than a normal law, and a :math:`Q` beyond :math:`S` says nothing any more. Measured on monkey reaching: no such factor
brings the ellipses to 95 %.)
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int
from scipy.optimize import brentq
from scipy.special import chdtri

from neurolatent.models.dkf.decoding import discriminated, own_decoded
from neurolatent.models.dkf.filtering import Measured
from neurolatent.models.dkf.noise import noise_at
from neurolatent.models.dkf.params import DKFParams, Noise
from neurolatent.models.dkf.selection import DKFData
from neurolatent.models.regressors import HasOwnFilter, Regressor
from neurolatent.ops.decoding import squared_lengths

LEVEL = 0.95
RANGE = 20.0  # of the factor's logarithm, to both sides
ROUNDING = 1e-8  # the row on the ellipse counts as inside


class Calibrated(NamedTuple):
    """What the calibration found, of the 95 % ellipses on rows held out."""

    factor: float
    coverage_before: float
    coverage_after: float


def calibrate(
    choices: Any, regressor: Regressor, folds: int, sets: Sequence[DKFParams], data: DKFData, rows: Any, seen: Any
) -> Calibrated:
    """The factor under which the 95 % ellipses hold 95 % of the held-out rows.

    Args:
        sets: Parameters that differ in the state model only; of several the decoded belief is their mixture, and the
            factor is that of the covariance under each one: what their means differ by is not scaled.
        rows: Training rows, scaled, and where they stand.
        seen: ``noise_rows``, the numbers of the rows of the noise, and the ``generator``.
    """
    if isinstance(regressor, HasOwnFilter):
        beliefs = held_out_alone(choices, regressor, folds, sets, data, rows, seen.generator)
    else:
        measured = held_out(choices, regressor, folds, sets[0], data, rows, seen)
        filtered = (discriminated(choices, params, measured).filtered for params in sets)
        beliefs = [(found.mean[rows.at], found.cov[rows.at]) for found in filtered]
    means = np.stack([mean for mean, _ in beliefs])
    mean, inside = means.mean(axis=0), sum(cov for _, cov in beliefs) / len(beliefs)
    between = np.einsum("kri,krj->rij", means - mean, means - mean) / len(means)
    truth = rows.z * sets[0].scaling.target_scale
    lengths = lambda factor: squared_lengths(truth, mean, factor * inside + between)  # noqa: E731
    bound = chdtri(rows.z.shape[1], 1 - LEVEL)
    factor = _factor(lambda log: float(np.quantile(lengths(np.exp(log)), LEVEL)) - bound)
    before, after = (float(np.mean(lengths(value) <= bound * (1 + ROUNDING))) for value in (1.0, factor))
    return Calibrated(factor, before, after)


def _factor(excess: Callable[[float], float]) -> float:
    """The factor whose logarithm is the root of a falling function; an end of the range where there is none."""
    low, high = -RANGE, RANGE
    if excess(low) <= 0:  # the draws alone are as wide as that
        return float(np.exp(low))
    if excess(high) >= 0:
        return float(np.exp(high))
    root: Any = brentq(excess, low, high, xtol=1e-10)
    return float(np.exp(root))


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
    choices: Any, regressor: Any, folds: int, sets: Sequence[DKFParams], data: DKFData, rows: Any, generator: Any
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean and covariance of every training row under each set, by filters that have not learned its block of time."""
    numbers, parts = np.arange(len(rows.x)), []
    heard = np.zeros(data.heard.shape, bool)
    heard[rows.at] = True
    for block in np.array_split(numbers, folds):
        others = np.delete(numbers, block)
        learned = regressor.learn(rows.x[others], rows.z[others], generator, tuned=sets[0].regressor)
        whole = [own_decoded(choices, regressor, p._replace(regressor=learned), data, heard).filtered for p in sets]
        parts.append([(found.mean[rows.at][block], found.cov[rows.at][block]) for found in whole])
    return [
        (np.concatenate([mean for mean, _ in blocks]), np.concatenate([cov for _, cov in blocks]))
        for blocks in zip(*parts, strict=True)
    ]


def _without(noise: Noise, gone: np.ndarray) -> Noise:
    return noise._replace(inputs=noise.inputs[~gone], residuals=noise.residuals[~gone])
