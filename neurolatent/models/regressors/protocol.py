"""What a regression from observation to state is: choices that learn arrays, and predict from them."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from neurolatent.ops.kalman import Dynamics, Filtered

Inputs = Float[np.ndarray, "rows inputs"]
Anchors = Float[np.ndarray, "points inputs"]  # rows that were kept of training
Targets = Float[np.ndarray, "rows outputs"]


@runtime_checkable
class Regressor(Protocol):
    """The choices of a regression, a frozen dataclass; what it learns is a NamedTuple of arrays.

    Inputs and targets come scaled to about unit size; time is of no account.
    """

    def learn(self, x: Inputs, z: Targets, generator: np.random.Generator, tuned: Any = None) -> Any:
        """What is learned of training rows.

        Args:
            tuned: What was learned of other rows of the same kind: its bandwidths and scales are kept, and only what
                depends on the rows is learned anew.
        """
        ...

    def predict(self, learned: Any, x: Inputs) -> Targets:
        """The conditional mean of the state at each row."""
        ...

    def restored(self, values: dict[str, np.ndarray]) -> Any:
        """What was learned, from its arrays by name."""
        ...


class OwnFiltered(NamedTuple):
    """Beliefs of a regressor that filters by itself."""

    filtered: Filtered  # (sequences, time, ...); log increments are log p(x_t | past) - log p(x_t), nats
    effective: Any = None  # (sequences, time) number of particles that count, where there are some


@runtime_checkable
class HasOwnFilter(Protocol):
    """Knows how inputs follow from the state and not the reverse, so that it filters by itself."""

    def filtered(
        self,
        learned: Any,
        dynamics: Dynamics,
        x: Float[np.ndarray, "sequences time inputs"],
        heard: Bool[np.ndarray, "sequences time"],
    ) -> OwnFiltered:
        """Beliefs of every bin; states and inputs in the units in which it learned."""
        ...
