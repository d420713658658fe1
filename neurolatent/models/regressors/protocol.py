"""What a regression from observation to state is: choices that learn arrays, and predict from them."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

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
