r"""How far the regression is off, from residuals of rows that it has not seen.

Constant: :math:`\bar Q = \frac1m \sum r r^T`. Or Nadaraya-Watson on the outer products, which keeps them positive, with
a guard: far from the rows it would copy a single :math:`r r^T`, so it is mixed with :math:`\bar Q` by
:math:`w = n_0 / (n_0 + n_{eff})`, :math:`n_{eff}` the effective number of rows that weigh in.

Reference: Burkhart et al. (2020), Neural Computation 32(5):969-1017. The guard is ours.
"""

import numpy as np
from jaxtyping import Float

from neurolatent.models.dkf.params import Noise
from neurolatent.models.regressors.distances import pieces
from neurolatent.models.regressors.nadaraya_watson import best_bandwidth, weights_at

FLOOR = 1e-6  # of each matrix, relative to the mean variance
MOST_POINTS = 4000  # rows on which the bandwidth is sought


def constant_noise(inputs: Float[np.ndarray, "rows inputs"], residuals: Float[np.ndarray, "rows feature"]) -> Noise:
    """The mean outer product."""
    mean = residuals.T @ residuals / len(residuals)
    return Noise(mean, np.asarray(np.nan), inputs[:0], residuals[:0])


def local_noise(
    inputs: Float[np.ndarray, "rows inputs"], residuals: Float[np.ndarray, "rows feature"], bandwidth: float | None
) -> Noise:
    """Outer products at their inputs, with a bandwidth by leave-one-out error where none is given."""
    found = best_noise_bandwidth(inputs[:MOST_POINTS], residuals[:MOST_POINTS]) if bandwidth is None else bandwidth
    constant = constant_noise(inputs, residuals)
    return constant._replace(bandwidth=np.asarray(float(found)), inputs=inputs, residuals=residuals)


def noise_at(
    noise: Noise, x: Float[np.ndarray, "rows inputs"], guard: float
) -> Float[np.ndarray, "rows feature feature"]:
    """The covariance at each row; symmetric and positive definite.

    Args:
        guard: The n_0 of the guard; 0 for none.
    """
    size = len(noise.mean)
    if np.isnan(noise.bandwidth):
        return np.broadcast_to(noise.mean, (len(x), size, size))
    outer = np.einsum("ti,tj->tij", noise.residuals, noise.residuals).reshape(len(noise.residuals), -1)
    out = np.empty((len(x), size, size))
    for part in pieces(len(x), len(noise.inputs)):
        weights = weights_at(x[part], noise.inputs, float(noise.bandwidth))
        share = guard / (guard + 1.0 / np.sum(weights**2, axis=1))
        local = (weights @ outer).reshape(-1, size, size)
        out[part] = (1 - share)[:, None, None] * local + share[:, None, None] * noise.mean
    floor = FLOOR * np.trace(noise.mean) / size * np.eye(size)
    return 0.5 * (out + np.swapaxes(out, 1, 2)) + floor


def best_noise_bandwidth(
    inputs: Float[np.ndarray, "rows inputs"], residuals: Float[np.ndarray, "rows feature"]
) -> float:
    """The h^2 of the smallest leave-one-out error of the outer products, in units of the residuals' sizes."""
    scaled = residuals / residuals.std(axis=0)
    return best_bandwidth(inputs, np.einsum("ti,tj->tij", scaled, scaled).reshape(len(scaled), -1))
