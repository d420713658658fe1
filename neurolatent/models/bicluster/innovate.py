r"""Scales of the innovations, moved with the standardised innovations held.

Given a trajectory the scale of its steps is told to a few per cent, and given the scale the trajectory is drawn to
suit it: where counts say little of a step, the two drawn in turn hardly move. Here the covariance of one state and
cluster becomes :math:`s^2 Q` and the innovations :math:`\epsilon_t = x_t - A x_{t-1} - b` of that state :math:`s
\epsilon_t`, so that the density of the steps changes by the Jacobian alone; the counts, the prior of the law and
:math:`s^{D (D + 1)}` decide.

Reference: Yu and Meng (2011), JCGS 20(3):531-570 (ancillary and sufficient augmentations interwoven). Ours.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster.dynamics import dynamics_of, prior_family
from neurolatent.models.bicluster.likelihood import kernel, log_rate
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, occupancy
from neurolatent.ops import small

TRIES = 4
STEPS = (0.4, 0.15)  # standard deviations of log s, in turn; ours


def innovate(model: Any, params: BiclusterParams, data: BiclusterData, key: PRNGKeyArray) -> BiclusterParams:
    """The draw after some tries, each for one state and all clusters side by side."""

    def one(number: Array, params: BiclusterParams) -> BiclusterParams:
        return _try(model, params, data, jnp.asarray(STEPS)[number % len(STEPS)], jax.random.fold_in(key, number))

    return jax.lax.fori_loop(0, TRIES, one, params)


def _try(
    model: Any, params: BiclusterParams, data: BiclusterData, step: Float[Array, ""], key: PRNGKeyArray
) -> BiclusterParams:
    """The innovations of a state at random on another scale in each cluster, where that is accepted."""
    key_state, key_size, key_accept = jax.random.split(key, 3)
    states, clusters, size = params.shift.shape
    told = (params.state[1:, None] == jnp.arange(states)).any(axis=0)
    at = jax.random.categorical(key_state, jnp.where(told, 0.0, -jnp.inf))
    log_scale = step * jax.random.normal(key_size, (clusters,), params.offset.dtype)
    tried = scaled(params, at, log_scale)
    change = log_prior_change(model, params, at, log_scale)
    each = kernel(model.family, data.counts, log_rate(tried), params.dispersion[:, None])
    each = each - kernel(model.family, data.counts, log_rate(params), params.dispersion[:, None])
    member = (params.label[:, None] == jnp.arange(clusters)).astype(each.dtype)
    change = change + (each * data.seen).sum(axis=1) @ member
    accept = jnp.log1p(-jax.random.uniform(key_accept, (clusters,), change.dtype)) < change
    accept &= occupancy(params.label, clusters) > 0  # nothing would hold back what is empty
    return params._replace(
        trajectories=jnp.where(accept[:, None, None], tried.trajectories, params.trajectories),
        innovation=jnp.where(accept[:, None, None], tried.innovation, params.innovation),
    )


def scaled(params: BiclusterParams, at: Int[Array, ""] | int, log_scale: Float[Array, " cluster"]) -> BiclusterParams:
    """Innovations of a state scaled, cluster by cluster."""
    into, laws = params.state[1:], dynamics_of(params)
    x = jnp.moveaxis(params.trajectories, 0, -1)  # (bin, coordinate, cluster)
    onward = jnp.moveaxis(laws.transition, 1, -1)[into]
    shift = jnp.moveaxis(laws.shift, 1, -1)[into]
    innovation = x[1:] - (onward * x[:-1, None]).sum(axis=2) - shift
    pushed = jnp.where((into == at)[:, None, None], jnp.expm1(log_scale) * innovation, 0.0)

    def step(moved: Array, bin_: tuple[Array, Array]) -> tuple[Array, Array]:
        onward, push = bin_
        moved = (onward * moved).sum(axis=1) + push
        return moved, moved

    _, moved = jax.lax.scan(step, jnp.zeros_like(x[0]), (onward, pushed))
    paths = params.trajectories.at[:, 1:].add(jnp.moveaxis(moved, -1, 0))
    noise = laws.innovation.at[at].multiply(jnp.exp(2 * log_scale)[:, None, None])
    return params._replace(trajectories=paths, innovation=noise)


def log_prior_change(
    model: Any, params: BiclusterParams, at: Int[Array, ""] | int, log_scale: Float[Array, " cluster"]
) -> Float[Array, " cluster"]:
    """By how much the log prior of the laws of a state changes, Jacobian included."""
    size = params.shift.shape[-1]
    family = prior_family(model, size)
    precision = small.from_entries(small.inverse(small.entries(params.innovation[at])))
    apart = params.transition[at] - jnp.eye(size, dtype=precision.dtype)
    law = jnp.concatenate([apart, params.shift[at][..., None]], axis=-1)
    trace = family.scale[0, 0] * jnp.trace(precision, axis1=-2, axis2=-1)
    trace = trace + model.law_precision * jnp.einsum("jam,jab,jbm->j", law, precision, law)
    return -0.5 * jnp.expm1(-2 * log_scale) * trace - size * (family.freedom + size + 1) * log_scale
