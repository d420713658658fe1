r"""Spike counts with the mean :math:`e^\eta`: Poisson, and negative binomial with variance :math:`m + m^2 / r`."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import gammaln
from jaxtyping import Array

from neurolatent.models.gpvae.families.protocol import Told
from neurolatent.ops.quadrature import expected_softplus

MOST = 20.0  # of the exponent of an expected count: exp(20) counts in a bin never happen, an overflow would


def log_normal(eta: Array, var: Array) -> Told:
    """Mean and standard deviation of exp(eta)."""
    mean = jnp.exp(jnp.minimum(eta + var / 2, MOST))
    return Told(mean, mean * jnp.sqrt(jnp.expm1(jnp.minimum(var, MOST))))


@dataclass(frozen=True)
class Poisson:
    """Counts whose variance is their mean; the expectation is exact."""

    kinds = ("counts",)
    extra = None
    is_exact = True

    def expected(self, y: Array, eta: Array, var: Array, extra: Array | None) -> Array:
        """Expected log probability."""
        return y * eta - jnp.exp(jnp.minimum(eta + var / 2, MOST)) - gammaln(y + 1)

    def told(self, eta: Array, var: Array, extra: Array | None) -> Told:
        """Belief of the mean count."""
        return log_normal(eta, var)

    def draw(self, generator: np.random.Generator, eta: np.ndarray, extra: np.ndarray | None) -> np.ndarray:
        """Counts."""
        return generator.poisson(np.exp(eta))

    def distribution(self, eta: Array, extra: Array | None) -> Any:
        """Of the counts."""
        return dist.Poisson(jnp.exp(eta))


@dataclass(frozen=True)
class NegativeBinomial:
    """Counts that vary more than their mean says: ``extra`` is the concentration r; without end it is Poisson."""

    kinds = ("counts",)
    extra = "concentration"
    is_exact = True

    def expected(self, y: Array, eta: Array, var: Array, extra: Array | None) -> Array:
        """Expected log probability; the softplus in it by quadrature."""
        r = jnp.asarray(extra)
        level = gammaln(y + r) - gammaln(r) - gammaln(y + 1)
        own = eta - jnp.log(r)
        return level + y * own - (y + r) * expected_softplus(own, var)

    def told(self, eta: Array, var: Array, extra: Array | None) -> Told:
        """Belief of the mean count."""
        return log_normal(eta, var)

    def draw(self, generator: np.random.Generator, eta: np.ndarray, extra: np.ndarray | None) -> np.ndarray:
        """Counts: Poisson at rates that are gamma variables."""
        r = np.broadcast_to(np.asarray(extra, float), eta.shape)
        return generator.poisson(generator.gamma(r, np.exp(eta) / r))

    def distribution(self, eta: Array, extra: Array | None) -> Any:
        """Of the counts."""
        return dist.NegativeBinomial2(jnp.exp(eta), jnp.asarray(extra))
