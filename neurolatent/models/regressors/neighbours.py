"""The mean of the targets of the nearest training rows."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from neurolatent.checks import InputError, whole_number
from neurolatent.models.regressors.distances import pieces, squared_distances
from neurolatent.models.regressors.protocol import Inputs, Targets


class Rows(NamedTuple):
    """What is learned: the training rows."""

    inputs: Float[np.ndarray, "points inputs"]
    targets: Float[np.ndarray, "points outputs"]


@dataclass(frozen=True)
class Neighbours:
    """k nearest neighbours, all with the same weight."""

    n_neighbours: int = 50  # ours: the size that the specification measured

    def __post_init__(self) -> None:
        whole_number("n_neighbours", self.n_neighbours, 1)

    def learn(self, x: Inputs, z: Targets, generator: np.random.Generator, tuned: Rows | None = None) -> Rows:
        """The training rows."""
        if len(x) < self.n_neighbours:
            raise InputError(f"n_neighbours is {self.n_neighbours}, but there are {len(x)} training rows: lower it")
        return Rows(x, z)

    def predict(self, learned: Rows, x: Inputs) -> Targets:
        """The mean of the neighbours at each row."""
        out = np.empty((len(x), learned.targets.shape[1]))
        for part in pieces(len(x), len(learned.inputs)):
            distances = squared_distances(x[part], learned.inputs)
            nearest = np.argpartition(distances, self.n_neighbours - 1, axis=1)[:, : self.n_neighbours]
            out[part] = learned.targets[nearest].mean(axis=1)
        return out

    def restored(self, values: dict[str, np.ndarray]) -> Rows:
        """The rows, from their arrays by name."""
        return Rows(**values)
