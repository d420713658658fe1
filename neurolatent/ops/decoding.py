"""How well a continuous state was decoded: errors, shares of variance, angles, and whether its spread was honest."""

import numpy as np
from jaxtyping import Float
from scipy.special import chdtri, ndtr, ndtri

Rows = Float[np.ndarray, "time outputs"]


def nrmse(truth: Rows, estimate: Rows) -> float:
    """Root mean squared error over the root mean square of the truth: 1 is what guessing zero gives."""
    return float(np.sqrt(np.mean((estimate - truth) ** 2) / np.mean(truth**2)))


def angle_error(truth: Rows, estimate: Rows, slowest: float = 0.0) -> float:
    """Mean absolute angle between true and estimated vectors in the plane, radians; chance is pi / 2.

    Args:
        slowest: Rows whose true length is below it are left out: near zero the angle means little.
    """
    if truth.shape[1] != 2:
        raise ValueError(f"angles need two outputs, got {truth.shape[1]}")
    kept = np.linalg.norm(truth, axis=1) >= slowest
    turn = np.arctan2(estimate[kept, 1], estimate[kept, 0]) - np.arctan2(truth[kept, 1], truth[kept, 0])
    return float(np.mean(np.abs((turn + np.pi) % (2 * np.pi) - np.pi)))


def r_squared(truth: Rows, estimate: Rows) -> Float[np.ndarray, " outputs"]:
    """1 - SSE / SST of each output, about the mean of the truth that is scored; may be negative."""
    return 1 - np.sum((truth - estimate) ** 2, axis=0) / np.sum((truth - truth.mean(axis=0)) ** 2, axis=0)


def correlation(truth: Rows, estimate: Rows) -> Float[np.ndarray, " outputs"]:
    """Pearson correlation of each output."""
    a, b = truth - truth.mean(axis=0), estimate - estimate.mean(axis=0)
    return np.sum(a * b, axis=0) / np.sqrt(np.sum(a**2, axis=0) * np.sum(b**2, axis=0))


def squared_lengths(
    truth: Rows, mean: Rows, cov: Float[np.ndarray, "time outputs outputs"]
) -> Float[np.ndarray, " time"]:
    """Squared Mahalanobis distances; chi-squared with as many degrees as outputs where the covariance is right."""
    off = truth - mean
    return np.einsum("ti,ti->t", off, np.linalg.solve(cov, off[..., None])[..., 0])


def ellipse_coverage(truth: Rows, mean: Rows, cov: Float[np.ndarray, "time outputs outputs"], level: float) -> float:
    """Share of rows whose truth lies in the central ellipse of that probability."""
    return float(np.mean(squared_lengths(truth, mean, cov) <= chdtri(truth.shape[1], 1 - level)))


def interval_coverage(truth: Rows, mean: Rows, sd: Rows, level: float) -> Float[np.ndarray, " outputs"]:
    """Share of rows whose truth lies in each output's central interval of that probability."""
    return np.mean(np.abs(truth - mean) <= ndtri(0.5 + level / 2) * sd, axis=0)


def integral_transform(truth: Rows, mean: Rows, sd: Rows) -> Rows:
    """Probability of less than the truth under each row's normal belief: uniform where the beliefs are right."""
    return ndtr((truth - mean) / sd)
