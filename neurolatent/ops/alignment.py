"""How well estimated latents tell true ones that they equal up to an affine map.

A latent is known only up to a map of its group, so the map is found by least squares on training samples, and what is
reported is measured on others.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from neurolatent.ops.decoding import interval_coverage, r_squared

Estimates = Float[np.ndarray, "_ estimates"]
Truths = Float[np.ndarray, "_ truths"]


class Affine(NamedTuple):
    """estimate @ slope + shift is the aligned estimate."""

    slope: Float[np.ndarray, "estimates truths"]
    shift: Float[np.ndarray, " truths"]

    def moved(self, mean: Estimates) -> Truths:
        """Aligned estimates."""
        return mean @ self.slope + self.shift

    def spread(self, sd: Estimates) -> Truths:
        """Standard deviations of aligned estimates whose parts are independent."""
        return np.sqrt(sd**2 @ self.slope**2)


class Alignment(NamedTuple):
    """Figures on test samples of each true latent, after maps that were found on training samples."""

    own: Float[np.ndarray, " truths"]  # R2 from the estimates of its own group; NaN where the group has none
    all: Float[np.ndarray, " truths"]  # R2 from all estimates: above its own where latents leak between groups
    leakage: Float[np.ndarray, "truths estimates"]  # R2 from a single estimate
    coverage: Float[np.ndarray, " truths"]  # share of samples inside the 95 % band of its own group's estimates


def affine(estimate: Estimates, truth: Truths) -> Affine:
    """The affine map of least squares from estimates to truths."""
    centre, aim = estimate.mean(axis=0), truth.mean(axis=0)
    slope = np.linalg.lstsq(estimate - centre, truth - aim, rcond=None)[0]
    return Affine(slope, aim - centre @ slope)


def align(
    train: tuple[Estimates, Truths],
    test: tuple[Estimates, Truths],
    sd: Estimates,
    groups: Bool[np.ndarray, "truths estimates"],
) -> Alignment:
    """Alignment of estimates with truths.

    Args:
        train: Estimates and truths of training samples.
        test: The same of the samples that are scored.
        sd: Posterior standard deviations of the estimates of ``test``.
        groups: Which estimates belong to the group of each truth.
    """
    known, truth = train[1], test[1]

    def score(columns: np.ndarray) -> np.ndarray:
        return r_squared(truth, affine(train[0][:, columns], known).moved(test[0][:, columns]))

    n_truths, n_estimates = groups.shape
    own, coverage = np.full(n_truths, np.nan), np.full(n_truths, np.nan)
    for n in np.flatnonzero(groups.any(axis=1)):
        columns, one = groups[n], slice(n, n + 1)
        found = affine(train[0][:, columns], known[:, one])
        moved, spread = found.moved(test[0][:, columns]), found.spread(sd[:, columns])
        own[n] = r_squared(truth[:, one], moved)[0]
        coverage[n] = interval_coverage(truth[:, one], moved, spread, 0.95)[0]
    leakage = np.stack([score(np.arange(n_estimates) == k) for k in range(n_estimates)], axis=1)
    return Alignment(own, score(np.ones(n_estimates, bool)), leakage, coverage)
