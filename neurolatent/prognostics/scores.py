"""Scores of remaining life: the errors are d = estimate - truth, positive = late = dangerous.

Reference: the prognostics challenge score and accuracy as used by Ramasso (2014), IJPHM 5:005.
"""

import numpy as np
from jaxtyping import Float

from neurolatent.checks import InputError

CAP = 125.0  # cycles; many papers cap estimates and test labels there


def challenge_score(error: Float[np.ndarray, " units"]) -> float:
    """Sum of exp(-d/13) - 1 for early and exp(d/10) - 1 for late estimates."""
    d = np.asarray(error, float)
    return float(np.sum(np.expm1(np.where(d < 0, -d / 13, d / 10))))


def accuracy(error: Float[np.ndarray, " units"]) -> float:
    """Percentage of errors in [-13, 10]."""
    d = np.asarray(error, float)
    return float(100 * np.mean((d >= -13) & (d <= 10)))


def rmse(estimate: Float[np.ndarray, " units"], truth: Float[np.ndarray, " units"]) -> float:
    """Root mean square error."""
    return float(np.sqrt(np.mean((np.asarray(estimate, float) - np.asarray(truth, float)) ** 2)))


def percentage_error(estimate: Float[np.ndarray, " units"], truth: Float[np.ndarray, " units"]) -> float:
    """Mean of 100 abs(d) / truth.

    Raises:
        InputError: A truth of zero.
    """
    truth = np.asarray(truth, float)
    if (truth == 0).any():
        raise InputError(
            f"the percentage error needs true lives above 0; unit number {int(np.argmax(truth == 0))} has 0"
        )
    return float(100 * np.mean(np.abs(np.asarray(estimate, float) - truth) / truth))


def life_scores(
    estimate: Float[np.ndarray, " units"], truth: Float[np.ndarray, " units"], cap: float = CAP
) -> dict[str, float]:
    """All scores; ``rmse_capped`` compares with min(truth, cap). Estimates are capped in both."""
    point, truth = np.minimum(np.asarray(estimate, float), cap), np.asarray(truth, float)
    error = point - truth
    return {
        "rmse": rmse(point, truth),
        f"rmse_capped{cap:g}": rmse(point, np.minimum(truth, cap)),
        "mae": float(np.mean(np.abs(error))),
        "score": challenge_score(error),
        "accuracy": accuracy(error),
        "early": float(np.mean(error < 0)),
        "late": float(np.mean(error >= 0)),
    }
