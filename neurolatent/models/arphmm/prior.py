"""The default conjugate prior: one density for MAP-EM and for the NumPyro program.

Dirichlet on the initial distribution and on the allowed entries of each row of transitions, matrix-normal
inverse-Wishart on the regression of each state (specialised to the covariance structure).
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from neurolatent.checks import InputError, at_least
from neurolatent.models.arphmm.data import Scale
from neurolatent.ops.dirichlet import dirichlet_log_density
from neurolatent.ops.mniw import inverse_wishart_log_density, matrix_normal_log_density


@dataclass(frozen=True)
class ARPrior:
    """Choices of the prior; numbers without a unit are relative to the spread of the training data."""

    own_lag: float | int = 1.0  # prior mean of a channel's own first lag; 1: random walk, 0: no memory
    lag_spread: float | int = 0.5  # prior sd of lag coefficients, divided by the lag
    level_spread: float | int = 2.0  # prior sd of intercepts, in standard deviations of the signal
    extra_freedom: float | int = 2.0  # freedom beyond the features, above 1; 2 puts the mean at the pooled residual
    stay: float | int | None = None  # Dirichlet concentration of staying; None: 50 for ordered states, 1 otherwise
    first: float | int | None = None  # concentration of starting in state 0; None: 10 for ordered states, 1 otherwise

    def __post_init__(self) -> None:
        for name, low in (("lag_spread", 0.0), ("level_spread", 0.0), ("extra_freedom", 1.0)):
            value = getattr(self, name)
            at_least(f"prior: {name}", value, low)
            if not low < value < np.inf:
                raise InputError(f"prior: {name} must be finite and above {low:g}, got {value}")
        if not np.isfinite(self.own_lag):
            raise InputError(f"prior: own_lag must be finite, got {self.own_lag}")
        for name in ("stay", "first"):
            value = getattr(self, name)
            if value is not None:
                at_least(f"prior: {name} (a concentration that has a mode)", value, 1.0)


class RegressionPrior(NamedTuple):
    """Matrix-normal inverse-Wishart in numbers, the same for every state."""

    mean: Float[Array, "features regressors"]
    precision: Float[Array, " regressors"]  # diagonal of K_0
    freedom: Float[Array, ""]  # nu_0
    scatter: Float[Array, " features"]  # diagonal of S_0


def regression_prior(prior: ARPrior, scale: Scale, order: int) -> RegressionPrior:
    """The prior of (W_k, Sigma_k) in the units of the data.

    The sd of a coefficient is the state's noise sd times 1 / sqrt(K_0); dividing by the noise sd of the lagged
    channel makes it ``lag_spread`` / lag in the ratio of the two channels' units.
    """
    features = scale.residual.shape[0]
    noise, spread = jnp.sqrt(jnp.asarray(scale.residual)), jnp.asarray(scale.spread)
    lag_sd = [prior.lag_spread / (lag * noise) for lag in range(1, order + 1)]
    level_sd = prior.level_spread * jnp.mean(spread / noise)
    precision = 1 / jnp.concatenate([*lag_sd, level_sd[None]]) ** 2
    mean = jnp.zeros((features, precision.shape[0]), precision.dtype)
    if order:
        mean = mean.at[jnp.arange(features), jnp.arange(features)].set(prior.own_lag)
    freedom = jnp.asarray(features + prior.extra_freedom, precision.dtype)
    return RegressionPrior(mean, precision, freedom, (freedom - features - 1) * jnp.asarray(scale.residual))


def concentrations(
    prior: ARPrior, allowed: np.ndarray, *, is_ordered: bool
) -> tuple[Float[np.ndarray, " states"], Float[np.ndarray, "states states"]]:
    """Dirichlet concentrations of the initial distribution and of the rows of transitions (0 where not allowed)."""
    n_states = len(allowed)
    stay = prior.stay if prior.stay is not None else (50.0 if is_ordered else 1.0)
    first = prior.first if prior.first is not None else (10.0 if is_ordered else 1.0)
    initial = np.ones(n_states)
    initial[0] = first
    rows = np.where(np.eye(n_states, dtype=bool), stay, 1.0)
    return initial, np.where(allowed, rows, 0.0)


def chain_log_prior(
    initial: Float[Array, " states"],
    transition: Float[Array, "states states"],
    rows: tuple[Float[np.ndarray, " states"], Float[np.ndarray, "states states"]],
) -> Float[Array, ""]:
    """Log prior of the initial distribution and the transitions."""
    return dirichlet_log_density(initial[None], rows[0][None]) + dirichlet_log_density(transition, rows[1])


def regression_log_prior(
    coefficients: Float[Array, "states features regressors"],
    covariance: Float[Array, "states features features"],
    prior: RegressionPrior,
    structure: str,
) -> Float[Array, ""]:
    """Log prior of the regressions of all states under one of the four covariance structures."""
    scatter = jnp.diag(prior.scatter)
    weights = jax.vmap(lambda w, s: matrix_normal_log_density(w, prior.mean, s, prior.precision))(
        coefficients, covariance
    ).sum()
    if structure == "full":
        return weights + jax.vmap(lambda s: inverse_wishart_log_density(s, prior.freedom, scatter))(covariance).sum()
    if structure == "tied":
        return weights + inverse_wishart_log_density(covariance[0], prior.freedom, scatter)
    variance = jnp.diagonal(covariance, axis1=1, axis2=2)
    shape, rate = inverse_gamma_of(prior, structure)
    free = variance[:, :1] if structure == "spherical" else variance
    return weights + inverse_gamma_log_density(free, shape, rate).sum()


def inverse_gamma_of(prior: RegressionPrior, structure: str) -> tuple[Float[Array, ""], Float[Array, " free"]]:
    """Shape and rate of the variances: the marginals of the inverse Wishart; spherical takes the mean scatter."""
    shape = 0.5 * (prior.freedom - prior.scatter.shape[0] + 1)
    rate = 0.5 * prior.scatter
    return shape, rate.mean()[None] if structure == "spherical" else rate


def inverse_gamma_log_density(
    value: Float[Array, "states free"], shape: Float[Array, ""], rate: Float[Array, " free"]
) -> Float[Array, "states free"]:
    """Log density of inverse-gamma variances."""
    return shape * jnp.log(rate) - gammaln(shape) - (shape + 1) * jnp.log(value) - rate / value
