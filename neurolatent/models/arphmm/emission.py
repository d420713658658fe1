r"""Autoregressive Gaussian emissions: their log density and the moments that the M-step needs.

.. math:: y_t \mid s_t = k \sim N(W_k z_t, \Sigma_k), \qquad z_t = [y_{t-1}; \ldots; y_{t-p}; 1].
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Bool, Float

from neurolatent.ops.mniw import LOG_2PI, Moments


def log_emission(
    y: Float[Array, "sequences time features"],
    z: Float[Array, "sequences time regressors"],
    usable: Bool[Array, "sequences time"],
    coefficients: Float[Array, "states features regressors"],
    covariance: Float[Array, "states features features"],
) -> Float[Array, "sequences time states"]:
    r"""Log density of each step under each state, nats; 0 where the step is not usable (marginalised).

    .. math:: -\tfrac D2\log 2\pi - \sum \log \mathrm{diag} L_k - \tfrac12 \|L_k^{-1}(y_t - W_k z_t)\|^2

    Whitened once per state: :math:`L_k^{-1} [I, -W_k]` of all states is one matrix, and :math:`[y_t; z_t]` of all steps
    another, so that their product is all there is to compute.
    """
    factor = jnp.linalg.cholesky(covariance)
    identity = jnp.broadcast_to(jnp.eye(y.shape[-1], dtype=y.dtype), factor.shape)
    whitener = solve_triangular(factor, identity, lower=True)
    whiten = jnp.concatenate([whitener, -whitener @ coefficients], axis=-1)
    white = jnp.einsum("ntm,kem->ntke", jnp.concatenate([y, z], axis=-1), whiten)
    half_log_det = jnp.log(jnp.diagonal(factor, axis1=1, axis2=2)).sum(axis=-1)
    density = -0.5 * (white**2).sum(axis=-1) - half_log_det - 0.5 * y.shape[-1] * LOG_2PI
    return jnp.where(usable[..., None], density, 0.0)


class WeightedRows(NamedTuple):
    """Targets, regressors and how much each step belongs to each state: zero on padding and where it is not usable."""

    y: Float[Array, "sequences time features"]
    z: Float[Array, "sequences time regressors"]
    responsibility: Float[Array, "sequences time states"]


def weighted_moments(rows: WeightedRows) -> Moments:
    """Moments per state (a leading axis of states on every field), pooled over sequences and time."""
    features = rows.y.shape[-1]
    both = jnp.concatenate([rows.y, rows.z], axis=-1).reshape(-1, features + rows.z.shape[-1])
    weights = rows.responsibility.reshape(both.shape[0], -1)
    second = jax.lax.map(lambda weight: (both[:, features:] * weight[:, None]).T @ both, weights.T)
    return Moments(weights.sum(axis=0), second[:, :, features:], jnp.swapaxes(second[:, :, :features], 1, 2))


def residual_scatter(
    rows: WeightedRows, coefficients: Float[Array, "states features regressors"]
) -> Float[Array, "states features features"]:
    """Weighted sums of squares and products of the residuals, per state; positive semidefinite also in rounding."""
    y, z = rows.y.reshape(-1, rows.y.shape[-1]), rows.z.reshape(-1, rows.z.shape[-1])

    def one(state: tuple[Array, Array]) -> Array:
        weight, regression = state
        residual = (y - z @ regression.T) * jnp.sqrt(weight)[:, None]
        return residual.T @ residual

    return jax.lax.map(one, (rows.responsibility.reshape(y.shape[0], -1).T, coefficients))
