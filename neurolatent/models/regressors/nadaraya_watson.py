r"""Nadaraya-Watson regression: a mean of the training targets, weighted by how near their inputs are.

.. math:: f(x) = \sum_i z_i k(x, x_i) / \sum_i k(x, x_i), \qquad k = \exp(-|x - x_i|^2 / (2 h^2))

Reference: Burkhart et al. (2020), Neural Computation 32(5):969-1017, and their released code (parameter :math:`h^2`).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar

from neurolatent.checks import positive, whole_number
from neurolatent.models.regressors.distances import normalised_weights, pieces, squared_distances
from neurolatent.models.regressors.protocol import Anchors, Inputs, Targets

BOUNDS = (1e-2, 50.0)  # of h^2 times the number of inputs over 10: where a bandwidth is looked for


class Points(NamedTuple):
    """What is learned."""

    inputs: Float[np.ndarray, "points inputs"]
    targets: Float[np.ndarray, "points outputs"]
    bandwidth: Float[np.ndarray, ""]  # h^2


@dataclass(frozen=True)
class NadarayaWatson:
    """One isotropic bandwidth, found by the leave-one-out mean squared error unless it is given."""

    bandwidth: float | int | None = None  # h^2, in squared units of the inputs
    most_points: int = 4000  # rows on which the bandwidth is sought, a random choice; all rows are kept

    def __post_init__(self) -> None:
        whole_number("most_points", self.most_points, 2)
        if self.bandwidth is not None:
            positive("bandwidth", self.bandwidth)

    def learn(self, x: Inputs, z: Targets, generator: np.random.Generator, tuned: Points | None = None) -> Points:
        """The training rows and the bandwidth."""
        if tuned is not None:
            return Points(x, z, tuned.bandwidth)
        if self.bandwidth is not None:
            return Points(x, z, np.asarray(float(self.bandwidth)))
        some = slice(None)
        if len(x) > self.most_points:
            some = np.sort(generator.choice(len(x), self.most_points, replace=False))
        return Points(x, z, np.asarray(best_bandwidth(x[some], z[some])))

    def predict(self, learned: Points, x: Inputs) -> Targets:
        """The weighted mean at each row; far from all points it is that of the nearest."""
        out = np.empty((len(x), learned.targets.shape[1]))
        for part in pieces(len(x), len(learned.inputs)):
            out[part] = weights_at(x[part], learned.inputs, float(learned.bandwidth)) @ learned.targets
        return out

    def restored(self, values: dict[str, np.ndarray]) -> Points:
        """The points, from their arrays by name."""
        return Points(**values)


def weights_at(x: Inputs, points: Anchors, bandwidth: float) -> Float[np.ndarray, "rows points"]:
    """Normalised weights of the points at each row."""
    log_weights = squared_distances(x, points)
    log_weights *= -0.5 / bandwidth
    return normalised_weights(log_weights)


def leave_one_out_error(distances: Float[np.ndarray, "rows rows"], z: Targets, bandwidth: float) -> float:
    """Mean squared error, over points and outputs, of each point told by the others."""
    log_weights = distances * (-0.5 / bandwidth)
    np.fill_diagonal(log_weights, -np.inf)
    return float(np.mean((normalised_weights(log_weights) @ z - z) ** 2))


def best_bandwidth(x: Inputs, z: Targets) -> float:
    """The h^2 of the smallest leave-one-out error: a bounded search over its logarithm, to 1e-3."""
    distances = squared_distances(x, x)
    low, high = np.log(np.asarray(BOUNDS) * x.shape[1] / 10)
    found = minimize_scalar(
        lambda log: leave_one_out_error(distances, z, float(np.exp(log))),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-3},
    )
    return float(np.exp(found.x))
