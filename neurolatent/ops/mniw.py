r"""The matrix-normal inverse-Wishart family: the conjugate prior of a multivariate regression.

.. math::
    W \mid \Sigma \sim MN(M_0, \Sigma, K_0^{-1}), \qquad \Sigma \sim IW(\nu_0, S_0),

with :math:`W` (features x regressors), :math:`K_0` a precision over regressors.

Reference: Murphy (2012), Machine Learning, section 7.6 for the conjugate update; the formulas stand in the docstrings.
"""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve, solve_triangular
from jax.scipy.special import multigammaln
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.ops import small
from neurolatent.ops.gamma import standard_gamma

LOG_2PI = 1.8378770664093453


class Moments(NamedTuple):
    """Weighted moments of targets y (features) and regressors z."""

    weight: Float[Array, "*batch"]
    zz: Float[Array, "*batch regressors regressors"]
    yz: Float[Array, "*batch features regressors"]


def log_determinant(matrix: Float[Array, "n n"]) -> Float[Array, ""]:
    """Log determinant of a positive definite matrix."""
    return 2.0 * jnp.sum(jnp.log(jnp.diagonal(jnp.linalg.cholesky(matrix))))


def matrix_normal_log_density(
    value: Float[Array, "features regressors"],
    mean: Float[Array, "features regressors"],
    row_covariance: Float[Array, "features features"],
    precision: Float[Array, " regressors"],
) -> Float[Array, ""]:
    r"""Log density of :math:`MN(M, \Sigma, \mathrm{diag}(k)^{-1})` at a matrix, in nats.

    .. math:: -\tfrac{DM}{2}\log 2\pi - \tfrac M2 \log|\Sigma| + \tfrac D2 \sum_m \log k_m
        - \tfrac12 tr(\Sigma^{-1} (W - M) K (W - M)^T)
    """
    features, regressors = value.shape
    factor = jnp.linalg.cholesky(row_covariance)
    white = solve_triangular(factor, value - mean, lower=True) * jnp.sqrt(precision)
    half_log_det = jnp.sum(jnp.log(jnp.diagonal(factor)))
    return (
        -0.5 * features * regressors * LOG_2PI
        - regressors * half_log_det
        + 0.5 * features * jnp.sum(jnp.log(precision))
        - 0.5 * jnp.sum(white**2)
    )


def inverse_wishart_log_density(
    value: Float[Array, "features features"],
    freedom: Float[Array, ""] | float | int,
    scale: Float[Array, "features features"],
) -> Float[Array, ""]:
    r"""Log density of :math:`IW(\nu, S)` at a covariance, in nats.

    .. math:: \tfrac\nu2\log|S| - \tfrac{\nu D}{2}\log 2 - \log\Gamma_D(\tfrac\nu2) - \tfrac{\nu+D+1}{2}\log|\Sigma|
        - \tfrac12 tr(S\Sigma^{-1})
    """
    features = value.shape[0]
    factor = jnp.linalg.cholesky(value)
    log_det = 2.0 * jnp.sum(jnp.log(jnp.diagonal(factor)))
    trace = jnp.trace(cho_solve((factor, True), scale))
    freedom = jnp.asarray(freedom, value.dtype)
    half = 0.5 * freedom
    return (
        half * log_determinant(scale)
        - half * features * jnp.log(jnp.asarray(2.0, value.dtype))
        - multigammaln(half, features)
        - 0.5 * (freedom + features + 1.0) * log_det
        - 0.5 * trace
    )


def regression_mode(
    moments: Moments, mean: Float[Array, "features regressors"], precision: Float[Array, " regressors"]
) -> Float[Array, "features regressors"]:
    r"""Coefficients of the conjugate update: :math:`W = (S_{yz} + M_0 K_0) K_n^{-1}`, :math:`K_n = S_{zz} + K_0`.

    The scatter that goes with them, :math:`S_{yy} + M_0 K_0 M_0^T - W K_n W^T`, equals the sum of squared residuals
    plus :math:`(W - M_0) K_0 (W - M_0)^T`. Form it so, from the data: the difference of moments loses digits where the
    level of the data is large beside their noise.
    """
    posterior = moments.zz + jnp.diag(precision)
    right = moments.yz + mean * precision
    scale = jnp.sqrt(jnp.diagonal(posterior))  # equilibrated: lagged smooth series are nearly collinear
    factor = jnp.linalg.cholesky(posterior / jnp.outer(scale, scale))
    return cho_solve((factor, True), (right / scale).T).T / scale


class Family(NamedTuple):
    """One member of the family, on the host."""

    mean: Float[np.ndarray, "features regressors"]  # M
    precision: Float[np.ndarray, "regressors regressors"]  # K
    freedom: float  # nu
    scale: Float[np.ndarray, "features features"]  # S


def conjugate(prior: Family, y: Float[np.ndarray, "rows features"], z: Float[np.ndarray, "rows regressors"]) -> Family:
    r"""The posterior of :math:`y = W z + N(0, \Sigma)`, in the same family.

    .. math:: K_n = K_0 + Z^T Z, \quad M_n = (M_0 K_0 + Y^T Z) K_n^{-1}, \quad \nu_n = \nu_0 + n, \quad
        S_n = S_0 + E^T E + (M_n - M_0) K_0 (M_n - M_0)^T, \quad E = Y - Z M_n^T
    """
    precision = prior.precision + z.T @ z
    mean = np.linalg.solve(precision, (prior.mean @ prior.precision + y.T @ z).T).T
    left, moved = y - z @ mean.T, mean - prior.mean
    scale = prior.scale + left.T @ left + moved @ prior.precision @ moved.T
    return Family(mean, precision, prior.freedom + len(y), 0.5 * (scale + scale.T))


