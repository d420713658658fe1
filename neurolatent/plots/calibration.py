"""Whether predictions are as sure as they claim: probability integral transform, and coverage of intervals."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.stats import norm

from neurolatent.plots.style import ACCENT, INK, MUTED, axes_or_new

LEVELS = np.linspace(0.05, 0.95, 19)


def standardised(values: ArrayLike, mean: ArrayLike, sd: ArrayLike) -> np.ndarray:
    """Residuals in predicted standard deviations, one row; entries that are not known are left out."""
    z = (np.asarray(values, float) - np.asarray(mean, float)) / np.asarray(sd, float)
    return z[np.isfinite(z)]


def pit_histogram(residual: ArrayLike, *, bins: int = 20, ax: Axes | None = None) -> Axes:
    """Histogram of the predictive probability below each observation: flat where the predictions are calibrated.

    Args:
        residual: Standardised residuals; NaN is left out.
    """
    return probability_histogram(norm.cdf(np.asarray(residual, float)), bins=bins, ax=ax)


def probability_histogram(probability: ArrayLike, *, bins: int = 20, ax: Axes | None = None) -> Axes:
    """The same from the predictive probabilities themselves, where the predictions are not normal; NaN is left out."""
    ax = axes_or_new(ax)
    values = np.asarray(probability, float)
    share, edges = np.histogram(values[np.isfinite(values)], bins=bins, range=(0, 1))
    share = share / max(share.sum(), 1) * bins
    ax.bar(edges[:-1], share, width=np.diff(edges), align="edge", facecolor=ACCENT, alpha=0.55, edgecolor="none")
    ax.axhline(1.0, color=INK, linestyle="--", linewidth=1.0, label="calibrated")
    ax.set_ylim(0, 1.25 * max(float(share.max()), 1.0))
    ax.set(xlim=(0, 1), xlabel="predictive probability below the observation", ylabel="density (1 = calibrated)")
    ax.legend(loc="upper right")
    return ax


def coverage_of(residual: ArrayLike, levels: ArrayLike = LEVELS) -> np.ndarray:
    """Share of standardised residuals inside the central normal intervals of these levels."""
    z = np.abs(np.asarray(residual, float))
    z = z[np.isfinite(z)]
    half = norm.ppf(0.5 + np.asarray(levels, float) / 2)
    return np.array([np.mean(z <= h) if len(z) else np.nan for h in half])


def coverage_curve(residual: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """Share of observations inside each central interval against the share that was promised."""
    ax = axes_or_new(ax)
    ax.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1.0, label="as promised")
    found = coverage_of(residual)
    ax.plot(LEVELS, found, color=ACCENT, marker="o", markersize=3, label="found")
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="promised coverage of the interval", ylabel="share inside")
    ax.legend(loc="upper left")
    return ax
