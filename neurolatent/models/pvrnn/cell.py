r"""The network along time: posterior trajectory, prior trajectory, and the beliefs that stand beside them.

.. math::
    u^l_t = W_{dd} d^l_{t-1} + W_{zd} z^l_t + [W_{td} d^{l+1}] + [W_{bu} d^{l-1}_{t-1}] + b, \quad
    h^l_t = (1 - 1/\tau) h^l_{t-1} + u^l_t / \tau, \quad d^l_t = \tanh h^l_t

Top-down (the default) reads the layer above at the same step, ``both`` reads both neighbours at the step before. Only
what feeds back is computed step by step: priors and outputs follow from the states of all steps at once.

Reference: Ahmadi and Tani (2019), Neural Computation 31(11), arXiv 1811.01339.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool

from neurolatent.models.pvrnn.joint import Followed, follow, joint_of, run, side_by_side, split
from neurolatent.models.pvrnn.params import LayerWeights, PVRNNParams


class Heads(NamedTuple):
    """A Gaussian belief on the latent units of a layer; log sd as it comes, not clipped."""

    mean: Array
    log_sd: Array


class Course(NamedTuple):
    """What a trajectory went through; each field by layer, (time, batch, ...)."""

    told: tuple[Heads, ...]  # the beliefs that z was drawn from
    z: tuple[Array, ...]
    hidden: tuple[Array, ...]  # h after the step
    activity: tuple[Array, ...]  # d after the step
    before: tuple[Array, ...]  # d before the step


def heads(raw: Array) -> Heads:
    """Mean and log standard deviation of pre-activations."""
    mean, log_sd = jnp.split(raw, 2, axis=-1)
    return Heads(jnp.tanh(mean), log_sd)


def rest(model: Any, batch: int, dtype: Any) -> tuple[Array, ...]:
    """The state before the first step: zero."""
    return tuple(jnp.zeros((batch, layer.units), dtype) for layer in model.layers)


def prior_raw(weights: LayerWeights, before: Array) -> Array:
    """Pre-activations of the prior, given the activity one step before."""
    return before @ weights.prior + weights.prior_bias


def state_term(weights: LayerWeights, before: Array) -> Array | float:
    """What the state adds to the adaptive array in the posterior; nothing where it is free."""
    return before @ weights.posterior + weights.posterior_bias if weights.posterior.shape[0] else 0.0


def first_prior(model: Any, raw: Array, is_first: Bool[Array, "..."]) -> Heads:
    """The prior of a step, which at the first one may be the unit Gaussian."""
    told = heads(raw)
    if model.prior_first != "unit":
        return told
    return Heads(*(jnp.where(is_first, 0.0, part) for part in told))


def roll_posterior(
    model: Any, params: PVRNNParams, start: tuple[Array, ...], adaptive: Any, noise: tuple[Array, ...]
) -> Course:
    """The trajectory under the posterior.

    Args:
        start: h before the first step, by layer (batch, units).
        adaptive: A by layer (batch, time, heads).
        noise: Standard normal draws by layer (time, batch, latent); zeros follow the means.
    """
    rows = side_by_side([jnp.swapaxes(a, 0, 1) for a in adaptive])
    is_state = bool(params.layers[0].posterior.shape[0])
    maps = [(weights.posterior, weights.posterior_bias) for weights in params.layers] if is_state else None
    begin, drawn = jnp.concatenate(start, axis=-1), jnp.concatenate(noise, axis=-1)
    return _course(model, begin, follow(model, joint_of(model, params.layers, maps), begin, rows, drawn))


def roll_prior(
    model: Any, params: PVRNNParams, start: tuple[Array, ...], noise: tuple[Array, ...], is_first: Bool[Array, " time"]
) -> Course:
    """The trajectory under the prior, from a state; ``is_first`` marks the first step of a sequence."""
    joint = joint_of(model, params.layers, [(weights.prior, weights.prior_bias) for weights in params.layers])
    begin, drawn = jnp.concatenate(start, axis=-1), jnp.concatenate(noise, axis=-1)
    way = run(model, joint, begin, (is_first, drawn), lambda raw, first: first_prior(model, raw, first))
    return _course(model, begin, way)


def _course(model: Any, begin: Array, way: Followed) -> Course:
    """A trajectory by layer."""
    latent, units = ([getattr(layer, name) for layer in model.layers] for name in ("latent", "units"))
    activity = jnp.tanh(way.hidden)
    before = jnp.concatenate([jnp.tanh(begin)[None], activity[:-1]])
    told = tuple(map(Heads, split(way.mean, latent), split(way.log_sd, latent)))
    return Course(told, split(way.z, latent), *(split(part, units) for part in (way.hidden, activity, before)))


def outputs(model: Any, params: PVRNNParams, activity: Array) -> Array:
    """(..., channels, bins) the output of the lowest layer's activity (..., units)."""
    raw = activity @ params.output + params.output_bias
    return raw.reshape(*raw.shape[:-1], -1, model.likelihood.per_channel)
