"""Does what was learned hold up, whatever the engine? What suits models with states."""

from collections.abc import Iterable

import numpy as np

from neurolatent.diagnostics.rows import Row, graded
from neurolatent.result import Fit

SHARE_WARN, SHARE_FAIL = 0.01, 0.001  # share of all samples that the least visited state holds
COVERAGE_PASS, COVERAGE_WARN = 0.03, 0.08  # distance of the 90 % one-step interval's coverage from 90 %


def state_rows(fit: Fit) -> Iterable[Row]:
    """Are all states used, and told apart?"""
    smoothed = fit.idata["latents"]["smoothed"].values
    inside = np.isfinite(smoothed).all(axis=1)
    share = smoothed[inside].mean(axis=0)
    least, certain = float(share.min()), float(smoothed[inside].max(axis=1).mean())
    empty = ", ".join(str(k + 1) for k in np.flatnonzero(share < SHARE_WARN))
    rows = [
        Row(
            "share of the least visited state",
            least,
            f">= {SHARE_WARN}",
            graded(least, least >= SHARE_WARN, least >= SHARE_FAIL),
            f"State {empty} is (nearly) empty: choose fewer states." if empty else "",
        ),
        Row(
            "mean probability of the likeliest state",
            certain,
            ">= 0.7",
            graded(certain, certain >= 0.7, True),
            "The states are not well told apart: choose fewer, or state more knowledge.",
        ),
    ]
    if "agreement" in fit.idata["latents"]:
        agreement = float(fit.idata["latents"]["agreement"].values.min())
        advice = "Data and knowledge disagree on a sequence: look at its knowledge, and lower its confidence."
        rows.append(
            Row(
                "lowest log agreement of data and knowledge",
                agreement,
                ">= -50",
                graded(agreement, agreement >= -50, True),
                advice,
            )
        )
    return rows


def prediction_rows(fit: Fit) -> Iterable[Row]:
    """Are the one-step predictions calibrated and their residuals independent?"""
    latents = fit.idata["latents"]
    z = np.clip(latents["residual"].values, -40.0, 40.0)  # beyond that the probability is below the smallest number
    inside = np.isfinite(z).all(axis=1)
    covered = float((np.abs(z[inside]) <= 1.6448536269514722).mean())
    off = abs(covered - 0.9)
    ids = latents["sample_sequence"].values
    paired = inside[1:] & inside[:-1] & (ids[1:] == ids[:-1])
    lagged = [_correlation(z[1:, d][paired], z[:-1, d][paired]) for d in range(z.shape[1])]
    correlation = max(lagged, key=abs)
    return [
        Row(
            "coverage of the 90 % one-step intervals",
            covered,
            "0.87 to 0.93",
            graded(off, off <= COVERAGE_PASS, off <= COVERAGE_WARN),
            "The noise is not as the model says: try more states, another order, or look for outliers.",
        ),
        Row(
            "lag-1 correlation of the residuals",
            correlation,
            "within 0.2",
            graded(correlation, abs(correlation) <= 0.2, True),
            "The autoregression leaves structure: raise the order, or smooth the signal less.",
        ),
    ]


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Of paired values; 0 where there are too few to have one."""
    if len(x) < 3 or not (x.std() > 0 and y.std() > 0):
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def dynamics_rows(fit: Fit) -> Iterable[Row]:
    """Is each state's autoregression stable?"""
    coefficients = np.asarray(fit.params.coefficients)
    n_states, features, regressors = coefficients.shape
    order = (regressors - 1) // features
    if order == 0:
        return []
    lower = np.eye(features * (order - 1), features * order)
    companions = [np.vstack([coefficients[k, :, :-1], lower]) for k in range(n_states)]
    radius = float(max(np.abs(np.linalg.eigvals(c)).max() for c in companions))
    return [
        Row(
            "largest spectral radius of the dynamics",
            radius,
            "<= 1.02",
            graded(radius, radius <= 1.02, True),
            "A state grows without bound: legal for accelerating wear, but read long forecasts with care.",
        )
    ]
