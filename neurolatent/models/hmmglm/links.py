"""From a linear predictor to a mean count, with its slope and its inverse."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.nn import sigmoid, softplus


class Link(NamedTuple):
    """A nonlinearity f."""

    mean: Callable  # f
    slope: Callable  # f'
    inverse: Callable  # of f, on NumPy arrays; the argument is kept where f can be inverted


def _logit(mean: np.ndarray) -> np.ndarray:
    inside = np.clip(mean, 1e-6, 1 - 1e-6)
    return np.log(inside / (1 - inside))


LINKS = {
    "softplus": Link(softplus, sigmoid, lambda mean: np.log(np.expm1(np.maximum(mean, 1e-6)))),
    "exp": Link(jnp.exp, jnp.exp, lambda mean: np.log(np.maximum(mean, 1e-6))),
    "sigmoid": Link(sigmoid, lambda eta: sigmoid(eta) * (1 - sigmoid(eta)), _logit),
}
