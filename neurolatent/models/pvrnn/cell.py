r"""The network along time: posterior trajectory, prior trajectory, and the beliefs that stand beside them.

.. math::
    u^l_t = W_{dd} d^l_{t-1} + W_{zd} z^l_t + [W_{td} d^{l+1}] + [W_{bu} d^{l-1}_{t-1}] + b, \quad
    h^l_t = (1 - 1/\tau) h^l_{t-1} + u^l_t / \tau, \quad d^l_t = \tanh h^l_t

Top-down (the default) reads the layer above at the same step, ``both`` reads both neighbours at the step before. Only
what feeds back is computed step by step: priors and outputs follow from the states of all steps at once.

Reference: Ahmadi and Tani (2019), Neural Computation 31(11), arXiv 1811.01339.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import block_diag
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
    rows = _side_by_side([jnp.swapaxes(a, 0, 1) for a in adaptive])
    is_state = bool(params.layers[0].posterior.shape[0])
    maps = [(weights.posterior, weights.posterior_bias) for weights in params.layers] if is_state else None
    return _roll(model, params, (start, noise, maps), rows, lambda raw, row: heads(row if raw is None else row + raw))


def roll_prior(
    model: Any, params: PVRNNParams, start: tuple[Array, ...], noise: tuple[Array, ...], is_first: Bool[Array, " time"]
) -> Course:
    """The trajectory under the prior, from a state; ``is_first`` marks the first step of a sequence."""
    maps = [(weights.prior, weights.prior_bias) for weights in params.layers]
    return _roll(model, params, (start, noise, maps), is_first, lambda raw, row: first_prior(model, raw, row))


def _side_by_side(by_layer: Sequence[Any]) -> Array:
    """Heads of all layers (..., heads): the means of all, then the log standard deviations of all."""
    halves = [jnp.split(part, 2, axis=-1) for part in by_layer]
    return jnp.concatenate([half[0] for half in halves] + [half[1] for half in halves], axis=-1)


def _roll(model: Any, params: PVRNNParams, given: Any, rows: Array, told: Callable[..., Heads]) -> Course:
    """All layers side by side: one product with what was before, one with z, and then the way down."""
    start, noise, maps = given
    joint, size = _joint(model, params.layers, maps), sum(layer.units for layer in model.layers)

    def step(hidden: Array, at: Any) -> tuple[Array, Any]:
        row, drawn = at
        both = jnp.tanh(hidden) @ joint.before + joint.bias
        belief = told(both[:, size:] if maps is not None else None, row)
        z = belief.mean if model.deterministic else belief.mean + sd_of(belief.log_sd) * drawn
        after = (1.0 - joint.rate) * hidden + joint.rate * (both[:, :size] + z @ joint.latent)
        after = _from_above(model, params.layers, after, joint.rate) if model.connect == "topdown" else after
        return after, (belief, z, after)

    begin, drawn = jnp.concatenate(start, axis=-1), jnp.concatenate(noise, axis=-1)
    _, (beliefs, z, hidden) = jax.lax.scan(step, begin, (rows, drawn))
    latent, units = ([getattr(layer, name) for layer in model.layers] for name in ("latent", "units"))
    by_latent, by_unit = (lambda a: _split(a, latent)), (lambda a: _split(a, units))
    activity, first = jnp.tanh(hidden), jnp.tanh(begin)
    before = jnp.concatenate([first[None], activity[:-1]])
    each = tuple(map(Heads, by_latent(beliefs.mean), by_latent(beliefs.log_sd)))
    return Course(each, by_latent(z), by_unit(hidden), by_unit(activity), by_unit(before))


def _split(values: Array, sizes: Sequence[int]) -> tuple[Array, ...]:
    """The last axis by layer."""
    return tuple(jnp.split(values, np.cumsum(sizes)[:-1], axis=-1))


class _Joint(NamedTuple):
    """The weights of all layers as few matrices; what is not connected is zero."""

    before: Array  # (units, units and heads): from the activity before to u, and to the heads
    bias: Array
    latent: Array  # (latent, units)
    rate: Array  # (units,) one over the time constants


def _joint(model: Any, layers: Any, maps: Any) -> _Joint:
    recurrent = block_diag(*(weights.recurrent for weights in layers))
    if model.connect == "both":
        recurrent = recurrent + _neighbours(model, layers)
    bias, dtype = jnp.concatenate([weights.bias for weights in layers]), recurrent.dtype
    if maps is not None:
        halves = [jnp.split(weight, 2, axis=-1) for weight, _ in maps]
        told = [block_diag(*(half[n] for half in halves)) for n in (0, 1)]
        recurrent = jnp.concatenate([recurrent, *told], axis=-1)
        bias = jnp.concatenate([bias, _side_by_side([shift for _, shift in maps])])
    rate = 1.0 / jnp.asarray([tau for layer in model.layers for tau in layer.taus], dtype)
    return _Joint(recurrent, bias, block_diag(*(weights.latent for weights in layers)), rate)


def _neighbours(model: Any, layers: Any) -> Array:
    """(units, units) weights from the layers above and below, one step before."""
    sizes = [layer.units for layer in model.layers]
    blocks = [[jnp.zeros((a, b), layers[0].recurrent.dtype) for b in sizes] for a in sizes]
    for n, weights in enumerate(layers):
        if n + 1 < len(layers):
            blocks[n + 1][n] = weights.above
        if n:
            blocks[n - 1][n] = weights.below
    return jnp.block(blocks)


def _from_above(model: Any, layers: Any, hidden: Array, rate: Array) -> Array:
    """The states once each layer has read the one above it at the same step, the top layer first."""
    sizes = [layer.units for layer in model.layers]
    states, rates = list(_split(hidden, sizes)), _split(rate, sizes)
    for n in reversed(range(len(layers) - 1)):
        states[n] = states[n] + rates[n] * (jnp.tanh(states[n + 1]) @ layers[n].above)
    return jnp.concatenate(states, axis=-1) if len(states) > 1 else hidden


def outputs(model: Any, params: PVRNNParams, activity: Array) -> Array:
    """(..., channels, bins) the output of the lowest layer's activity (..., units)."""
    raw = activity @ params.output + params.output_bias
    return raw.reshape(*raw.shape[:-1], -1, model.likelihood.per_channel)
