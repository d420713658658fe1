"""The M-step of weighted EM: expected counts and weighted rows become parameters.

References: Juesas et al. (2016), arXiv 2105.00211, and Ramasso and Denoeux (2014), IEEE Trans. Fuzzy Systems 22(2), for
the weighted EM; the modes under the conjugate prior are those of :mod:`~neurolatent.ops.mniw`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from neurolatent.models.arphmm.emission import WeightedRows, residual_scatter, weighted_moments
from neurolatent.models.arphmm.prior import RegressionPrior, inverse_gamma_of
from neurolatent.models.arphmm.structure import ChainJumps
from neurolatent.ops.mniw import Moments, regression_mode

TOO_FEW = 1e-10  # expected departures below which a row of transitions keeps its former values
Rows = tuple[Float[np.ndarray, " states"], Float[np.ndarray, "states states"]]


class Regression(NamedTuple):
    """The emission part of the parameters, and which states had too little data to be updated."""

    coefficients: Float[Array, "states features regressors"]
    covariance: Float[Array, "states features features"]
    starved: Bool[Array, " states"]


def update_initial(
    first: Float[Array, "sequences states"], prior: Float[np.ndarray, " states"]
) -> Float[Array, " states"]:
    """Mode of the initial distribution: expected first states plus pseudo-counts (concentration - 1)."""
    counts = first.sum(axis=0) + (prior - 1)
    return counts / counts.sum()


def update_transition(
    former: Float[Array, "states states"],
    former_advance: Float[Array, " states"],
    jumps: ChainJumps,
    prior: Float[np.ndarray, "states states"],
) -> tuple[Float[Array, "states states"], Float[Array, " states"]]:
    """Modes of transitions and of the advance between tied sub-states.

    With tied sub-states the likelihood of a state is stay^stays (1 - stay)^(advances + leaves) times the choice of
    where to go; a state that is never left keeps its last sub-state, and only its inner sub-states say how fast it
    advances. Rows without expected departures or stays keep their former values.
    """
    diagonal = jnp.eye(former.shape[0], dtype=bool)
    pseudo = jnp.where(prior > 0, prior - 1, 0.0)
    leaves = jnp.where(diagonal, 0.0, jumps.leaves + pseudo)
    out = leaves.sum(axis=1)
    stays = jumps.inner_stays + jumps.last_stays + jnp.diagonal(pseudo)
    total = stays + jumps.advances + out
    stay = stays / jnp.where(total > TOO_FEW, total, 1.0)
    former_off = jnp.where(diagonal, 0.0, former)
    choice = jnp.where((out > TOO_FEW)[:, None], leaves, former_off)
    share = choice / jnp.maximum(choice.sum(axis=1, keepdims=True), 1e-300)
    new = share * (1 - stay)[:, None] + jnp.diag(stay)
    is_last = jnp.asarray((prior > 0).sum(axis=1) == 1)
    transition = jnp.where((total > TOO_FEW)[:, None] & ~is_last[:, None], new, former)
    inner = jumps.inner_stays + jumps.advances
    terminal = jumps.advances / jnp.where(inner > TOO_FEW, inner, 1.0)
    advance = jnp.where(is_last, jnp.where(inner > TOO_FEW, terminal, former_advance), 1 - jnp.diagonal(transition))
    return transition, advance


def map_regression(rows: WeightedRows, prior: RegressionPrior, structure: str) -> Regression:
    """Posterior modes of coefficients and covariances under the conjugate prior."""
    moments = weighted_moments(rows)
    coefficients = jax.vmap(lambda *m: regression_mode(Moments(*m), prior.mean, prior.precision))(*moments)
    shift = coefficients - prior.mean
    scatter = residual_scatter(rows, coefficients) + jnp.einsum("kdm,m,kem->kde", shift, prior.precision, shift)
    features, regressors = prior.mean.shape
    extra = features + regressors + 1
    if structure == "full":
        covariance = (scatter + jnp.diag(prior.scatter)) / (prior.freedom + moments.weight + extra)[:, None, None]
    elif structure == "tied":
        n_states = len(moments.weight)
        denominator = prior.freedom + moments.weight.sum() + features + n_states * regressors + 1
        covariance = jnp.broadcast_to((scatter.sum(axis=0) + jnp.diag(prior.scatter)) / denominator, scatter.shape)
    else:
        shape, rate = inverse_gamma_of(prior, structure)
        squares = jnp.diagonal(scatter, axis1=1, axis2=2)
        if structure == "spherical":
            power = features * (moments.weight + regressors)
            variance = (2 * rate + squares.sum(axis=1, keepdims=True)) / (2 * shape + power + 2)[:, None]
        else:
            variance = (2 * rate + squares) / (2 * shape + moments.weight + regressors + 2)[:, None]
        covariance = variance[:, :, None] * jnp.eye(features, dtype=squares.dtype)
    return Regression(coefficients, covariance, moments.weight < 1.0)


def likelihood_regression(
    rows: WeightedRows, former: Regression, ridge: float | int, floor: Float[Array, " features"], structure: str
) -> Regression:
    """Maximum-likelihood coefficients and covariances, with a ridge relative to the regressors and a variance floor.

    A state with an expected number of steps below regressors + features + 1 is starved: it keeps its former values. A
    tied covariance is that of the residuals of all states, starved ones included.
    """
    features, regressors = former.coefficients.shape[1:]
    moments = weighted_moments(rows)
    starved = moments.weight < regressors + features + 1
    coefficients = jnp.where(starved[:, None, None], former.coefficients, ridge_coefficients(moments, ridge))
    covariance = shaped_covariance(residual_scatter(rows, coefficients), moments.weight, structure)
    covariance = covariance + jnp.diag(jnp.full_like(floor, floor.mean()) if structure == "spherical" else floor)
    if structure != "tied":
        covariance = jnp.where(starved[:, None, None], former.covariance, covariance)
    return Regression(coefficients, covariance, starved)


def ridge_coefficients(moments: Moments, ridge: float | int) -> Float[Array, "states features regressors"]:
    """Least squares per state, with a penalty of ``ridge`` times the mean square of the regressors."""
    states, features, regressors = moments.yz.shape
    size = jnp.trace(moments.zz, axis1=1, axis2=2) / regressors
    penalty = jnp.broadcast_to(ridge * size[:, None], (states, regressors))
    zero = jnp.zeros((features, regressors), size.dtype)
    return jax.vmap(lambda moment, row: regression_mode(moment, zero, row))(moments, penalty)


def shaped_covariance(
    scatter: Float[Array, "states features features"], weight: Float[Array, " states"], structure: str
) -> Float[Array, "states features features"]:
    """Mean scatter per step under one of the four covariance structures."""
    features = scatter.shape[-1]
    steps = jnp.maximum(weight, 1e-300)
    if structure == "tied":
        return jnp.broadcast_to(scatter.sum(axis=0) / jnp.maximum(weight.sum(), 1e-300), scatter.shape)
    covariance = scatter / steps[:, None, None]
    if structure == "full":
        return covariance
    variance = jnp.diagonal(covariance, axis1=1, axis2=2)
    variance = variance.mean(axis=1, keepdims=True) if structure == "spherical" else variance
    return variance[:, :, None] * jnp.eye(features, dtype=scatter.dtype)
