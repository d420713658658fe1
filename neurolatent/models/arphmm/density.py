"""The NumPyro program of the ARPHMM: priors, and the likelihood with the states summed out."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, Float

from neurolatent.models.arphmm.params import ARPHMMParams
from neurolatent.models.arphmm.prior import RegressionPrior, inverse_gamma_of

Rows = tuple[Float[np.ndarray, " states"], Float[np.ndarray, "states states"]]


def sample_chain(rows: Rows) -> tuple[Array, Array]:
    """Sites of the initial distribution and of the rows of transitions, over allowed entries only."""
    n_states = len(rows[0])
    initial: Any = jnp.ones(1)
    if n_states > 1:
        initial = numpyro.sample("initial", dist.Dirichlet(jnp.asarray(rows[0])))
    else:
        initial = numpyro.deterministic("initial", initial)
    transition = jnp.zeros((n_states, n_states), jnp.result_type(float))
    for state, concentration in enumerate(rows[1]):
        keep = np.flatnonzero(concentration > 0)
        row: Any = jnp.ones(1)
        if len(keep) > 1:
            row = numpyro.sample(f"transition_{state}", dist.Dirichlet(jnp.asarray(concentration[keep])))
        transition = transition.at[state, keep].set(row)
    named: Any = numpyro.deterministic("transition", transition)
    return initial, named


def sample_advance(transition: Array, terminal: np.ndarray, n_substates: int) -> Array:
    """Leaving of inner sub-states: 1 - stay, and a uniform site for states that are never left."""
    advance = 1 - jnp.diagonal(transition)
    if n_substates > 1 and terminal.any():
        free = numpyro.sample("advance_free", dist.Uniform(0.0, 1.0).expand([int(terminal.sum())]).to_event(1))
        advance = advance.at[np.flatnonzero(terminal)].set(free)
    named: Any = numpyro.deterministic("advance", advance)
    return named


def sample_regression(prior: RegressionPrior, n_states: int, structure: str) -> tuple[Array, Array]:
    """Sites of covariances and coefficients under one of the four covariance structures."""
    covariance = _sample_covariance(prior, n_states, structure)
    column = jnp.diag(1 / jnp.sqrt(prior.precision))
    mean = jnp.broadcast_to(prior.mean, (n_states, *prior.mean.shape))
    factor = jnp.linalg.cholesky(covariance)
    normal = dist.MatrixNormal(mean, factor, jnp.broadcast_to(column, (n_states, *column.shape)))
    coefficients: Any = numpyro.sample("coefficients", normal.to_event(1))
    return coefficients, covariance


def _sample_covariance(prior: RegressionPrior, n_states: int, structure: str) -> Array:
    features = prior.mean.shape[0]
    if structure in ("full", "tied") and features > 1:
        count = n_states if structure == "full" else 1
        wishart = dist.InverseWishart(prior.freedom, scale_matrix=jnp.diag(prior.scatter))
        free: Any = numpyro.sample("covariance_free", wishart.expand([count]).to_event(1))
    else:
        count = 1 if structure == "tied" else n_states
        shape, rate = inverse_gamma_of(prior, structure)
        free = numpyro.sample("variance_free", dist.InverseGamma(shape, rate).expand([count, len(rate)]).to_event(2))
        free = free[:, :, None] * jnp.eye(features, dtype=free.dtype)
    named: Any = numpyro.deterministic("covariance", jnp.broadcast_to(free, (n_states, features, features)))
    return named


def sites_at(
    initial: Array, transition: Array, coefficients: Array, covariance: Array, *, rows: Rows, structure: str
) -> dict[str, Array]:
    """Values of the program's sites at given parameters (transitions over their allowed entries)."""
    n_states, features = coefficients.shape[:2]
    sites: dict[str, Array] = {"coefficients": coefficients}
    if n_states > 1:
        sites["initial"] = initial
    for state, keep in _free_rows(rows):
        sites[f"transition_{state}"] = transition[state, keep]
    if structure in ("full", "tied") and features > 1:
        sites["covariance_free"] = covariance if structure == "full" else covariance[:1]
    else:
        variance = jnp.diagonal(covariance, axis1=1, axis2=2)
        variance = variance[:, :1] if structure == "spherical" else variance
        sites["variance_free"] = variance[:1] if structure == "tied" else variance
    return sites


def _free_rows(rows: Rows) -> Sequence[tuple[int, np.ndarray]]:
    kept = [(state, np.flatnonzero(concentration > 0)) for state, concentration in enumerate(rows[1])]
    return [(state, keep) for state, keep in kept if len(keep) > 1]


def start_of(model: Any, params: ARPHMMParams) -> dict[str, Array]:
    """Values of the program's sites at parameters, moved off the edges of the simplices."""
    rows = model.chain_prior()
    inside = ARPHMMParams(*(jnp.asarray(p) for p in params))
    initial = (inside.initial + 1e-3) / (1 + 1e-3 * model.n_states)
    spread = 1e-3 * jnp.asarray(model.allowed)
    transition = (inside.transition + spread) / (inside.transition + spread).sum(axis=1, keepdims=True)
    sites = sites_at(initial, transition, inside.coefficients, inside.covariance, rows=rows, structure=model.covariance)
    if model.n_substates > 1 and model.terminal.any():
        sites["advance_free"] = jnp.clip(inside.advance[np.flatnonzero(model.terminal)], 1e-4, 1 - 1e-4)
    return sites
