r"""Gaussian process with a kernel per channel, averaged: one wild channel cannot change it by much.

.. math:: K(x, y) = \sigma_f^2 \frac1n \sum_j \exp(-(x_j - y_j)^2 / (2 \sigma_\ell^2))

However wrong one of n channels is, K between otherwise equal vectors stays at least (n - 1)/n of its peak, where a
product of kernels falls to 0. The training set is reduced to the mean row of each of eight directions of the state; the
result is rescaled by least squares through the origin.

Reference: Brandman, Burkhart et al. (2018), Neural Computation 30. The sectors of 45 degrees, in place of the targets
of a centre-out task, and the rescaling by least squares are ours.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve

from neurolatent.checks import InputError, positive, whole_number
from neurolatent.models.regressors.distances import pieces
from neurolatent.models.regressors.protocol import Anchors, Inputs, Targets


class Sectors(NamedTuple):
    """What is learned."""

    inputs: Float[np.ndarray, "points inputs"]
    weights: Float[np.ndarray, "points outputs"]  # with the gain


@dataclass(frozen=True)
class MultipleKernel:
    """Eight directions of a state in the plane, in units of z-scored channels."""

    n_sectors: int = 8
    length: float | int = 1.0  # sigma_l
    noise: float | int = 0.05  # sigma_n, in units of sigma_f

    def __post_init__(self) -> None:
        whole_number("n_sectors", self.n_sectors, 2)
        positive("length", self.length)
        positive("noise", self.noise)

    def learn(self, x: Inputs, z: Targets, generator: np.random.Generator, tuned: Sectors | None = None) -> Sectors:
        """The mean rows of the sectors, their weights, and the gain."""
        if z.shape[1] != 2:
            raise InputError(f"MultipleKernel works on a state in the plane, the target has {z.shape[1]} channels")
        points, targets = self._means(x, z)
        gram = mean_kernel(points, points, float(self.length)) + self.noise**2 * np.eye(len(points))
        weights = cho_solve(cho_factor(gram, lower=True), targets)
        told = self.predict(Sectors(points, weights), x)
        return Sectors(points, weights * (np.sum(told * z) / np.sum(told**2)))

    def _means(self, x: Inputs, z: Targets) -> tuple[Anchors, Float[np.ndarray, "points outputs"]]:
        """Mean input and target of the rows of each sector that are faster than the median."""
        speed = np.linalg.norm(z, axis=1)
        turn = np.arctan2(z[:, 1], z[:, 0]) % (2 * np.pi)
        sector = np.round(turn / (2 * np.pi / self.n_sectors)).astype(int) % self.n_sectors
        fast = speed > np.median(speed)
        kept = [fast & (sector == k) for k in range(self.n_sectors)]
        kept = [rows for rows in kept if rows.any()]
        return np.stack([x[rows].mean(axis=0) for rows in kept]), np.stack([z[rows].mean(axis=0) for rows in kept])

    def predict(self, learned: Sectors, x: Inputs) -> Targets:
        """The rescaled posterior mean at each row."""
        out = np.empty((len(x), learned.weights.shape[1]))
        for part in pieces(len(x), learned.inputs.size):
            out[part] = mean_kernel(x[part], learned.inputs, float(self.length)) @ learned.weights
        return out

    def restored(self, values: dict[str, np.ndarray]) -> Sectors:
        """The sectors, from their arrays by name."""
        return Sectors(**values)


def mean_kernel(x: Inputs, points: Anchors, length: float) -> Float[np.ndarray, "rows points"]:
    """The mean over channels of their squared-exponential kernels; 1 at equal rows."""
    return np.exp(-0.5 * ((x[:, None] - points) / length) ** 2).mean(axis=2)
