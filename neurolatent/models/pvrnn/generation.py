"""What the network makes by itself: the prior drives it, from the first step or after the first few of a sequence.

There is no feedback of outputs: a closed loop is one long course of the prior.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.compiling import compiled
from neurolatent.models.pvrnn.cell import Course, outputs, rest, roll_posterior, roll_prior
from neurolatent.models.pvrnn.params import PVRNNParams
from neurolatent.recording import Recording


class Generated(NamedTuple):
    """Courses that the network made."""

    told: Array  # (sequences, time, channels) values, or (sequences, time, 1, symbols) probabilities
    course: Course  # by layer (time, sequences, ...)


@compiled(static=(0, 3, 4))
def sampled(
    model: Any,
    params: PVRNNParams,
    key: PRNGKeyArray,
    count: int,
    time: int,
    noise: Float[Array, ""] | float | int = 1.0,
) -> Generated:
    """Courses of the prior from the first step; ``noise`` scales the draws, 0 follows the prior's mean."""
    dtype = params.output.dtype
    drawn = tuple(noise * part for part in model.noise(key, (count, time), dtype))
    course = roll_prior(model, params, rest(model, count, dtype), drawn, jnp.arange(time) == 0)
    return Generated(_told(model, params, course), course)


@compiled(static=(0, 3))
def regenerated(model: Any, params: PVRNNParams, key: PRNGKeyArray, steps: int) -> Generated:
    """The training sequences (or those of ``params.adaptive``): the posterior for so many steps, then the prior.

    With one step it shows whether the first latent chooses the sequence.
    """
    count, time = params.adaptive[0].shape[:2]
    drawn, start = model.noise(key, (count, time), params.output.dtype), rest(model, count, params.output.dtype)
    first = roll_posterior(
        model,
        params,
        start,
        type(params.adaptive)(*(a[:, :steps] for a in params.adaptive)),
        tuple(n[:steps] for n in drawn),
    )
    then = roll_prior(
        model,
        params,
        tuple(h[-1] for h in first.hidden),
        tuple(n[steps:] for n in drawn),
        jnp.zeros(time - steps, bool),
    )
    course = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, then)
    return Generated(_told(model, params, course), course)


def _told(model: Any, params: PVRNNParams, course: Course) -> Array:
    return jnp.swapaxes(model.likelihood.told(outputs(model, params, course.activity[0])), 0, 1)


@compiled(static=(0, 3))
def largest_exponent(
    model: Any, params: PVRNNParams, key: PRNGKeyArray, steps: int = 20_000, noise: Float[Array, ""] | float | int = 0.0
) -> Float[Array, ""]:
    """Largest Lyapunov exponent per step of the network that its prior drives; the first twentieth is left out.

    Above 0 it is chaotic, about 0 quasi-periodic, below 0 it settles on a point or a cycle. With noise both neighbours
    see the same draws.
    """
    dtype, discard = params.output.dtype, steps // 20
    drawn = tuple(noise * part[:, 0] for part in model.noise(key, (1, steps), dtype))

    def move(hidden: tuple[Array, ...], row: tuple[Array, ...]) -> tuple[Array, ...]:
        start, rows = tuple(h[None] for h in hidden), tuple(r[None, None] for r in row)
        course = roll_prior(model, params, start, rows, jnp.zeros(1, bool))
        return tuple(h[0, 0] for h in course.hidden)

    def step(carry: Any, row: Any) -> tuple[Any, Array]:
        hidden, away = carry
        hidden, moved = jax.jvp(lambda h: move(h, row), (hidden,), (away,))
        size = jnp.sqrt(sum((jnp.sum(part**2) for part in moved), jnp.zeros((), dtype)))
        safe = jnp.maximum(size, jnp.finfo(dtype).tiny)
        return (hidden, tuple(part / safe for part in moved)), jnp.log(safe)

    units = sum(layer.units for layer in model.layers)
    hidden = tuple(h[0] for h in rest(model, 1, dtype))
    away = tuple(jnp.full(layer.units, units**-0.5, dtype) for layer in model.layers)
    _, rates = jax.lax.scan(step, (hidden, away), drawn)
    return rates[discard:].mean()


def simulated(model: Any, params: PVRNNParams, key: PRNGKeyArray, lengths: Sequence[int]) -> Recording:
    """Sequences that the prior makes: expected values, or drawn symbols; the latents z are its truth ``latents``."""
    key_course, key_symbol = jax.random.split(key)
    made = sampled(model, params, key_course, len(lengths), max(lengths), 1.0)
    told = np.asarray(made.told)
    z = np.swapaxes(np.concatenate([np.asarray(part) for part in made.course.z], axis=-1), 0, 1)
    name = model.signal or "signal"
    if model.is_symbolic:
        told = np.asarray(jax.random.categorical(key_symbol, jnp.log(made.told[:, :, 0])))[..., None]
    parts = {name: told, "latents": z}
    cut = {key: [rows[:n] for rows, n in zip(values, lengths, strict=True)] for key, values in parts.items()}
    kinds = {name: model.likelihood.kinds[0]}
    return Recording.of(cut, kinds=kinds, bin_width=1.0, clock_unit="step", name="simulated")
