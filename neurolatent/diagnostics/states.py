"""Does what was learned hold up, whatever the engine? What suits models with states."""

from collections.abc import Iterable

import numpy as np

from neurolatent.diagnostics.rows import Row, graded
from neurolatent.result import Fit

SHARE_WARN, SHARE_FAIL = 0.02, 0.001  # share of all samples that the least visited state holds
VARIANCE_LOW, VARIANCE_HIGH = 0.8, 1.25  # of residuals that have variance 1 if the model is right; ours
COVERAGE_PASS, COVERAGE_WARN = 0.03, 0.08  # distance of the 90 % one-step interval's coverage from 90 %


def state_rows(fit: Fit) -> Iterable[Row]:
    """Are all states used, and told apart?"""
    if "smoothed" not in fit.idata["latents"]:
        return []
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
    rows += _dwell_rows(fit)
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


def _dwell_rows(fit: Fit) -> list[Row]:
    """Does a state that can be left last longer than a single sample?"""
    stay = np.diagonal(np.asarray(fit.params.transition))
    if len(stay) == 1:
        return []
    shortest = float(np.min(1 / np.maximum(1 - stay, 1e-12)))
    return [
        Row(
            "shortest expected stay in a state (samples)",
            shortest,
            ">= 2",
            graded(shortest, shortest >= 2, True),
            "A state that is left at once explains single samples, not a condition: choose fewer, or a larger kappa.",
        )
    ]


def prediction_rows(fit: Fit) -> Iterable[Row]:
    """Are the one-step predictions calibrated and their residuals independent?

    Residuals of counts and choices are not normal: of these the variance is asked for instead of a coverage.
    """
    latents = fit.idata["latents"]
    if not fit.model.residual_is_normal:
        return _pearson_rows(latents["residual"].values, latents["sample_sequence"].values)
    if "residual" not in latents:
        return []
    z = np.clip(latents["residual"].values, -40.0, 40.0)  # beyond that the probability is below the smallest number
    inside = np.isfinite(z).all(axis=1)
    spread = _coverage(z[inside]) if fit.model.residual_is_normal else _dispersion(z[inside])
    correlation = _largest_lagged(z, latents["sample_sequence"].values)
    return [
        spread,
        Row(
            "lag-1 correlation of the residuals",
            correlation,
            "within 0.2",
            graded(correlation, abs(correlation) <= 0.2, True),
            "The regression on the past leaves structure: take more lags, or smooth the signal less.",
        ),
    ]


def _coverage(z: np.ndarray) -> Row:
    """Of the 90 % intervals, where residuals are standard normal."""
    covered = float((np.abs(z) <= 1.6448536269514722).mean())
    off = abs(covered - 0.9)
    return Row(
        "coverage of the 90 % one-step intervals",
        covered,
        "0.87 to 0.93",
        graded(off, off <= COVERAGE_PASS, off <= COVERAGE_WARN),
        "The noise is not as the model says: try more states, another order, or look for outliers.",
    )


def _dispersion(z: np.ndarray) -> Row:
    """Variance of the Pearson residuals of counts and choices: that of the channel where it is farthest from 1."""
    variance = (z**2).mean(axis=0)
    worst = float(variance[np.argmax(np.abs(np.log(np.maximum(variance, 1e-12))))])
    off = abs(np.log(max(worst, 1e-12)))
    return Row(
        "dispersion of the one-step predictions (worst channel)",
        worst,
        "0.8 to 1.25",
        graded(off, off <= np.log(1.25), off <= np.log(2.0)),
        "Above 1 the data vary more than the model says, below 1 less: try more states, another history, other bins.",
    )


def _pearson_rows(residual: np.ndarray, ids: np.ndarray) -> Iterable[Row]:
    """Variance and lag-1 correlation of (y - mean) / sd, of the channel that is farthest off."""
    variances = np.nanvar(residual, axis=0)
    variance = float(variances[np.argmax(np.abs(np.log(np.maximum(variances, 1e-12))))])
    correlation = _largest_lagged(residual, ids)
    return [
        Row(
            "variance of the residuals, the channel farthest from 1",
            variance,
            f"{VARIANCE_LOW} to {VARIANCE_HIGH}",
            graded(variance, VARIANCE_LOW <= variance <= VARIANCE_HIGH, True),
            "Counts vary otherwise than the model says: try more states, covariates, or another bin width.",
        ),
        Row(
            "lag-1 correlation of the residuals",
            correlation,
            "within 0.2",
            graded(correlation, abs(correlation) <= 0.2, True),
            "The past leaves structure: add history or covariates of earlier samples.",
        ),
    ]


def _largest_lagged(z: np.ndarray, ids: np.ndarray) -> float:
    """The largest correlation, over channels, of samples with those before them in the same sequence."""
    inside = np.isfinite(z)
    paired = inside[1:] & inside[:-1] & (ids[1:] == ids[:-1])[:, None]
    lagged = [_correlation(z[1:, d][paired[:, d]], z[:-1, d][paired[:, d]]) for d in range(z.shape[1])]
    return max(lagged, key=abs)


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Of paired values; 0 where there are too few to have one."""
    if len(x) < 3 or not (x.std() > 0 and y.std() > 0):
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def dynamics_rows(fit: Fit) -> Iterable[Row]:
    """Is each state's autoregression stable?"""
    if "coefficients" not in fit.params._fields:
        return []
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
