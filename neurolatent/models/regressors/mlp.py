"""A small neural network: hidden layers of tanh units and a linear read-out, squared error with a quadratic penalty.

Reference: Burkhart et al. (2020), Neural Computation 32(5):969-1017 (one layer of 10 units, Bayesian regularisation);
the penalty in its place, and L-BFGS, are ours.
"""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from neurolatent.checks import at_least, whole_number
from neurolatent.models.regressors.protocol import Inputs, Targets


class Network(NamedTuple):
    """What is learned: of one hidden layer."""

    hidden: Float[np.ndarray, "inputs units"]
    hidden_level: Float[np.ndarray, " units"]
    readout: Float[np.ndarray, "units outputs"]
    readout_level: Float[np.ndarray, " outputs"]


@dataclass(frozen=True)
class MLP:
    """One hidden layer of tanh units, trained by L-BFGS."""

    units: int = 10
    penalty: float | int = 1e-2
    steps: int = 300

    def __post_init__(self) -> None:
        for name in ("units", "steps"):
            whole_number(name, getattr(self, name), 1)
        at_least("penalty", self.penalty, 0.0)

    def learn(self, x: Inputs, z: Targets, generator: np.random.Generator, tuned: Network | None = None) -> Network:
        """The weights, from a random start."""
        from sklearn.exceptions import ConvergenceWarning  # slow to import
        from sklearn.neural_network import MLPRegressor

        seed = int(generator.integers(2**31 - 1))
        net = MLPRegressor(
            hidden_layer_sizes=(self.units,),
            activation="tanh",
            solver="lbfgs",
            alpha=self.penalty,
            max_iter=self.steps,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the steps are a choice
            net.fit(x, z if z.shape[1] > 1 else z[:, 0])
        (hidden, readout), levels = net.coefs_, net.intercepts_
        return Network(hidden, levels[0], readout, levels[1])

    def predict(self, learned: Network, x: Inputs) -> Targets:
        """The network's value at each row."""
        return np.tanh(x @ learned.hidden + learned.hidden_level) @ learned.readout + learned.readout_level

    def restored(self, values: dict[str, np.ndarray]) -> Network:
        """The network, from its arrays by name."""
        return Network(**values)
