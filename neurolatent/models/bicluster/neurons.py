r"""Offset, loadings and dispersion of every neuron given its cluster's trajectory.

The published sampler draws the dispersion by tables of a Chinese restaurant with the rate held fixed. That is not the
conditional of r: on a series with posterior mean 5 it settles at 3.1. Here a slice sampler (Neal, 2003, Annals of
Statistics 31(3):705-767, section 4: an interval of fixed width about the value, then shrinkage) moves log r under

.. math:: \log p(r \mid \lambda, y) = \log p(r) + \sum_t \log\frac{\Gamma(y_t + r)}{\Gamma(r)} + r \log r
    - (y_t + r) \log(r + \lambda_t) + const.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.models.bicluster.likelihood import Gaussian, log_rising
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams
from neurolatent.ops import small

WIDTH = 2.0  # of the slice sampler's interval, in log r; ours


def draw_coefficients(
    model: Any, params: BiclusterParams, told: Gaussian, key: PRNGKeyArray
) -> tuple[Float[Array, " neuron"], Float[Array, "neuron factor"]]:
    """Offset and loadings: a regression on the factors, given the auxiliary variables."""
    own = params.trajectories[params.label]
    regressors = own.at[..., 0].set(1.0)
    prior = jnp.ones(own.shape[-1], own.dtype).at[0].set(1 / model.offset_sd**2)
    precision = jnp.einsum("nt,nta,ntb->nab", told.weight, regressors, regressors) + jnp.diag(prior)
    linear = jnp.einsum("nt,nta->na", told.pull - told.weight * own[..., 0], regressors)
    drawn = small.normal(small.entries(precision), small.parts(linear), jax.random.normal(key, linear.shape, own.dtype))
    return drawn[:, 0], drawn[:, 1:]


def dispersion_density(
    model: Any, data: BiclusterData, eta: Float[Array, "neuron bin"], log_r: Float[Array, " neuron"]
) -> Float[Array, " neuron"]:
    """Log density of log r given the log rates, up to a constant."""
    r = jnp.exp(log_r)
    # log(r + rate) = log r + softplus(eta - log r)
    spread = ((data.counts + r[:, None]) * data.seen * jax.nn.softplus(eta - log_r[:, None])).sum(axis=1)
    total = (data.counts * data.seen).sum(axis=1)
    return log_rising(data, r) - total * log_r - spread + model.dispersion_shape * log_r - model.dispersion_rate * r


def draw_dispersion(
    model: Any, params: BiclusterParams, data: BiclusterData, eta: Float[Array, "neuron bin"], key: PRNGKeyArray
) -> Float[Array, " neuron"]:
    """Dispersions, by a slice sampler on their logarithms; each neuron's loop ends when its draw is inside."""
    key_level, key_place, key_shrink = jax.random.split(key, 3)
    now = jnp.log(params.dispersion)
    place, level = (jax.random.uniform(k, now.shape, now.dtype) for k in (key_place, key_level))
    height = dispersion_density(model, data, eta, now) + jnp.log1p(-level)
    low = now - WIDTH * place

    def shrink(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        low, high, drawn, done, number = carry
        u = jax.random.uniform(jax.random.fold_in(key_shrink, number), now.shape, now.dtype)
        tried = low + (high - low) * u
        inside = dispersion_density(model, data, eta, tried) >= height
        drawn = jnp.where(done, drawn, tried)
        low = jnp.where(tried < now, tried, low)
        high = jnp.where(tried >= now, tried, high)
        return low, high, drawn, done | inside, number + 1

    start = (low, low + WIDTH, now, jnp.zeros(now.shape, bool), jnp.zeros((), jnp.uint32))
    return jnp.exp(jax.lax.while_loop(lambda carry: ~carry[3].all(), shrink, start)[2])
