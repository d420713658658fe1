r"""Priors of the weights that a Newton step can take: normal around zero, or around a mean that the states share.

A prior says the mean and precision of the next Newton step (``quadratic``), learns what it has to learn in closed form
(``learned``), and gives its log density, which is the same in EM and in the NumPyro program (``sample``).
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import gammaln
from jaxtyping import Array, Bool, Float

from neurolatent.checks import positive
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.params import HMMGLMParams

LOG_2PI = 1.8378770664093453

Weights = Float[Array, "states targets regressors"]
Free = Bool[np.ndarray, "targets regressors"]  # False: a weight that is held at zero


@dataclass(frozen=True)
class Ridge:
    """W ~ Normal(0, sd^2), each weight and state for itself: the naive HMM-GLM, and that of choices."""

    sd: float | int = 30.0  # ours: a precision of about 1e-3, for identifiability alone

    def __post_init__(self) -> None:
        positive("prior: sd", self.sd)

    def begin(self, weights: np.ndarray, free: Free) -> dict[str, np.ndarray]:
        """Nothing is learned besides the weights."""
        return {}

    def quadratic(self, params: HMMGLMParams) -> tuple[Weights, Weights]:
        """Mean and precision."""
        return jnp.zeros_like(params.weights), jnp.full_like(params.weights, self.sd**-2)

    def learned(self, params: HMMGLMParams, free: Free) -> HMMGLMParams:
        """Nothing."""
        return params

    def log_density(self, params: HMMGLMParams, free: Free) -> Float[Array, ""]:
        """Log density of the weights."""
        return normal_log_density(params.weights, 0.0, self.sd, free)

    def sample(self, n_states: int, free: Free, data: HMMGLMData) -> dict[str, Array]:
        """The site of the weights."""
        return {"weights": free_site("weights", n_states, free, jnp.zeros(int(free.sum())), jnp.asarray(self.sd))}

    def sites_at(self, params: HMMGLMParams, free: Free) -> dict[str, Array]:
        """Values of the sites at these parameters."""
        return {"weights_free": jnp.asarray(params.weights)[:, free]}


@dataclass(frozen=True)
class Hierarchical:
    r"""W_s ~ Normal(W_0, sigma^2), W_0 ~ Normal(0, tau^2) shared by the states (Li et al. 2024, the Gaussian prior).

    Learning sigma by its mode alone would let it fall to zero, and all states become one. So it has an inverse-gamma
    prior worth ``weight`` times the data: :math:`\sigma^2 = (\nu s_0^2 + SS) / (\nu + n)` with :math:`\nu` = weight n
    and n the number of weights.
    """

    sd: float | int = 1 / 3  # sigma, or its prior size s_0 where it is learned: public code of Li et al. (2024)
    learn_sd: bool = False
    weight: float | int = 0.2  # ours: never below s_0 * sqrt(weight / (1 + weight))
    centre_sd: float | int = 1.0  # tau; ours

    def __post_init__(self) -> None:
        for name in ("sd", "weight", "centre_sd"):
            positive(f"prior: {name}", getattr(self, name))

    def begin(self, weights: np.ndarray, free: Free) -> dict[str, np.ndarray]:
        """The mean over states, and the prior size."""
        return {"centre": weights.mean(axis=0), "spread": np.asarray(float(self.sd))}

    def quadratic(self, params: HMMGLMParams) -> tuple[Weights, Weights]:
        """Mean and precision."""
        wide = jnp.broadcast_to(params.centre, params.weights.shape)
        return wide, jnp.broadcast_to(params.spread**-2, params.weights.shape)

    def learned(self, params: HMMGLMParams, free: Free) -> HMMGLMParams:
        """The mean over states, drawn to zero, and then the spread."""
        n_states = params.weights.shape[0]
        centre = params.weights.sum(axis=0) / (n_states + (params.spread / self.centre_sd) ** 2)
        if not self.learn_sd:
            return params._replace(centre=centre)
        squares = jnp.sum(jnp.where(free, (params.weights - centre) ** 2, 0.0))
        count = n_states * int(free.sum())
        variance = (self.weight * count * self.sd**2 + squares) / ((1 + self.weight) * count)
        return params._replace(centre=centre, spread=jnp.sqrt(variance))

    def _inverse_gamma(self, n_states: int, free: Free) -> tuple[float, float]:
        """Shape and rate of the prior of sigma^2."""
        half = 0.5 * self.weight * n_states * int(free.sum())
        return max(half - 1.0, 0.5), half * self.sd**2

    def log_density(self, params: HMMGLMParams, free: Free) -> Float[Array, ""]:
        """Log density of weights, their mean and the variance around it."""
        around = normal_log_density(params.weights, params.centre, params.spread, free)
        around += normal_log_density(params.centre[None], 0.0, self.centre_sd, free)
        if not self.learn_sd:
            return around
        shape, rate = self._inverse_gamma(params.weights.shape[0], free)
        variance = params.spread**2
        return around + shape * jnp.log(rate) - gammaln(shape) - (shape + 1) * jnp.log(variance) - rate / variance

    def sample(self, n_states: int, free: Free, data: HMMGLMData) -> dict[str, Array]:
        """Sites of the mean, the variance and the weights."""
        centre = free_site("centre", 1, free, jnp.zeros(int(free.sum())), jnp.asarray(self.centre_sd))[0]
        spread = jnp.asarray(self.sd, centre.dtype)
        if self.learn_sd:
            shape, rate = self._inverse_gamma(n_states, free)
            spread = jnp.sqrt(jnp.asarray(numpyro.sample("variance", dist.InverseGamma(shape, rate))))
        weights = free_site("weights", n_states, free, centre[free], spread)
        return {"weights": weights, "centre": centre, "spread": spread}

    def sites_at(self, params: HMMGLMParams, free: Free) -> dict[str, Array]:
        """Values of the sites at these parameters."""
        sites = {"weights_free": jnp.asarray(params.weights)[:, free]}
        sites["centre_free"] = jnp.asarray(params.centre)[free][None]
        return {**sites, "variance": jnp.asarray(params.spread) ** 2} if self.learn_sd else sites


def normal_log_density(
    values: Float[Array, "states *rest"],
    mean: Float[Array, "*any"] | float,
    sd: Float[Array, ""] | float | int,
    free: Bool[np.ndarray, "*rest"],
) -> Float[Array, ""]:
    """Summed normal log density of the free entries."""
    each = -0.5 * (((values - mean) / sd) ** 2 + LOG_2PI) - jnp.log(sd)
    return jnp.sum(jnp.where(free, each, 0.0))


def free_site(name: str, n_states: int, free: Free, mean: Array, sd: Array) -> Weights:
    """A normal site over the free entries, as full matrices with zeros elsewhere."""
    count = int(free.sum())
    normal = dist.Normal(mean, sd).expand([n_states, count]).to_event(2)
    values = jnp.asarray(numpyro.sample(f"{name}_free", normal))
    return jnp.zeros((n_states, *free.shape), values.dtype).at[:, free].set(values)
