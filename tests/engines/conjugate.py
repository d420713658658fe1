"""The posterior and the evidence of a vector autoregression with one state, in closed form: NumPy and SciPy only.

The prior is matrix-normal inverse-Wishart, so the posterior is: Murphy (2012), Machine Learning, section 7.6.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import multigammaln


class Exact(NamedTuple):
    """Moments of the marginals, and the log evidence."""

    mean: dict[str, np.ndarray]
    sd: dict[str, np.ndarray]
    log_evidence: float


def posterior(y: np.ndarray, mean: np.ndarray, precision: np.ndarray, freedom: float, scatter: np.ndarray) -> Exact:
    """Of one sequence (time, features) with one lag and an intercept, given its first sample."""
    z, y = np.column_stack([y[:-1], np.ones(len(y) - 1)]), y[1:]
    size, features = y.shape
    k0, s0 = np.diag(precision), np.diag(scatter)
    kn = k0 + z.T @ z
    wn = (mean @ k0 + y.T @ z) @ np.linalg.inv(kn)
    sn = s0 + y.T @ y + mean @ k0 @ mean.T - wn @ kn @ wn.T
    nu = freedom + size
    expected = sn / (nu - features - 1)
    weights_sd = np.sqrt(np.outer(np.diag(expected), np.diag(np.linalg.inv(kn))))
    a, b = nu - features, np.outer(np.diag(sn), np.diag(sn))
    variance = ((a + 1) * sn**2 + (a - 1) * b) / (a * (a - 1) ** 2 * (a - 3))
    log_det = lambda m: np.linalg.slogdet(m)[1]  # noqa: E731
    evidence = (
        -0.5 * size * features * np.log(np.pi)
        + 0.5 * features * (log_det(k0) - log_det(kn))
        + 0.5 * (freedom * log_det(s0) - nu * log_det(sn))
        + multigammaln(0.5 * nu, features)
        - multigammaln(0.5 * freedom, features)
    )
    return Exact(
        {"coefficients": wn, "covariance": expected},
        {"coefficients": weights_sd, "covariance": np.sqrt(variance)},
        float(evidence),
    )
