r"""The matrix-normal inverse-Wishart family of :mod:`neurolatent.ops.mniw` where only some coordinates are there.

A regression of coordinates on coordinates and a constant, its size fixed while a program is traced and its coordinates
known when it runs. Under the inverse-Wishart law the part of the covariance that is there has freedom
:math:`\nu - (D - d)`, D coordinates of which d are there; what is not there is left out of every density, and its
coefficients stand at the prior's mean in draws. Precision and scale of the prior are diagonal. One regression at a
time: matrices are factored by LAPACK, so that they may be large; ``jax.lax.map`` takes several.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import gammaln
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from neurolatent.ops.gamma import standard_gamma
from neurolatent.ops.mniw import Family, Moments, Posterior

Part = Bool[Array, " features"]


def posterior(moments: Moments, squares: Float[Array, "features features"], prior: Family, there: Part) -> Posterior:
    """The posterior of targets from which the prior's mean has been taken (``prior.mean`` is added again).

    Args:
        moments: 0 wherever a coordinate is not there.
        squares: Sum of the outer products of the targets, 0 as well.
    """
    dtype = moments.zz.dtype
    precision, scale = jnp.asarray(prior.precision, dtype), jnp.asarray(prior.scale, dtype)
    inverse = _lower_inverse(jnp.linalg.cholesky(moments.zz + precision))
    white = moments.yz @ inverse.T
    root = jnp.linalg.cholesky(scale + squares - white @ white.T)
    mean = jnp.asarray(prior.mean, dtype) + white @ inverse
    return Posterior(mean, inverse.T, _freedom(prior, there, dtype) + moments.weight, root)


def draw(
    key: PRNGKeyArray, of: Posterior, there: Part
) -> tuple[Float[Array, "features regressors"], Float[Array, "features features"]]:
    """Coefficients and covariance, by Bartlett's factor of the coordinates that are there, in their order."""
    key_square, key_below, key_normal = jax.random.split(key, 3)
    (features, regressors), dtype = of.mean.shape, of.root.dtype
    half = 0.5 * jnp.where(there, of.freedom - _places(there, dtype), 1.0)
    diagonal = jnp.where(there, jnp.sqrt(2 * standard_gamma(key_square, half)), 1.0)
    both = there[:, None] & there
    below = jnp.tril(jax.random.normal(key_below, (features, features), dtype), -1)
    root = of.root @ _lower_inverse(jnp.diag(diagonal) + jnp.where(both, below, 0.0)).T
    white = jax.random.normal(key_normal, (features, regressors), dtype)
    white = jnp.where(there[:, None] & jnp.append(there, True), white, 0.0)  # noqa: FBT003  # the constant is there
    return of.mean + root @ white @ of.spread.T, root @ root.T


def log_marginal(of: Posterior, prior: Family, there: Part) -> Float[Array, ""]:
    """Log density of the targets that are there with coefficients and covariance integrated out, nats."""
    dtype = of.root.dtype
    count, place = there.sum().astype(dtype), _places(there, dtype)
    of_part = lambda values: jnp.where(there, values, 0.0).sum()  # noqa: E731
    before, half, half_prior = np.diagonal(prior.scale), 0.5 * of.freedom, 0.5 * _freedom(prior, there, dtype)
    gammas = jnp.where(there, gammaln(half - 0.5 * place) - gammaln(half_prior - 0.5 * place), 0.0).sum()
    log_scale = of_part(jnp.asarray(np.log(before), dtype))
    log_left = 2 * of_part(jnp.log(jnp.diagonal(of.root)))
    log_spread = 2 * jnp.log(jnp.diagonal(of.spread)).sum() + float(np.log(np.diagonal(prior.precision)).sum())
    normal = -(half - half_prior) * count * jnp.log(jnp.asarray(jnp.pi, dtype))
    return normal + gammas + half_prior * log_scale - half * log_left + 0.5 * count * log_spread


def _freedom(prior: Family, there: Part, dtype: Any) -> Float[Array, ""]:
    return prior.freedom - (~there).sum().astype(dtype)


def _places(there: Part, dtype: Any) -> Float[Array, " features"]:
    """How many coordinates that are there stand before each of them."""
    return (jnp.cumsum(there) - 1).astype(dtype)


def _lower_inverse(root: Float[Array, "n n"]) -> Float[Array, "n n"]:
    return solve_triangular(root, jnp.eye(len(root), dtype=root.dtype), lower=True)
