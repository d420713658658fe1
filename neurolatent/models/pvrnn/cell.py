r"""The network along time: posterior trajectory, prior trajectory, and the beliefs that stand beside them.

.. math::
    u^l_t = W_{dd} d^l_{t-1} + W_{zd} z^l_t + [W_{td} d^{l+1}] + [W_{bu} d^{l-1}_{t-1}] + b, \quad
    h^l_t = (1 - 1/\tau) h^l_{t-1} + u^l_t / \tau, \quad d^l_t = \tanh h^l_t

Top-down (the default) reads the layer above at the same step, ``both`` reads both neighbours at the step before. Only
what feeds back is computed step by step: priors and outputs follow from the states of all steps at once.

Reference: Ahmadi and Tani (2019), Neural Computation 31(11), arXiv 1811.01339.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from neurolatent.models.pvrnn.params import LayerWeights, PVRNNParams

CLIP = (-7.0, 3.0)  # of log standard deviations, only where their exponential is taken; specification, section 10


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


def sd_of(log_sd: Array) -> Array:
    """The standard deviation, with its logarithm clipped."""
    return jnp.exp(jnp.clip(log_sd, *CLIP))


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
    rows = tuple(jnp.swapaxes(a, 0, 1) for a in adaptive)

    def told(weights: LayerWeights, before: Array, row: Any) -> Heads:
        return heads(row + state_term(weights, before))

    return _roll(model, params, start, (rows, noise), told)


def roll_prior(
    model: Any, params: PVRNNParams, start: tuple[Array, ...], noise: tuple[Array, ...], is_first: Bool[Array, " time"]
) -> Course:
    """The trajectory under the prior, from a state; ``is_first`` marks the first step of a sequence."""

    def told(weights: LayerWeights, before: Array, row: Any) -> Heads:
        return first_prior(model, prior_raw(weights, before), row)

    return _roll(model, params, start, ((is_first,) * len(noise), noise), told)


def _roll(model: Any, params: PVRNNParams, start: tuple[Array, ...], rows: Any, told: Callable[..., Heads]) -> Course:
    def step(hidden: tuple[Array, ...], at: Any) -> tuple[tuple[Array, ...], Any]:
        inputs, noise = at
        before = tuple(map(jnp.tanh, hidden))
        beliefs, drawn, after = _step(model, params.layers, (hidden, before), told, (inputs, noise))
        return after, (beliefs, drawn, after)

    _, (beliefs, drawn, hidden) = jax.lax.scan(step, start, rows)
    activity = tuple(map(jnp.tanh, hidden))
    first = tuple(map(jnp.tanh, start))
    before = tuple(jnp.concatenate([f[None], d[:-1]]) for f, d in zip(first, activity, strict=True))
    return Course(beliefs, drawn, hidden, activity, before)


def _step(model: Any, layers: Any, state: Any, told: Callable[..., Heads], rows: Any) -> tuple[Any, Any, Any]:
    """Beliefs, draws and hidden states of one step, lowest layer first; the top layer moves first."""
    (hidden, before), (inputs, noise) = state, rows
    beliefs, drawn, after = [], [], []
    for n in reversed(range(len(layers))):
        weights, layer = layers[n], model.layers[n]
        belief = told(weights, before[n], inputs[n])
        z = belief.mean if model.deterministic else belief.mean + sd_of(belief.log_sd) * noise[n]
        u = before[n] @ weights.recurrent + z @ weights.latent + weights.bias
        if n + 1 < len(layers):
            u = u + (jnp.tanh(after[0]) if model.connect == "topdown" else before[n + 1]) @ weights.above
        if n and model.connect == "both":
            u = u + before[n - 1] @ weights.below
        rate = 1.0 / jnp.asarray(layer.taus, u.dtype)
        after.insert(0, (1.0 - rate) * hidden[n] + rate * u)
        beliefs.insert(0, belief)
        drawn.insert(0, z)
    return tuple(beliefs), tuple(drawn), tuple(after)


def outputs(model: Any, params: PVRNNParams, activity: Array) -> Array:
    """(..., channels, bins) the output of the lowest layer's activity (..., units)."""
    raw = activity @ params.output + params.output_bias
    return raw.reshape(*raw.shape[:-1], -1, model.likelihood.per_channel)
