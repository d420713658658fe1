"""Smoothers of a linear Gaussian state: given the whole sequence, or given a fixed number of bins after each.

Reference: Rauch, Tung and Striebel (1965), AIAA Journal 3(8):1445-1450; the formulas stand in the docstrings.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve
from jaxtyping import Array, Float

from neurolatent.ops.kalman import Filtered, symmetric


class Smoothed(NamedTuple):
    """Beliefs that use bins after the present one."""

    mean: Float[Array, "time latent"]
    cov: Float[Array, "time latent latent"]
    lagged_cov: Float[Array, "pairs latent latent"]  # Cov(z_{t+1}, z_t); one fewer than there are bins


def smoother_gains(
    filtered: Filtered, transition: Float[Array, "latent latent"]
) -> Float[Array, "pairs latent latent"]:
    r"""The gains :math:`J_t = \Sigma_t A^T M_{t+1}^{-1}` of every bin but the last."""
    solve = lambda cov, right: cho_solve(cho_factor(cov, lower=True), right)  # noqa: E731
    crossed = jnp.einsum("ij,tjk->tik", transition, filtered.cov[:-1])
    return jnp.swapaxes(jax.vmap(solve)(filtered.predicted_cov[1:], crossed), 1, 2)


def smooth(filtered: Filtered, transition: Float[Array, "latent latent"]) -> Smoothed:
    r"""Beliefs given all bins.

    .. math:: \mu^s_t = \mu_t + J_t (\mu^s_{t+1} - m_{t+1}), \quad
        \Sigma^s_t = \Sigma_t + J_t (\Sigma^s_{t+1} - M_{t+1}) J_t^T, \quad Cov(z_{t+1}, z_t) = \Sigma^s_{t+1} J_t^T
    """
    return smooth_back(filtered, transition, (filtered.mean[-1], filtered.cov[-1]))


def smooth_back(
    filtered: Filtered,
    transition: Float[Array, "latent latent"],
    last: tuple[Float[Array, " latent"], Float[Array, "latent latent"]],
) -> Smoothed:
    """The same where mean and covariance of the last bin, given all bins, are known already."""
    return smooth_by(filtered, smoother_gains(filtered, transition), last)


def smooth_by(
    filtered: Filtered,
    gains: Float[Array, "pairs latent latent"],
    last: tuple[Float[Array, " latent"], Float[Array, "latent latent"]],
) -> Smoothed:
    """The same with the gains known already."""

    def step(later: tuple[Array, Array], bin_: tuple) -> tuple[tuple[Array, Array], tuple[Array, Array, Array]]:
        gain, mean, cov, predicted_mean, predicted_cov = bin_
        lagged = later[1] @ gain.T
        mean = mean + gain @ (later[0] - predicted_mean)
        cov = symmetric(cov + gain @ (later[1] - predicted_cov) @ gain.T)
        return (mean, cov), (mean, cov, lagged)

    bins = (gains, filtered.mean[:-1], filtered.cov[:-1], filtered.predicted_mean[1:], filtered.predicted_cov[1:])
    _, (mean, cov, lagged) = jax.lax.scan(step, last, bins, reverse=True)
    return Smoothed(jnp.concatenate([mean, last[0][None]]), jnp.concatenate([cov, last[1][None]]), lagged)


def smooth_with_lag(
    filtered: Filtered, transition: Float[Array, "latent latent"], lag: int
) -> tuple[Float[Array, "time latent"], Float[Array, "time latent latent"]]:
    """Mean and covariance of each bin given those up to ``lag`` bins later: for users who can wait that long.

    Each bin starts from the filtered belief ``lag`` bins later (or the last one) and steps back; work and memory are
    O(time x lag), not quadratic in time.
    """
    time, latent = filtered.mean.shape
    gains = jnp.concatenate([smoother_gains(filtered, transition), jnp.zeros((1, latent, latent), filtered.mean.dtype)])

    def one(at: Array) -> tuple[Array, Array]:
        end = jnp.minimum(at + lag, time - 1)

        def back(steps: Array, belief: tuple[Array, Array]) -> tuple[Array, Array]:
            bin_ = jnp.maximum(end - 1 - steps, 0)
            gain = gains[bin_]
            mean = filtered.mean[bin_] + gain @ (belief[0] - filtered.predicted_mean[bin_ + 1])
            cov = filtered.cov[bin_] + gain @ (belief[1] - filtered.predicted_cov[bin_ + 1]) @ gain.T
            inside = end - 1 - steps >= at
            return jnp.where(inside, mean, belief[0]), jnp.where(inside, symmetric(cov), belief[1])

        return jax.lax.fori_loop(0, lag, back, (filtered.mean[end], filtered.cov[end]))

    return jax.vmap(one)(jnp.arange(time))
