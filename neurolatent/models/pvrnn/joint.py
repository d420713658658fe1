r"""All layers side by side: one product with what was before, one with z, and then the way down; and the way back.

.. math::
    (u_t, a_t) = M^T d_{t-1} + b, \quad z_t = \mu_t + \sigma_t \epsilon_t, \quad
    h_t = (1 - r) h_{t-1} + r (u_t + L^T z_t), \qquad r = 1 / \tau

and, top-down, each layer reads the one above it at the same step. M holds the weights of all layers, zero where nothing
is connected.

The gradient along the posterior is written by hand: what does not depend on the step before is computed for all steps
at once, and the gradients of the weights are one product over all steps in place of a sum that every step adds to.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import block_diag
from jaxtyping import Array

CLIP = (-7.0, 3.0)  # of log standard deviations, only where their exponential is taken; specification, section 10


class Joint(NamedTuple):
    """The weights of all layers as few matrices."""

    before: Array  # (units, units and heads): from the activity before to u, and to the heads
    bias: Array
    latent: Array  # (latent, units)
    rate: Array  # (units,) one over the time constants
    above: tuple[Array, ...]  # by layer but the top one, (units above, units); none where both neighbours are read


class Followed(NamedTuple):
    """A trajectory of all layers side by side: (time, batch, latent or units)."""

    mean: Array
    log_sd: Array  # as it comes, not clipped
    z: Array
    hidden: Array


def sd_of(log_sd: Array) -> Array:
    """The standard deviation, with its logarithm clipped."""
    return jnp.exp(jnp.clip(log_sd, *CLIP))


def side_by_side(by_layer: Sequence[Any]) -> Array:
    """Heads of all layers (..., heads): the means of all, then the log standard deviations of all."""
    halves = [jnp.split(part, 2, axis=-1) for part in by_layer]
    return jnp.concatenate([half[0] for half in halves] + [half[1] for half in halves], axis=-1)


def split(values: Array, sizes: Sequence[int]) -> tuple[Array, ...]:
    """The last axis by layer."""
    return tuple(jnp.split(values, np.cumsum(sizes)[:-1], axis=-1))


def joint_of(model: Any, layers: Any, maps: Any) -> Joint:
    """The weights side by side; ``maps`` holds weights and bias of the heads by layer, None where there are none."""
    recurrent = block_diag(*(weights.recurrent for weights in layers))
    if model.connect == "both":
        recurrent = recurrent + _neighbours(model, layers)
    bias, dtype = jnp.concatenate([weights.bias for weights in layers]), recurrent.dtype
    if maps is not None:
        halves = [jnp.split(weight, 2, axis=-1) for weight, _ in maps]
        told = [block_diag(*(half[n] for half in halves)) for n in (0, 1)]
        recurrent = jnp.concatenate([recurrent, *told], axis=-1)
        bias = jnp.concatenate([bias, side_by_side([shift for _, shift in maps])])
    rate = 1.0 / jnp.asarray([tau for layer in model.layers for tau in layer.taus], dtype)
    above = tuple(jnp.asarray(w.above) for w in layers[:-1]) if model.connect == "topdown" else ()
    return Joint(recurrent, bias, block_diag(*(weights.latent for weights in layers)), rate, above)


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


def run(model: Any, joint: Joint, begin: Array, at: tuple[Any, Array], told: Callable[..., Any]) -> Followed:
    """Step by step; ``at`` holds rows and draws, ``told(a, row)`` is the belief (mean, log sd) that z is drawn from."""
    size = len(joint.rate)

    def step(hidden: Array, at: Any) -> tuple[Array, Followed]:
        row, drawn = at
        both = jnp.tanh(hidden) @ joint.before + joint.bias
        mean, log_sd = told(both[:, size:] if both.shape[1] > size else None, row)
        z = mean if model.deterministic else mean + sd_of(log_sd) * drawn
        after = (1.0 - joint.rate) * hidden + joint.rate * (both[:, :size] + z @ joint.latent)
        after = _from_above(model, joint, after)
        return after, Followed(mean, log_sd, z, after)

    return jax.lax.scan(step, begin, at)[1]


def _from_above(model: Any, joint: Joint, hidden: Array) -> Array:
    """The states once each layer has read the one above it at the same step, the top layer first."""
    if not joint.above:
        return hidden
    sizes = [layer.units for layer in model.layers]
    states, rates = list(split(hidden, sizes)), split(joint.rate, sizes)
    for n in reversed(range(len(joint.above))):
        states[n] = states[n] + rates[n] * (jnp.tanh(states[n + 1]) @ joint.above[n])
    return jnp.concatenate(states, axis=-1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def follow(model: Any, joint: Joint, begin: Array, rows: Array, drawn: Array) -> Followed:
    """The trajectory under the posterior.

    Args:
        begin: h before the first step (batch, units).
        rows: Adaptive arrays (time, batch, heads), side by side.
        drawn: Standard normal draws (time, batch, latent); they have no gradient.
    """
    return run(model, joint, begin, (rows, drawn), posterior_belief)


def posterior_belief(raw: Array | None, row: Array) -> tuple[Array, Array]:
    """Mean and log standard deviation of z from the adaptive row, and from what the state adds to it."""
    mean, log_sd = jnp.split(row if raw is None else row + raw, 2, axis=-1)
    return jnp.tanh(mean), log_sd


def _there(model: Any, joint: Joint, begin: Array, rows: Array, drawn: Array) -> tuple[Followed, Any]:
    way = run(model, joint, begin, (rows, drawn), posterior_belief)
    return way, (joint, begin, drawn, way)


def _back(model: Any, kept: Any, slope: Followed) -> tuple[Joint, Array, Array, Array]:
    """Gradients of joint weights, start, rows and draws (none), from those of the trajectory."""
    joint, begin, drawn, way = kept
    activity, has_heads = jnp.tanh(way.hidden), joint.before.shape[1] > len(joint.rate)
    before = jnp.concatenate([jnp.tanh(begin)[None], activity[:-1]])
    is_free = (way.log_sd > CLIP[0]) & (way.log_sd < CLIP[1])
    pull = 0.0 * drawn if model.deterministic else jnp.where(is_free, sd_of(way.log_sd) * drawn, 0.0)
    back = Joint(joint.before.T, joint.bias, joint.latent.T, joint.rate, tuple(a.T for a in joint.above))

    def step(g: Array, at: Any) -> tuple[Array, tuple[Array, Array]]:
        given, bend, bend_before, bend_mean, pull = at
        g = _to_above(model, back, g + given.hidden, bend)
        inner = joint.rate * g
        of_z = inner @ back.latent + given.z
        heads = jnp.concatenate([(given.mean + of_z) * bend_mean, given.log_sd + of_z * pull], axis=-1)
        both = jnp.concatenate([inner, heads], axis=-1) if has_heads else inner
        return (1.0 - joint.rate) * g + (both @ back.before) * bend_before, (inner, heads)

    at = (slope, 1.0 - activity**2, 1.0 - before**2, 1.0 - way.mean**2, pull)
    first, (inner, heads) = jax.lax.scan(step, jnp.zeros_like(begin), at, reverse=True)
    both = jnp.concatenate([inner, heads], axis=-1) if has_heads else inner
    sizes = [layer.units for layer in model.layers]
    levels, slopes = split(activity, sizes), split(inner, sizes)
    above = tuple(_over_steps(levels[n + 1], slopes[n]) for n in range(len(joint.above)))
    weights = Joint(_over_steps(before, both), both.sum(axis=(0, 1)), _over_steps(way.z, inner), 0 * joint.rate, above)
    return weights, first, heads, 0 * drawn


def _to_above(model: Any, back: Joint, g: Array, bend: Array) -> Array:
    """Gradients of the states once each layer has given its share to the one above it, the lowest first."""
    if not back.above:
        return g
    sizes = [layer.units for layer in model.layers]
    parts, bends, rates = list(split(g, sizes)), split(bend, sizes), split(back.rate, sizes)
    for n, weights in enumerate(back.above):
        parts[n + 1] = parts[n + 1] + ((rates[n] * parts[n]) @ weights) * bends[n + 1]
    return jnp.concatenate(parts, axis=-1)


def _over_steps(left: Array, right: Array) -> Array:
    """(a, b) sum of outer products over time and batch."""
    return left.reshape(-1, left.shape[-1]).T @ right.reshape(-1, right.shape[-1])


follow.defvjp(_there, _back)
