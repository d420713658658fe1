"""Real numbers about the predictor: normal, and Student's t where outliers must not pull."""

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import gammaln
from jaxtyping import Array

from neurolatent.checks import positive
from neurolatent.models.gpvae.families.protocol import Told
from neurolatent.ops.quadrature import normal_expectation


@dataclass(frozen=True)
class Normal:
    """``extra`` is the standard deviation; the expectation is exact."""

    kinds = ("continuous", "image", "counts", "binary")
    extra = "standard deviation"
    is_exact = True

    def expected(self, y: Array, eta: Array, var: Array, extra: Array | None) -> Array:
        """Expected log density."""
        sd = jnp.asarray(extra)
        return -0.5 * ((y - eta) ** 2 + var) / sd**2 - jnp.log(sd) - 0.5 * math.log(2 * math.pi)

    def told(self, eta: Array, var: Array, extra: Array | None) -> Told:
        """Belief of the mean."""
        return Told(eta, jnp.sqrt(var))

    def draw(self, generator: np.random.Generator, eta: np.ndarray, extra: np.ndarray | None) -> np.ndarray:
        """Values."""
        return eta + np.asarray(extra) * generator.normal(size=eta.shape)

    def distribution(self, eta: Array, extra: Array | None) -> Any:
        """Of the values."""
        return dist.Normal(eta, jnp.asarray(extra))


@dataclass(frozen=True)
class StudentT:
    """Tails of ``freedom`` degrees; ``extra`` is the scale; by quadrature."""

    freedom: float | int = 4.0  # ours: heavy tails with a finite variance

    kinds = ("continuous", "image")
    extra = "scale"
    is_exact = True

    def __post_init__(self) -> None:
        positive("freedom", self.freedom)

    def expected(self, y: Array, eta: Array, var: Array, extra: Array | None) -> Array:
        """Expected log density."""
        nu, scale = float(self.freedom), jnp.asarray(extra)
        level = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * math.log(nu * math.pi) - jnp.log(scale)
        tail = normal_expectation(lambda d: jnp.log1p(d**2 / nu), (y - eta) / scale, var / scale**2)
        return level - 0.5 * (nu + 1) * tail

    def told(self, eta: Array, var: Array, extra: Array | None) -> Told:
        """Belief of the centre."""
        return Told(eta, jnp.sqrt(var))

    def draw(self, generator: np.random.Generator, eta: np.ndarray, extra: np.ndarray | None) -> np.ndarray:
        """Values."""
        return eta + np.asarray(extra) * generator.standard_t(self.freedom, eta.shape)

    def distribution(self, eta: Array, extra: Array | None) -> Any:
        """Of the values."""
        return dist.StudentT(float(self.freedom), eta, jnp.asarray(extra))
