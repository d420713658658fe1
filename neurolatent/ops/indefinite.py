r"""What a regression says of the state, as information for the filter: the discriminative step and its three rules.

The observation model is :math:`p(x|z) \propto N(z; f, Q) / N(z; 0, S)`, so a bin's information is
:math:`J = Q^{-1} - S^{-1}, h = Q^{-1} f`. Learned :math:`Q` can make :math:`J` indefinite; then, for that bin,

* ``ROBUST``: leave :math:`S^{-1}` out: :math:`J = Q^{-1}, h = Q^{-1} f`;
* ``SHRINK``: replace :math:`Q` by :math:`(Q^{-1} + S^{-1})^{-1}`: :math:`J = Q^{-1}, h = (Q^{-1} + S^{-1}) f`;
* ``CLIP``: solve :math:`Q v = \lambda S v` and cap :math:`\lambda` at 1.

References: Burkhart (2019), thesis, arXiv 1807.06173 (the model; the text states the first rule); Burkhart et al.
(2020), Neural Computation 32(5):969-1017, whose released scripts use the second for real data and the third for
simulations. The evidence increments are ours: they follow from the model.
"""

from enum import IntEnum
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Bool, Float

from neurolatent.ops.kalman import Information, symmetric

TOLERANCE = 1e-9  # Q = S says nothing and is not indefinite


class Rule(IntEnum):
    """What is done with a bin whose information would be indefinite."""

    ROBUST = 0
    SHRINK = 1
    CLIP = 2


class Discriminative(NamedTuple):
    """The bins' information, and what else is to be known of them."""

    seen: Information
    log_factor: Float[Array, " time"]  # add the filter's increment: log p(x_t | past) - log p(x_t), nats
    indefinite: Bool[Array, " time"]


def discriminative(
    mean: Float[Array, "time latent"],
    noise: Float[Array, "time latent latent"],
    stationary: Float[Array, "latent latent"],
    *,
    rule: Rule,
) -> Discriminative:
    """The information of bins whose regression is N(mean, noise), under a state of covariance ``stationary``.

    On robust steps the log factor leaves out log|S|: it is then known up to a constant.
    """
    values, white, root = _against(noise, stationary)
    bad = values[:, -1] > 1.0 + TOLERANCE
    if rule is Rule.CLIP:
        values = jnp.minimum(values, 1.0)
    inner = jnp.einsum("tik,tk,tjk->tij", white, 1.0 / values, white)
    one = jnp.eye(mean.shape[1], dtype=mean.dtype)
    push = jnp.einsum("tij,tj->ti", inner, solve_triangular(root, mean.T, lower=True).T)
    log_factor = -0.5 * jnp.sum(jnp.log(values), axis=1)
    keep = inner - one
    if rule is not Rule.CLIP:
        keep = jnp.where(bad[:, None, None], inner, keep)
    if rule is Rule.SHRINK:
        push = jnp.where(bad[:, None], push + solve_triangular(root, mean.T, lower=True).T, push)
        log_factor = jnp.where(bad, 0.5 * jnp.sum(jnp.log1p(1.0 / values), axis=1), log_factor)
    if rule is Rule.ROBUST:
        log_factor = jnp.where(bad, log_factor - jnp.sum(jnp.log(jnp.diagonal(root))), log_factor)
    log_factor -= 0.5 * jnp.sum(push * solve_triangular(root, mean.T, lower=True).T, axis=1)
    return Discriminative(_unwhitened(keep, push, root), log_factor, bad)


def discriminative_constant(
    mean: Float[Array, "time latent"],
    noise: Float[Array, "latent latent"],
    stationary: Float[Array, "latent latent"],
    *,
    rule: Rule | None,
) -> tuple[Discriminative, Float[Array, "latent latent"]]:
    """As :func:`discriminative` with one noise for all bins, and the one precision that they share.

    Args:
        rule: None for the robust filter.
    """
    latent = len(noise)
    probes = jnp.concatenate([jnp.eye(latent, dtype=mean.dtype), jnp.zeros((1, latent), mean.dtype)])
    many = jnp.broadcast_to(noise, (latent + 1, latent, latent))
    one = robust(probes, many) if rule is None else discriminative(probes, many, stationary, rule=rule)
    push = mean @ one.seen.shift[:latent]
    precision = one.seen.precision[-1]
    log_factor = one.log_factor[-1] - 0.5 * jnp.sum(push * mean, axis=1)
    all_bins = Information(jnp.broadcast_to(precision, (len(mean), latent, latent)), push)
    return Discriminative(all_bins, log_factor, jnp.broadcast_to(one.indefinite[-1], len(mean))), precision


def robust(mean: Float[Array, "time latent"], noise: Float[Array, "time latent latent"]) -> Discriminative:
    """The information of the robust filter, which never uses the stationary covariance; no bin is indefinite."""
    root = jnp.linalg.cholesky(noise)
    white = jax.vmap(lambda r, m: solve_triangular(r, m, lower=True))(root, mean)
    push = jax.vmap(lambda r, w: solve_triangular(r.T, w, lower=False))(root, white)
    flat = jnp.eye(mean.shape[1], dtype=mean.dtype)
    half = jax.vmap(lambda r: solve_triangular(r, flat, lower=True))(root)
    log_factor = -jnp.sum(jnp.log(jnp.diagonal(root, axis1=1, axis2=2)), axis=1) - 0.5 * jnp.sum(white**2, axis=1)
    keep = jnp.einsum("tki,tkj->tij", half, half)
    return Discriminative(Information(symmetric(keep), push), log_factor, jnp.zeros(len(mean), bool))


def first_bin(
    mean: Float[Array, " latent"], noise: Float[Array, "latent latent"], stationary: Float[Array, "latent latent"]
) -> Information:
    """Information that turns the belief N(0, stationary) into N(mean, noise): the start of the released code."""
    inverse = jnp.linalg.inv(noise)
    return Information(symmetric(inverse - jnp.linalg.inv(stationary)), inverse @ mean)


def _against(noise: Array, stationary: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues (rising) and orthonormal vectors of Q in coordinates in which S is the identity, and S's factor."""
    root = jnp.linalg.cholesky(stationary)
    inside = jax.vmap(lambda q: solve_triangular(root, solve_triangular(root, q, lower=True).T, lower=True))(noise)
    values, vectors = jnp.linalg.eigh(symmetric(inside))
    return values, vectors, root


def _unwhitened(keep: Array, push: Array, root: Array) -> Information:
    back = solve_triangular(root, jnp.eye(len(root), dtype=root.dtype), lower=True)
    return Information(symmetric(jnp.einsum("ki,tkl,lj->tij", back, keep, back)), push @ back)
