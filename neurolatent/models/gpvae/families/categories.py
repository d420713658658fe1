r"""One of several categories, as columns of 0 and 1: probabilities are the softmax of the columns' predictors."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array

from neurolatent.models.gpvae.families.protocol import Told


@dataclass(frozen=True)
class Categorical:
    """The last axis holds the categories; the sum over it is the log probability. It has no closed form: draws."""

    kinds = ("category",)
    extra = None
    is_exact = False

    def expected(self, y: Array, eta: Array, var: Array, extra: Array | None) -> Array:
        """Log probability at the predictor; 0 in the columns of the other categories."""
        return y * jax.nn.log_softmax(eta, axis=-1)

    def told(self, eta: Array, var: Array, extra: Array | None) -> Told:
        """Probabilities at the mean predictor, and their standard deviations to first order."""
        p = jax.nn.softmax(eta, axis=-1)
        own = p**2 * ((1 - 2 * p) * var + (p**2 * var).sum(axis=-1, keepdims=True))
        return Told(p, jnp.sqrt(jnp.maximum(own, 0.0)))

    def draw(self, generator: np.random.Generator, eta: np.ndarray, extra: np.ndarray | None) -> np.ndarray:
        """Columns of 0 and 1: the largest of Gumbel variables about the predictors."""
        return np.eye(eta.shape[-1])[np.argmax(eta + generator.gumbel(size=eta.shape), axis=-1)]

    def distribution(self, eta: Array, extra: Array | None) -> Any:
        """Of the columns."""
        return dist.MultinomialLogits(eta, 1)
