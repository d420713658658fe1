r"""Kalman filter in information form: each observation enters as a small precision and a small vector.

State: :math:`z_1 \sim N(m_1, M_1)`, :math:`z_t \mid z_{t-1} \sim N(A z_{t-1}, \Gamma)`. What a bin says of its state is
a factor :math:`\exp(-\tfrac12 z^T J z + h^T z)`. A linear observation :math:`x = H z + N(0, \Lambda)` is
:math:`J = H^T \Lambda^{-1} H, h = H^T \Lambda^{-1} x`, collapsed once to the size of the state however many channels
there are; a missing bin is :math:`J = 0, h = 0`; a discriminative bin is what :mod:`neurolatent.ops.indefinite` makes
of a regression. With :math:`M = L L^T` the step is

.. math:: \Sigma = L (I + L^T J L)^{-1} L^T, \qquad \mu = m + \Sigma (h - J m),

symmetric and positive by construction as long as :math:`M^{-1} + J` is positive definite; :math:`J` alone need not be.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve, solve_triangular
from jaxtyping import Array, Float


class Dynamics(NamedTuple):
    """A linear Gaussian state model and the law of the first state before its observation."""

    transition: Float[Array, "latent latent"]  # A
    innovation: Float[Array, "latent latent"]  # Gamma
    mean: Float[Array, " latent"]  # m_1
    cov: Float[Array, "latent latent"]  # M_1


class Information(NamedTuple):
    """What each bin says of its state."""

    precision: Float[Array, "*batch latent latent"]  # J; 0 where nothing was observed
    shift: Float[Array, "*batch latent"]  # h


class Filtered(NamedTuple):
    """Beliefs that use the past and the present only."""

    mean: Float[Array, "time latent"]
    cov: Float[Array, "time latent latent"]
    predicted_mean: Float[Array, "time latent"]  # before the bin's own observation
    predicted_cov: Float[Array, "time latent latent"]
    log_increments: Float[Array, " time"]  # log E exp(-z'Jz/2 + h'z) under the prediction, nats


def collapse(
    x: Float[Array, "time features"],
    emission: Float[Array, "features latent"],
    noise: Float[Array, "features features"],
) -> tuple[Information, Float[Array, " time"]]:
    """Linear observations as information, one precision for all bins, and the rest of their log density.

    Returns:
        Information with a single ``precision``, and per bin log N(x; 0, noise): added to the increments of the filter
        it gives log p(x_t | x_<t) in nats.
    """
    factor = cho_factor(noise, lower=True)
    weights = cho_solve(factor, emission)
    inverse = cho_solve(factor, jnp.eye(len(noise), dtype=noise.dtype))  # one product for all bins, not a solve
    half_log_det = jnp.sum(jnp.log(jnp.diagonal(factor[0])))
    rest = (
        -0.5 * jnp.sum((x @ inverse) * x, axis=1)
        - half_log_det
        - 0.5 * x.shape[1] * jnp.log(2 * jnp.pi).astype(x.dtype)
    )
    return Information(symmetric(emission.T @ weights), x @ weights), rest


def kalman_filter(dynamics: Dynamics, seen: Information) -> Filtered:
    """Filtered and predicted beliefs of every bin, with an information of its own for each."""

    def step(carry: tuple[Array, Array], bin_: Information) -> tuple[tuple[Array, Array], Filtered]:
        mean, cov, gain = update(*carry, bin_)
        following = predict(mean, cov, dynamics)
        return following, Filtered(mean, cov, *carry, gain)

    return jax.lax.scan(step, (dynamics.mean, dynamics.cov), seen)[1]


def predict(
    mean: Float[Array, " latent"], cov: Float[Array, "latent latent"], dynamics: Dynamics
) -> tuple[Float[Array, " latent"], Float[Array, "latent latent"]]:
    """The belief one bin later."""
    moved = dynamics.transition @ cov @ dynamics.transition.T + dynamics.innovation
    return dynamics.transition @ mean, symmetric(moved)


def update(
    mean: Float[Array, " latent"], cov: Float[Array, "latent latent"], seen: Information
) -> tuple[Float[Array, " latent"], Float[Array, "latent latent"], Float[Array, ""]]:
    """The belief after one bin, and the log of the mean of its factor under the belief before it."""
    root = jnp.linalg.cholesky(cov)
    inner = jnp.linalg.cholesky(jnp.eye(len(mean), dtype=mean.dtype) + symmetric(root.T @ seen.precision @ root))
    half = solve_triangular(inner, root.T, lower=True)
    posterior = half.T @ half
    surprise = seen.shift - seen.precision @ mean
    shift = posterior @ surprise
    log_mean = (
        jnp.dot(0.5 * (seen.shift + surprise), mean)
        + 0.5 * jnp.dot(surprise, shift)
        - jnp.sum(jnp.log(jnp.diagonal(inner)))
    )
    return mean + shift, posterior, log_mean


def ahead(
    mean: Float[Array, " latent"], cov: Float[Array, "latent latent"], dynamics: Dynamics, steps: int
) -> tuple[Float[Array, "steps latent"], Float[Array, "steps latent latent"]]:
    """Beliefs one to ``steps`` bins after the last one, nothing more being observed."""

    def step(belief: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        belief = predict(*belief, dynamics)
        return belief, belief

    return jax.lax.scan(step, (mean, cov), None, length=steps)[1]


def symmetric(matrix: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    """The symmetric part, which rounding has left."""
    return 0.5 * (matrix + jnp.swapaxes(matrix, -1, -2))
