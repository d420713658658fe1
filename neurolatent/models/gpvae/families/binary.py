r"""Events with the probability :math:`1 / (1 + e^{-\eta})`: one trial a bin (pixels, licks), or several."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import gammaln
from jaxtyping import Array

from neurolatent.checks import whole_number
from neurolatent.models.gpvae.families.protocol import Told
from neurolatent.ops.quadrature import expected_sigmoid, expected_softplus, normal_expectation


@dataclass(frozen=True)
class Binomial:
    """Events among ``trials`` trials in a bin; its softplus by quadrature."""

    trials: int

    kinds = ("counts", "binary")
    extra = None
    is_exact = True

    def __post_init__(self) -> None:
        whole_number("trials", self.trials, 1)

    def expected(self, y: Array, eta: Array, var: Array, extra: Array | None) -> Array:
        """Expected log probability."""
        ways = gammaln(self.trials + 1.0) - gammaln(y + 1) - gammaln(self.trials - y + 1)
        return ways + y * eta - self.trials * expected_softplus(eta, var)

    def told(self, eta: Array, var: Array, extra: Array | None) -> Told:
        """Belief of the mean number of events."""
        mean = expected_sigmoid(eta, var)
        square = normal_expectation(lambda x: jax.nn.sigmoid(x) ** 2, eta, var)
        return Told(self.trials * mean, self.trials * jnp.sqrt(jnp.maximum(square - mean**2, 0.0)))

    def draw(self, generator: np.random.Generator, eta: np.ndarray, extra: np.ndarray | None) -> np.ndarray:
        """Numbers of events."""
        return generator.binomial(self.trials, 1 / (1 + np.exp(-eta)))

    def distribution(self, eta: Array, extra: Array | None) -> Any:
        """Of the number of events."""
        return dist.BinomialLogits(eta, self.trials)


def Bernoulli() -> Binomial:  # noqa: N802 - it reads as the family that it makes
    """One trial a bin."""
    return Binomial(1)
