"""What the bound asks of a family of observations: entry by entry, given a normal belief of the linear predictor."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float


class Told(NamedTuple):
    """What a belief of the predictor says of the expected value of an entry."""

    mean: Float[Array, "..."]
    sd: Float[Array, "..."]


@runtime_checkable
class Family(Protocol):
    """A family of observations with one predictor per entry; ``extra`` is one positive number per channel, or none."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of signals that it is for."""
        ...

    @property
    def extra(self) -> str | None:
        """What the positive number of each channel is; None where there is none."""
        ...

    @property
    def is_exact(self) -> bool:
        """Whether ``expected`` holds; False asks for draws of the predictor, each with a variance of 0."""
        ...

    def expected(self, y: Array, eta: Array, var: Array, extra: Array | None) -> Array:
        """Expected log density of each entry, nats, where the predictor is N(eta, var)."""
        ...

    def told(self, eta: Array, var: Array, extra: Array | None) -> Told:
        """Mean and standard deviation of the expected value, where the predictor is N(eta, var)."""
        ...

    def draw(self, generator: np.random.Generator, eta: np.ndarray, extra: np.ndarray | None) -> np.ndarray:
        """Values at a predictor."""
        ...

    def distribution(self, eta: Array, extra: Array | None) -> Any:
        """NumPyro's distribution of the values at a predictor."""
        ...
