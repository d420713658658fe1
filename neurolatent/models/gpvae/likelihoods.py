"""Expected log likelihoods under a Gaussian of the linear predictor, and draws."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurolatent.models.gpvae.params import Floats

MOST = 20.0  # of the exponent of an expected count: exp(20) counts in a bin never happen, an overflow would


def poisson(y: Floats, eta: Array, var: Array) -> Array:
    r"""Expected log probability of counts, :math:`y \bar\eta - e^{\bar\eta + V/2} - \log y!`, for rates exp(eta)."""
    return y * eta - jnp.exp(jnp.minimum(eta + var / 2, MOST)) - jax.scipy.special.gammaln(y + 1)


def normal(y: Floats, mean: Array, var: Array, sd: Float[Floats, " *noise"]) -> Array:
    """Expected log density of values whose mean is uncertain."""
    return -0.5 * ((y - mean) ** 2 + var) / sd**2 - jnp.log(sd) - 0.5 * math.log(2 * math.pi)
