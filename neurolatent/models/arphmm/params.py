"""What is learned."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float

if TYPE_CHECKING:
    Floats = Any  # NumPy on the host, JAX inside programs: both are meant
else:
    Floats = Array | np.ndarray


class ARPHMMParams(NamedTuple):
    """Everything that is learned; each engine reads and returns this tuple."""

    initial: Float[Floats, "*draws states"]  # sums to one; at the first modelled step
    transition: Float[
        Floats, "*draws states states"
    ]  # [from, to], rows sum to one; per sub-state where there are several
    advance: Float[Floats, "*draws states"]  # probability to leave an inner sub-state; 1 - stay but in a terminal state
    coefficients: Float[
        Floats, "*draws states features regressors"
    ]  # [lag 1; ...; lag p; intercept], units of the signal
    covariance: Float[Floats, "*draws states features features"]  # of the innovations, units squared


def permuted(params: ARPHMMParams, order: np.ndarray) -> ARPHMMParams:
    """The parameters with state ``order[i]`` become state i."""
    return ARPHMMParams(
        params.initial[order],
        params.transition[order][:, order],
        params.advance[order],
        params.coefficients[order],
        params.covariance[order],
    )
