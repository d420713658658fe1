"""Single numbers of a draw that do not depend on how clusters and states are numbered."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from neurolatent.models.bicluster import concentrations, coupled
from neurolatent.models.bicluster.dynamics import moments_of, prior_family
from neurolatent.models.bicluster.labels import log_coefficients
from neurolatent.models.bicluster.likelihood import log_likelihood, log_rate
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, occupancy
from neurolatent.ops import mniw

PROBES = 10  # entries of the log rate that are followed
LOG_2PI = 1.8378770664093453


def statistics(model: Any, params: BiclusterParams, data: BiclusterData) -> dict[str, Float[Array, ""]]:
    """What is followed from sweep to sweep.

    ``log_joint`` is the log of likelihood and prior with laws of motion and transition rows integrated out (without the
    restriction to stable laws), nats; entropies are in nats; ``log_rate_NUMBER`` are log rates at fixed entries.
    """
    clusters, states = params.trajectories.shape[0], params.weights.shape[0]
    sizes = occupancy(params.label, clusters)
    bins = (params.state[1:, None] == jnp.arange(states)).sum(axis=0)
    log_lik, eta = log_likelihood(model, params, data).sum(), log_rate(params)
    neurons, time = eta.shape
    places = np.linspace(0, neurons * time - 1, PROBES + 2).astype(int)[1:-1]
    logs = jnp.log(params.dispersion)
    found = {
        "log_joint": log_lik + log_prior(model, params),
        "log_lik": log_lik,
        "n_clusters": (sizes > 0).sum(),
        "n_states": (bins > 0).sum(),
        "cluster_entropy": _entropy(sizes / neurons),
        "state_entropy": _entropy(bins / (time - 1)),
        "largest_cluster": sizes.max() / neurons,
        "switches": (params.state[2:] != params.state[1:-1]).sum(),
        "mean_log_rate": eta.mean(),
        **{f"log_rate_{n}": eta[place // time, place % time] for n, place in enumerate(places)},
    }
    if model.family == "nb":
        found |= {"log_dispersion": logs.mean(), "log_dispersion_sd": logs.std()}
    if model.update_hdp:
        found |= {f"log_{n}": jnp.log(c) for n, c in zip(concentrations.NAMES, params.concentrations, strict=True)}
    return {name: jnp.asarray(value, eta.dtype) for name, value in found.items()}


def _entropy(shares: Float[Array, " n"]) -> Float[Array, ""]:
    return -(shares * jnp.log(jnp.where(shares > 0, shares, 1.0))).sum()


def log_prior(model: Any, params: BiclusterParams) -> Float[Array, ""]:
    """Log density of a draw under the prior, laws of motion and transition rows integrated out, nats."""
    return of_neurons(model, params) + of_partition(model, params) + of_paths(model, params) + of_states(model, params)


def of_neurons(model: Any, params: BiclusterParams) -> Float[Array, ""]:
    """Log prior of offsets, loadings and dispersions, nats."""
    d, c, r = params.offset, params.loadings, params.dispersion
    total = -0.5 * (d**2).sum() / model.offset_sd**2 - len(d) * (0.5 * LOG_2PI + jnp.log(model.offset_sd))
    total = total - 0.5 * (c**2).sum() - 0.5 * c.size * LOG_2PI
    if model.family == "poisson":
        return total
    a, b = float(model.dispersion_shape), float(model.dispersion_rate)
    return total + ((a - 1) * jnp.log(r) - b * r).sum() + len(r) * (a * jnp.log(b) - gammaln(a))


def of_partition(model: Any, params: BiclusterParams) -> Float[Array, ""]:
    """Log prior of the partition of the neurons, nats."""
    sizes = occupancy(params.label, params.trajectories.shape[0])
    logs, gamma = jnp.asarray(log_coefficients(model, len(params.label), len(sizes))), float(model.concentration)
    blocks = jnp.where(sizes > 0, gammaln(gamma + sizes) - gammaln(gamma), 0.0)
    return logs[(sizes > 0).sum()] + blocks.sum()


def of_paths(model: Any, params: BiclusterParams) -> Float[Array, ""]:
    """Log density of the trajectories given the states, laws of motion integrated out, nats."""
    if model.coupling == "full":
        return coupled.log_paths(model, params)
    clusters, _, size = params.trajectories.shape
    occupied = occupancy(params.label, clusters) > 0
    family = prior_family(model, size)
    moments, squares = moments_of(params.trajectories, params.state, occupied, params.weights.shape[0])
    marginal = mniw.log_marginal(mniw.posterior(moments, squares, family), family).sum()
    first = -0.5 * (params.trajectories[:, 0] ** 2).sum(axis=1) - 0.5 * size * LOG_2PI
    return marginal + jnp.where(occupied, first, 0.0).sum()


def of_states(model: Any, params: BiclusterParams) -> Float[Array, ""]:
    """Log prior of the states, their weights and concentrations, transition rows integrated out, nats."""
    states, beta, (alpha, gamma, kappa) = params.weights.shape[0], params.weights, params.concentrations
    moves = jnp.zeros((states, states)).at[params.state[1:-1], params.state[2:]].add(1.0)
    weight = alpha * beta + kappa * jnp.eye(states)
    rows = gammaln(alpha + kappa) - gammaln(alpha + kappa + moves.sum(axis=1))
    cells = jnp.where(moves > 0, gammaln(weight + moves) - gammaln(weight), 0.0)
    share = gamma / states
    prior = gammaln(gamma) - states * gammaln(share) + ((share - 1) * jnp.log(beta)).sum()
    prior = prior + concentrations.log_prior(model, params.concentrations)
    return rows.sum() + cells.sum() - jnp.log(states) + prior
