"""Linear regression with a quadratic penalty."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from neurolatent.checks import at_least
from neurolatent.models.regressors.protocol import Inputs, Targets


class Line(NamedTuple):
    """What is learned."""

    weights: Float[np.ndarray, "inputs outputs"]
    intercept: Float[np.ndarray, " outputs"]


@dataclass(frozen=True)
class RidgeRegression:
    r"""Weights that minimise :math:`\sum |z - W x - b|^2 + \lambda m |W|^2` over m rows."""

    penalty: float | int = 1e-6  # lambda; only guards against collinear inputs. Ours
    intercept: bool = True

    def __post_init__(self) -> None:
        at_least("penalty", self.penalty, 0.0)

    def learn(self, x: Inputs, z: Targets, generator: np.random.Generator, tuned: Line | None = None) -> Line:
        """The weights."""
        centre, level = (x.mean(axis=0), z.mean(axis=0)) if self.intercept else (np.zeros(x.shape[1]),) * 2
        if not self.intercept:
            level = np.zeros(z.shape[1])
        inside = x - centre
        gram = inside.T @ inside + self.penalty * len(x) * np.eye(x.shape[1])
        weights = np.linalg.lstsq(gram, inside.T @ (z - level), rcond=None)[0]
        return Line(weights, level - centre @ weights)

    def predict(self, learned: Line, x: Inputs) -> Targets:
        """The line's value at each row."""
        return x @ learned.weights + learned.intercept

    def restored(self, values: dict[str, np.ndarray]) -> Line:
        """The line, from its arrays by name."""
        return Line(**values)
