r"""Gaussian processes bin by bin: a dense prior over time, and the divergence of uncorrelated beliefs from it.

.. math::
    KL(N(\mu, diag(s)) \| N(0, K)) = \tfrac12 (tr(K^{-1} S) + \mu^T K^{-1} \mu - T + \log|K| - \sum_t \log s_t).

It is summed over bins by :math:`K = L L^T`, of which a shorter sequence has the leading block, so that one factor
serves sequences of all lengths. The code of Gondur et al. (2024) counts
:math:`\log|K|` in full, not half.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def kernel_factor(time: int, ell: Float[Array, " latent"], jitter: Any) -> Float[Array, "latent time time"]:
    """Cholesky factor of squared-exponential covariances of unit variance.

    One latent after the other: see :mod:`neurolatent.ops.spd` on batches of factors.

    Args:
        ell: Length scales, bins.
        jitter: Added to the diagonal; single precision needs 1e-4 or more.
    """
    bins = jnp.arange(time, dtype=ell.dtype)
    lag, floor = bins[:, None] - bins, jnp.asarray(jitter, ell.dtype) * jnp.eye(time, dtype=ell.dtype)
    return jax.lax.map(lambda scale: jnp.linalg.cholesky(jnp.exp(-0.5 * (lag / scale) ** 2) + floor), ell)


def divergence_in_time(
    mean: Float[Array, "sequences latent time"],
    var: Float[Array, "sequences latent time"],
    factor: Float[Array, "latent time time"],
    inside: Bool[Array, "sequences time"],
) -> Float[Array, "sequences latent"]:
    """Divergence of beliefs without correlations from the prior whose Cholesky factor is given, nats.

    Args:
        inside: True up to the last bin of each sequence; what stands beyond it does not count.
    """
    eye = jnp.eye(factor.shape[-1], dtype=factor.dtype)
    inverse = jax.lax.map(lambda root: jax.scipy.linalg.solve_triangular(root, eye, lower=True), factor)
    inside = inside[:, None]
    mean, var = jnp.where(inside, mean, 0), jnp.where(inside, var, 1)
    white = jnp.einsum("pts,mps->mpt", inverse, mean)
    spread = jnp.einsum("pts,mps->mpt", inverse**2, var)
    level = 2 * jnp.log(jnp.diagonal(factor, axis1=1, axis2=2))
    return 0.5 * jnp.where(inside, spread + white**2 - 1 + level - jnp.log(var), 0).sum(axis=-1)
