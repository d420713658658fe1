r"""Clusters of the neurons: label and loadings move together, and the number of clusters is drawn with them.

A label is proposed with probability proportional to weight times approximate marginal, then loadings from the Gaussian
at the mode; with :math:`w(j, c) = p(y \mid j, c) N(c; 0, I) / (\hat m_j q_j(c))` the pair is accepted with
probability :math:`\min(1, w(j', c') / w(j, c))`. The published sampler draws the label with the loadings integrated out
and then goes on with loadings that belong to another cluster.

The telescoping sampler (Fruehwirth-Schnatter, Malsiner-Walli and Gruen, 2021, Bayesian Analysis 16(4):1279-1307) draws
the number of components given the partition, then the weights of all components, the empty ones with parameters from
their prior, and then all labels side by side. The other sampler, :mod:`neurolatent.models.bicluster.collapsed`, takes
neuron by neuron.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster import laplace
from neurolatent.models.bicluster.dynamics import Dynamics, dynamics_of
from neurolatent.models.bicluster.newcomers import newcomers
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, occupancy
from neurolatent.ops.gamma import standard_gamma
from neurolatent.ops.partitions import geometric_log_prior, log_mixture_coefficients


class Components(NamedTuple):
    """The components that take part in a sweep."""

    active: Bool[Array, " cluster"]
    log_weight: Float[Array, " cluster"]  # -inf where they do not


def draw_labels(
    model: Any, params: BiclusterParams, data: BiclusterData, components: Components, key: PRNGKeyArray
) -> tuple[BiclusterParams, Float[Array, ""]]:
    """Labels and loadings of all neurons, and the share of proposals that were accepted.

    Args:
        components: Drawn given the labels as they are. Laws of motion of those without neurons must be fresh draws of
            their prior, as :func:`draw_dynamics` leaves them.
    """
    key_paths, key_move = jax.random.split(key)
    sizes = occupancy(params.label, params.trajectories.shape[0])
    former, is_kept = dynamics_of(params), sizes > 0
    laws, fresh = newcomers(model, former, params.state, key_paths)
    paths = jnp.where(is_kept[:, None, None], params.trajectories, fresh)
    if model.birth == "heuristic":
        places = is_kept[:, None]
        laws = Dynamics(
            jnp.where(places[..., None], former.transition, laws.transition),
            jnp.where(places, former.shift, laws.shift),
            jnp.where(places[..., None], former.innovation, laws.innovation),
        )
        params = params._replace(**laws._asdict())
    label, loadings, accepted = move(model, params, data, paths, *components, key_move)
    return params._replace(label=label, loadings=loadings, trajectories=paths), accepted


def draw_components(model: Any, sizes: Int[Array, " cluster"], key: PRNGKeyArray) -> Components:
    r"""Which clusters take part, and the logarithms of their weights.

    :math:`p(K \mid z) \propto p_K(K) \frac{K!}{(K - K_+)!} \frac{\Gamma(\gamma K)}{\Gamma(\gamma K + N)}`, from the
    number of occupied clusters on; then :math:`\pi \sim Dir(\gamma + n_j)`.
    """
    key_count, key_weight = jax.random.split(key)
    most, gamma = len(sizes), model.concentration
    log_prior = jnp.asarray(geometric_log_prior(model.rho, most))
    k, occupied, neurons = jnp.arange(1.0, most + 1), (sizes > 0).sum(), sizes.sum()
    scores = log_prior + gammaln(k + 1) - gammaln(jnp.maximum(k - occupied, 0.0) + 1)
    scores = scores + gammaln(gamma * k) - gammaln(gamma * k + neurons)
    count = 1 + jax.random.categorical(key_count, jnp.where(k >= occupied, scores, -jnp.inf))
    empty = sizes == 0
    active = ~empty | (jnp.cumsum(empty) <= count - occupied)
    drawn = standard_gamma(key_weight, gamma + sizes.astype(log_prior.dtype))
    return Components(active, jnp.where(active, jnp.log(drawn), -jnp.inf))


def move(
    model: Any,
    params: BiclusterParams,
    data: BiclusterData,
    paths: Float[Array, "cluster bin coordinate"],
    active: Bool[Array, " cluster"],
    log_weight: Float[Array, " cluster"],
    key: PRNGKeyArray,
) -> tuple[Int[Array, " neuron"], Float[Array, "neuron factor"], Float[Array, ""]]:
    """The joint move of every neuron, given weights and trajectories."""
    proposals = laplace.propose_all(model.family, data, params, paths, active)
    return choose(model, params, data, paths, proposals, log_weight, key)


def choose(
    model: Any,
    params: BiclusterParams,
    data: BiclusterData,
    paths: Float[Array, "cluster bin coordinate"],
    proposals: laplace.Proposal,
    log_weight: Float[Array, " cluster"],
    key: PRNGKeyArray,
) -> tuple[Int[Array, " neuron"], Float[Array, "neuron factor"], Float[Array, ""]]:
    """Labels and loadings of neurons given their Gaussians (cluster, neuron), and the share that was accepted."""
    key_label, key_loadings, key_accept = jax.random.split(key, 3)
    marginal = jnp.where(jnp.isfinite(proposals.log_marginal), proposals.log_marginal, -jnp.inf)  # a path that grew
    scores = log_weight[:, None] + marginal
    tried = jax.random.categorical(key_label, scores, axis=0).astype(params.label.dtype)
    there = laplace.at_neurons(proposals, tried)
    bins = data.counts.shape[1]
    loadings = laplace.draw(there, key_loadings, bins)

    def log_ratio(label: Array, at: laplace.Proposal, c: Array) -> Array:
        exact = laplace.log_target(model.family, data, params, paths[label], c)
        return exact - at.log_marginal - laplace.log_density(at, c, bins)

    here = laplace.at_neurons(proposals, params.label)
    gain = log_ratio(tried, there, loadings) - log_ratio(params.label, here, params.loadings)
    accept = jnp.log1p(-jax.random.uniform(key_accept, gain.shape, gain.dtype)) < gain
    label = jnp.where(accept, tried, params.label)
    return label, jnp.where(accept[:, None], loadings, params.loadings), accept.mean(dtype=gain.dtype)


def log_coefficients(model: Any, neurons: int, most: int) -> Float[np.ndarray, " places"]:
    """Log V_N(t) at t = 0, ..., ``most`` + 1; -inf at both ends."""
    logs = log_mixture_coefficients(neurons, model.concentration, geometric_log_prior(model.rho, most))
    return np.r_[-np.inf, logs, -np.inf]