def draw(
    family: Family, count: int, generator: np.random.Generator
) -> tuple[Float[np.ndarray, "draws features regressors"], Float[np.ndarray, "draws features features"]]:
    r"""Independent draws of :math:`(W, \Sigma)`: the covariance, then :math:`W = M + L_\Sigma E L_K^{-1}`."""
    from scipy.stats import invwishart  # slow to import, and only here needed

    features, regressors = family.mean.shape
    shape = (count, features, features)
    covariance = np.reshape(invwishart(family.freedom, family.scale).rvs(size=count, random_state=generator), shape)
    white = generator.normal(size=(count, features, regressors))
    spread = np.linalg.inv(np.linalg.cholesky(family.precision))
    return family.mean + np.linalg.cholesky(covariance) @ white @ spread, covariance


class Posterior(NamedTuple):
    """Members of the family after data, in the factors that a draw needs."""

    mean: Float[Array, "*batch features regressors"]
    spread: Float[Array, "*batch regressors regressors"]  # R with R R^T = K_n^-1
    freedom: Float[Array, "*batch"]
    root: Float[Array, "*batch features features"]  # lower, of S_n


def posterior(moments: Moments, squares: Float[Array, "*batch features features"], prior: Family) -> Posterior:
    """Many posteriors at once, of targets from which the prior's mean has been taken (``prior.mean`` is added again).

    Args:
        squares: Sum of the outer products of the targets y - M_0 z, of which ``moments.yz`` holds the products with z.
    """
    dtype = moments.zz.dtype
    precision, scale = jnp.asarray(prior.precision, dtype), jnp.asarray(prior.scale, dtype)
    inverse = small.lower_inverse(small.cholesky(small.entries(moments.zz + precision)))
    white = small.product(small.entries(moments.yz), small.transposed(inverse))  # of features on whitened regressors
    explained = small.gram(white)
    left = small.added(small.entries(scale + squares), explained, -1.0)
    mean = jnp.asarray(prior.mean, dtype) + small.from_entries(small.product(white, inverse))
    root, spread = small.from_entries(small.cholesky(left).lower), small.from_entries(small.transposed(inverse))
    return Posterior(mean, spread, prior.freedom + moments.weight, root)


def draw_posterior(
    key: PRNGKeyArray, of: Posterior
) -> tuple[Float[Array, "*batch features regressors"], Float[Array, "*batch features features"]]:
    r"""One draw of each: :math:`\Sigma = (L B^{-T}) (L B^{-T})^T`, B the lower factor of a standard Wishart matrix.

    Its diagonal holds roots of chi-squares with :math:`\nu, \nu - 1, ...` degrees of freedom, normals stand below it
    (Bartlett, 1933); then :math:`W = M + L B^{-T} E R^T`.
    """
    key_square, key_normal = jax.random.split(key)
    (features, regressors), dtype = of.mean.shape[-2:], of.root.dtype
    below = features * (features - 1) // 2
    half = 0.5 * (of.freedom[..., None] - jnp.arange(features, dtype=dtype))
    diagonal = jnp.sqrt(2 * standard_gamma(key_square, half))
    normal = iter(jax.random.normal(key_normal, (below + features * regressors, *of.freedom.shape), dtype))
    bartlett = [[0] * features for _ in range(features)]
    for i, entry in enumerate(small.parts(diagonal)):
        bartlett[i][: i + 1] = [*itertools.islice(normal, i), entry]
    lower, spread = small.root_of(small.entries(of.root)).lower, small.entries(of.spread)
    root = small.product(lower, small.transposed(small.lower_inverse(small.root_of(bartlett))))
    white = [list(itertools.islice(normal, regressors)) for _ in range(features)]
    moved = small.product(small.product(root, white), small.transposed(spread))
    return of.mean + small.from_entries(moved), small.from_entries(small.gram(root))


def log_marginal(of: Posterior, prior: Family) -> Float[Array, "*batch"]:
    r"""Log density of the targets with coefficients and covariance integrated out, nats.

    .. math:: -\tfrac{nD}{2}\log\pi + \log\frac{\Gamma_D(\nu_n/2)}{\Gamma_D(\nu_0/2)} + \tfrac{\nu_0}{2}\log|S_0|
        - \tfrac{\nu_n}{2}\log|S_n| + \tfrac D2 \log\frac{|K_0|}{|K_n|}
    """
    features, dtype = of.root.shape[-1], of.root.dtype
    log_root = 2 * jnp.log(jnp.diagonal(of.root, axis1=-2, axis2=-1)).sum(axis=-1)
    log_spread = 2 * jnp.log(jnp.abs(jnp.diagonal(of.spread, axis1=-2, axis2=-1))).sum(axis=-1)
    log_scale, log_precision = (float(np.linalg.slogdet(part)[1]) for part in (prior.scale, prior.precision))
    half, half_prior = 0.5 * of.freedom, jnp.asarray(0.5 * prior.freedom, dtype)
    gammas = multigammaln(half, features) - multigammaln(half_prior, features)
    normal = -(half - half_prior) * features * jnp.log(jnp.asarray(jnp.pi, dtype))
    return normal + gammas + half_prior * log_scale - half * log_root + 0.5 * features * (log_precision + log_spread)
