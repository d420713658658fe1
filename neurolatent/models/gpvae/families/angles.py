r"""Angles about the predictor, on the circle: von Mises, whose expectation is exact.

.. math:: E[\log p(y)] = \kappa e^{-V/2} \cos(y - \bar\eta) - \log 2 \pi I_0(\kappa).
"""

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import i0e
from jaxtyping import Array

from neurolatent.models.gpvae.families.protocol import Told


@dataclass(frozen=True)
class VonMises:
    """Angles in radians; ``extra`` is the concentration kappa. The predictor may wind round the circle."""

    kinds = ("angle",)
    extra = "concentration"
    is_exact = True

    def expected(self, y: Array, eta: Array, var: Array, extra: Array | None) -> Array:
        """Expected log density."""
        kappa = jnp.asarray(extra)
        level = jnp.log(i0e(kappa)) + kappa + math.log(2 * math.pi)
        return kappa * jnp.exp(-var / 2) * jnp.cos(y - eta) - level

    def told(self, eta: Array, var: Array, extra: Array | None) -> Told:
        """Belief of the direction, within (-pi, pi]; the standard deviation is that of the predictor."""
        return Told(jnp.arctan2(jnp.sin(eta), jnp.cos(eta)), jnp.sqrt(var))

    def draw(self, generator: np.random.Generator, eta: np.ndarray, extra: np.ndarray | None) -> np.ndarray:
        """Angles within (-pi, pi]."""
        return generator.vonmises(np.arctan2(np.sin(eta), np.cos(eta)), np.broadcast_to(np.asarray(extra), eta.shape))

    def distribution(self, eta: Array, extra: Array | None) -> Any:
        """Of the angles."""
        return dist.VonMises(eta, jnp.asarray(extra))
