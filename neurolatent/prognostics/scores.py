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


def pinball_crps(
    quantile: Float[np.ndarray, "units levels"],
    levels: Float[np.ndarray, " levels"],
    truth: Float[np.ndarray, " units"],
) -> Float[np.ndarray, " units"]:
    r"""Continuous ranked probability score of each unit from its quantiles, in the units of the truth.

    .. math:: CRPS = 2 \int_0^1 (y - q_\tau)(\tau - [y < q_\tau])\, d\tau

    by the trapezoidal rule between the levels; beyond the outermost ones their quantiles stand for what is not known.

    Reference: Gneiting and Raftery (2007), JASA 102:359-378, eq. 50 ff.
    """
    gap = np.asarray(truth, float)[:, None] - quantile
    late, first, last = gap < 0, levels[0], levels[-1]
    inside = np.trapezoid(gap * (levels - late), levels, axis=1)
    below = gap[:, 0] * (first**2 / 2 - late[:, 0] * first)
    above = gap[:, -1] * ((1 - last**2) / 2 - late[:, -1] * (1 - last))
    return 2 * (inside + below + above)


def at_level(
    quantile: Float[np.ndarray, "units levels"], levels: Float[np.ndarray, " levels"], level: float
) -> Float[np.ndarray, " units"]:
    """The quantile of each unit at one level, on straight lines between those that are known."""
    place = float(np.interp(level, levels, np.arange(len(levels))))
    low = min(int(place), len(levels) - 2)
    return quantile[:, low] + (place - low) * (quantile[:, low + 1] - quantile[:, low])


def interval_of(
    quantile: Float[np.ndarray, "units levels"], levels: Float[np.ndarray, " levels"], mass: float
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the central intervals that hold this probability."""
    return at_level(quantile, levels, 0.5 - mass / 2), at_level(quantile, levels, 0.5 + mass / 2)


def alpha_lambda(
    estimate: Float[np.ndarray, " rows"], truth: Float[np.ndarray, " rows"], *, alpha: float = 0.2
) -> Float[np.ndarray, " rows"]:
    """1 where an estimate lies within ``alpha`` times the true remaining life, else 0.

    Averaged over rows at one share lambda of life it is the accuracy of that name.

    Reference: Saxena, Celaya, Saha, Saha and Goebel (2010), Metrics for offline evaluation of prognostic performance,
    IJPHM 1(1).
    """
    return (np.abs(np.asarray(estimate, float) - truth) <= alpha * np.asarray(truth, float)).astype(float)


def acting_cost(
    planned: Float[np.ndarray, "*plans units"], truth: Float[np.ndarray, " units"], *, failure: float | int
) -> Float[np.ndarray, "*plans units"]:
    """What it costs to take a unit off after ``planned`` steps, in steps of life.

    Too early costs the life that is thrown away; a unit that fails before the plan costs ``failure`` steps instead.
    """
    planned, truth = np.asarray(planned, float), np.asarray(truth, float)
    return np.where(truth < planned, failure, truth - planned)


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
