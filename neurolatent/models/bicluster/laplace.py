r"""The loadings of each neuron in each cluster: a Gaussian at the mode, from which proposals are made.

For neuron i in cluster j the density of its loadings c, offset and dispersion kept, is :math:`p(y_i \mid d_i + \mu +
F c) N(c; 0, I)`, log-concave for both families. Newton's method from 0 in single precision gives mode, curvature and
the approximate log marginal: they steer proposals, which are then accepted or refused by exact densities, so that
their errors cost acceptance and nothing else. Clusters that take no part are skipped.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster.likelihood import curvature, kernel
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams
from neurolatent.ops import small
from neurolatent.ops.gamma import standard_gamma

STEPS = 6  # of Newton's method; ours
FEW_BINS, FREEDOM = 50, 5.0  # with fewer bins a multivariate t of so many degrees of freedom (specification, 5.7)
LONGEST = 2.0  # of a step, in standard deviations of the prior


class Proposal(NamedTuple):
    """Gaussians of the loadings, on any leading axes."""

    mode: Float[Array, "*batch factor"]
    root: Float[Array, "*batch factor factor"]  # lower, of the precision
    log_marginal: Float[Array, "*batch"]  # approximate, of the neuron's counts, less what is equal for all clusters


def propose(
    family: str,
    data: BiclusterData,
    offset: Float[Array, " neuron"],
    dispersion: Float[Array, " neuron"],
    path: Float[Array, "bin coordinate"],
) -> Proposal:
    """The Gaussian of every neuron in one cluster."""
    counts, seen, path = (part.astype(jnp.float32) for part in (data.counts, data.seen, path))
    base, r = (offset[:, None] + path[:, 0]).astype(jnp.float32), dispersion[:, None].astype(jnp.float32)
    factors, size = path[:, 1:], path.shape[1] - 1
    pairs = (factors[:, :, None] * factors[:, None, :]).reshape(len(path), -1)

    def at(c: Array) -> tuple[Array, small.Root, Array]:
        eta = base + c @ factors.T
        slope, bend = curvature(family, counts, eta, r)
        precision = small.entries(((bend * seen) @ pairs).reshape(-1, size, size))
        root, gradient = small.cholesky(small.with_one(precision)), (slope * seen) @ factors - c
        return eta, root, small.normal(small.with_one(precision), small.parts(gradient), jnp.zeros_like(c))

    def step(_: Any, c: Array) -> Array:
        move = at(c)[2]
        length = jnp.sqrt((move**2).sum(axis=1, keepdims=True))
        return c + move * jnp.minimum(1.0, LONGEST / jnp.maximum(length, 1e-6))

    mode = jax.lax.fori_loop(0, STEPS, step, jnp.zeros((len(counts), size), path.dtype))
    eta, root, _ = at(mode)
    fitted = (kernel(family, counts, eta, r) * seen).sum(axis=1)
    log_marginal = fitted - 0.5 * (mode**2).sum(axis=1) - small.log_diagonal(root)
    found = Proposal(mode, small.from_entries(root.lower), log_marginal)
    return jax.tree.map(lambda leaf: leaf.astype(offset.dtype), found)


def propose_all(
    family: str, data: BiclusterData, params: BiclusterParams, paths: Array, active: Bool[Array, " cluster"]
) -> Proposal:
    """The Gaussian of every neuron (second axis) in every active cluster (first axis); elsewhere -inf."""
    neurons, size, dtype = len(params.offset), paths.shape[-1] - 1, params.offset.dtype
    nothing = Proposal(
        jnp.zeros((neurons, size), dtype),
        jnp.broadcast_to(jnp.eye(size, dtype=dtype), (neurons, size, size)),
        jnp.full(neurons, -jnp.inf, dtype),
    )

    def one(inputs: tuple[Array, Array]) -> Proposal:
        path, is_active = inputs
        return jax.lax.cond(
            is_active,
            lambda: propose(family, data, params.offset, params.dispersion, path),
            lambda: nothing,
        )

    return jax.lax.map(one, (paths, active))


def draw(proposal: Proposal, key: PRNGKeyArray, bins: int) -> Float[Array, "*batch factor"]:
    """Loadings from the Gaussians; with few bins from multivariate t, since a flat likelihood has the prior's tails."""
    key_normal, key_square = jax.random.split(key)
    white = jax.random.normal(key_normal, proposal.mode.shape, proposal.mode.dtype)
    if bins < FEW_BINS:
        square = 2 * standard_gamma(key_square, jnp.full(white.shape[:-1], 0.5 * FREEDOM, white.dtype))
        white = white * jnp.sqrt(FREEDOM / square)[..., None]
    spread = small.transposed(small.lower_inverse(small.root_of(small.entries(proposal.root))))
    return proposal.mode + small.from_parts(small.applied(spread, small.parts(white)))


def log_density(proposal: Proposal, loadings: Float[Array, "*batch factor"], bins: int) -> Float[Array, "*batch"]:
    """Log density of what :func:`draw` draws from, up to the constant of its dimension."""
    root = small.root_of(small.entries(proposal.root))
    white = small.applied(small.transposed(root.lower), small.parts(loadings - proposal.mode))
    half_log_det, square = small.log_diagonal(root), small.dot(white, white)
    if bins < FEW_BINS:
        return half_log_det - 0.5 * (FREEDOM + len(white)) * jnp.log1p(square / FREEDOM)
    return half_log_det - 0.5 * square


def log_target(
    family: str,
    data: BiclusterData,
    params: BiclusterParams,
    paths: Float[Array, "neuron bin coordinate"],
    loadings: Float[Array, "neuron factor"],
) -> Float[Array, " neuron"]:
    """Exact log density of counts and loadings of each neuron on the path that is its own, up to constants."""
    eta = params.offset[:, None] + paths[..., 0] + (paths[..., 1:] * loadings[:, None]).sum(axis=-1)
    each = kernel(family, data.counts, eta, params.dispersion[:, None]) * data.seen
    return each.sum(axis=1) - 0.5 * (loadings**2).sum(axis=1)


def at_neurons(proposal: Proposal, label: Int[Array, " neuron"]) -> Proposal:
    """Of proposals (cluster, neuron), that of each neuron in the cluster of its label."""
    neurons = jnp.arange(len(label))
    return jax.tree.map(lambda leaf: leaf[label, neurons], proposal)
