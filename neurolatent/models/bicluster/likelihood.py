r"""Log probability of counts given the log rate, for both families, and the Gaussian form of the first.

Negative binomial with mean :math:`\lambda = e^\eta` and dispersion r, :math:`\psi = \eta - \log r`:

.. math:: \log p(y) = \log\frac{\Gamma(y + r)}{\Gamma(r) y!} + y \psi - (y + r) \log(1 + e^\psi);

Poisson: :math:`y \eta - e^\eta - \log y!`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, design
from neurolatent.ops import polya_gamma

HIGHEST = 30.0  # of a log rate in the Poisson family: beyond it no recorded neuron fires, and exp overflows


class Curvature(NamedTuple):
    """First derivative of the log probability in the log rate, and minus the second."""

    slope: Float[Array, "*size"]
    bend: Float[Array, "*size"]


class Gaussian(NamedTuple):
    """The likelihood as a Gaussian in the log rate, given auxiliary variables: exp(pull eta - weight eta^2 / 2)."""

    weight: Float[Array, "neuron bin"]  # 0 where nothing was observed
    pull: Float[Array, "neuron bin"]


def log_rate(params: BiclusterParams) -> Float[Array, "neuron bin"]:
    r""":math:`\eta_{it} = d_i + h_i^T \tilde x_t^{(z_i)}`."""
    own = jnp.asarray(params.trajectories)[params.label]
    return params.offset[:, None] + (own * design(params.loadings)[:, None, :]).sum(axis=-1)


def kernel(family: str, counts: Array, eta: Array, dispersion: Array) -> Float[Array, "*size"]:
    """The part of the log probability that depends on the log rate."""
    if family == "poisson":
        return counts * eta - jnp.exp(jnp.minimum(eta, HIGHEST))
    psi = eta - jnp.log(dispersion)
    return counts * psi - (counts + dispersion) * jax.nn.softplus(psi)


def curvature(family: str, counts: Array, eta: Array, dispersion: Array) -> Curvature:
    """Derivatives of :func:`kernel` in the log rate."""
    if family == "poisson":
        rate = jnp.exp(jnp.minimum(eta, HIGHEST))
        return Curvature(counts - rate, rate)
    share = jax.nn.sigmoid(eta - jnp.log(dispersion))
    weight = (counts + dispersion) * share
    return Curvature(counts - weight, weight * (1 - share))


def log_likelihood(model: Any, params: BiclusterParams, data: BiclusterData) -> Float[Array, " neuron"]:
    """Log probability of the observed counts of each neuron, nats."""
    each = kernel(model.family, data.counts, log_rate(params), params.dispersion[:, None])
    total = (each * data.seen).sum(axis=1) - log_rising(data, jnp.ones_like(params.dispersion))  # of y!
    return total + log_rising(data, params.dispersion) if model.family == "nb" else total


def log_rising(data: BiclusterData, r: Float[Array, " neuron"]) -> Float[Array, " neuron"]:
    r""":math:`\sum_t \log\Gamma(y_t + r) - \log\Gamma(r)` of each neuron, from :math:`\log(r + k)`."""
    if data.above.shape[1] == 0:
        return ((gammaln(data.counts + r[:, None]) - gammaln(r[:, None])) * data.seen).sum(axis=1)
    steps = jnp.arange(data.above.shape[1], dtype=r.dtype)
    return (data.above * jnp.log(r[:, None] + steps)).sum(axis=1)


def augmented(key: PRNGKeyArray, data: BiclusterData, eta: Array, dispersion: Array) -> Gaussian:
    r"""Fresh auxiliary variables :math:`\omega \sim PG(y + r, \psi)`, and the Gaussian in eta that they make.

    In :math:`\psi` the exponent is :math:`\tfrac{y - r}2 \psi - \tfrac\omega2 \psi^2`.
    """
    level, r = jnp.log(dispersion)[:, None], dispersion[:, None]
    omega = polya_gamma.draw(key, data.counts + r, eta - level) * data.seen
    return Gaussian(omega, (0.5 * (data.counts - r) * data.seen) + omega * level)


def log_probability(model: Any, params: BiclusterParams, data: BiclusterData) -> Float[Array, "neuron bin"]:
    """Log probability of each observed count, nats; 0 where nothing was observed."""
    counts, r = data.counts, params.dispersion[:, None]
    each = kernel(model.family, counts, log_rate(params), r) - gammaln(counts + 1.0)
    if model.family == "nb":
        each = each + gammaln(counts + r) - gammaln(r)
    return each * data.seen
