r"""The objective: reconstruction and weighted divergence, in the normalisations of the published codes.

.. math::
    J = \frac{1}{R_X} \sum_t rec_t + \sum_l \frac{1}{R_l} \sum_t w_{l,t} KL^l_t, \qquad
    KL = \sum_i \log \frac{\sigma^p}{\sigma^q} + \frac{(\mu^q - \mu^p)^2 + (\sigma^q)^2}{2 (\sigma^p)^2} - \frac{1}{2}

Only with ``normalise="none"`` is w the temperature; in general it is :math:`\beta_l = w_l R_X / R_l`.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from neurolatent.models.pvrnn.cell import Course, Heads, first_prior, outputs, prior_raw, rest, roll_posterior
from neurolatent.models.pvrnn.joint import CLIP
from neurolatent.models.pvrnn.params import PVRNNParams


class Terms(NamedTuple):
    """Parts of the objective of each sequence."""

    rec: Float[Array, " sequences"]  # nats
    kl: Float[Array, "sequences layers"]  # nats, all weights 1
    weighted: Float[Array, "sequences layers"]  # each step's divergence times its w


def divergence(q: Heads, p: Heads, *, deterministic: bool = False) -> Array:
    """KL(q || p) over the latent units (last axis), nats; of two points half their squared distance."""
    if deterministic:
        return 0.5 * jnp.sum((q.mean - p.mean) ** 2, axis=-1)
    a, b = jnp.clip(q.log_sd, *CLIP), jnp.clip(p.log_sd, *CLIP)
    return jnp.sum(b - a + ((q.mean - p.mean) ** 2 + jnp.exp(2 * a)) / (2 * jnp.exp(2 * b)) - 0.5, axis=-1)


def priors(model: Any, params: PVRNNParams, course: Course, is_first: Array) -> tuple[Heads, ...]:
    """The prior of every step of a trajectory, given the activity before it; by layer (time, batch, latent)."""
    flags = is_first.reshape(-1, 1, 1)
    return tuple(
        first_prior(model, prior_raw(weights, before), flags)
        for weights, before in zip(params.layers, course.before, strict=True)
    )


def terms_of(
    model: Any,
    params: PVRNNParams,
    data: Any,
    noise: tuple[Array, ...],
    start: tuple[Array, ...] | None = None,
    is_first: Array | None = None,
) -> tuple[Terms, Course, tuple[Heads, ...], Array]:
    """Terms, the posterior trajectory, the priors along it and the outputs (time, batch, channels, bins).

    Args:
        data: Target, what was observed of it, and valid steps, of as many sequences as the adaptive arrays have.
        noise: By layer (time, batch, latent).
        start: h before the first step; at rest where None.
        is_first: (time,) marks the first step of a sequence; the first row where None.
    """
    count, time = data.valid.shape
    start = rest(model, count, params.output.dtype) if start is None else start
    is_first = jnp.arange(time) == 0 if is_first is None else is_first
    course = roll_posterior(model, params, start, params.adaptive, noise)
    prior, told = priors(model, params, course, is_first), outputs(model, params, course.activity[0])
    target, seen, floor = (jnp.swapaxes(part, 0, 1) for part in (data.target, data.seen, data.floor))
    rec = ((model.likelihood.loss(told, target) - floor) * seen).sum(axis=(0, 2))
    valid = data.valid.T
    each = jnp.stack(
        [divergence(q, p, deterministic=model.deterministic) for q, p in zip(course.told, prior, strict=True)], axis=-1
    )
    each = each * valid[..., None]
    w = jnp.where(is_first[:, None], params.tempering.w_first, params.tempering.w)
    return Terms(rec, each.sum(axis=0), jnp.einsum("tbl,tl->bl", each, w)), course, prior, told


def objective(model: Any, terms: Terms, channels: int) -> Float[Array, " sequences"]:
    """J of each sequence, to be minimised."""
    rec, kl = model.normalisers(channels)
    return terms.rec / rec + jnp.sum(terms.weighted / jnp.asarray(kl, terms.weighted.dtype), axis=-1)
