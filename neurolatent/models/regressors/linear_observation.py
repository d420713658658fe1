r"""The Kalman filter's observation model, :math:`x = H z + N(0, \Lambda)`, as what it says of the state.

.. math:: Q = (S^{-1} + H^T \Lambda^{-1} H)^{-1}, \qquad f(x) = Q H^T \Lambda^{-1} x

With these the discriminative filter is the Kalman filter: :math:`Q^{-1} - S^{-1} = H^T \Lambda^{-1} H`. :math:`H` is by
least squares without an intercept, :math:`\Lambda` the mean outer product of what is left.

Reference: Burkhart et al. (2020), Neural Computation 32(5):969-1017, section on the Kalman filter as a special case.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from neurolatent.checks import at_least
from neurolatent.models.regressors.protocol import Inputs, Targets


class Observation(NamedTuple):
    """What is learned."""

    emission: Float[np.ndarray, "inputs outputs"]  # H
    noise: Float[np.ndarray, "inputs inputs"]  # Lambda
    stationary: Float[np.ndarray, "outputs outputs"]  # S under which it speaks of the state
    weights: Float[np.ndarray, "inputs outputs"]  # f(x) = x @ weights
    spread: Float[np.ndarray, "outputs outputs"]  # Q


@dataclass(frozen=True)
class LinearObservation:
    """Inputs are a linear function of the state, with Gaussian noise: the Kalman filter."""

    ridge: float | int = 0.0  # added to the noise's diagonal, relative to its mean; for more inputs than rows

    def __post_init__(self) -> None:
        at_least("ridge", self.ridge, 0.0)

    def learn(
        self, x: Inputs, z: Targets, generator: np.random.Generator, tuned: Observation | None = None
    ) -> Observation:
        """The observation model, under the stationary covariance of ``tuned`` or else that of the rows."""
        stationary = np.cov(z, rowvar=False).reshape(z.shape[1], -1) if tuned is None else tuned.stationary
        emission = np.linalg.lstsq(z, x, rcond=None)[0].T
        left = x - z @ emission.T
        noise = left.T @ left / len(x)
        return self.under(emission, noise + self.ridge * np.trace(noise) / len(noise) * np.eye(len(noise)), stationary)

    def under(self, emission: np.ndarray, noise: np.ndarray, stationary: np.ndarray) -> Observation:
        """What the model says of a state of that stationary covariance."""
        weighted = np.linalg.solve(noise, emission)
        spread = np.linalg.inv(np.linalg.inv(stationary) + emission.T @ weighted)
        spread = 0.5 * (spread + spread.T)
        return Observation(emission, noise, stationary, weighted @ spread, spread)

    def predict(self, learned: Observation, x: Inputs) -> Targets:
        """The state that each row speaks for, alone."""
        return x @ learned.weights

    def restored(self, values: dict[str, np.ndarray]) -> Observation:
        """The observation model, from its arrays by name."""
        return Observation(**values)
