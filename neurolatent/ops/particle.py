r"""Bootstrap particle filter: any state that can be drawn, any observation with a density.

Particles move by the state's law and are weighted, in logarithms, by the density of the bin's observation; then as many
are drawn again by systematic resampling: one uniform number :math:`u` places the combs
:math:`(i + u) / P` on the cumulated weights. How many particles still count is
:math:`1 / \sum w^2`, the effective sample size before resampling.

References: Gordon, Salmond and Smith (1993), IEE Proceedings F 140(2):107-113; Kitagawa (1996), Journal of
Computational and Graphical Statistics 5(1):1-25 (systematic resampling).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

Points = Float[Array, "particles latent"]


class Swarm(NamedTuple):
    """The law of a state, by drawing from it."""

    start: Callable[[PRNGKeyArray], Array]  # particles of the first bin, before its observation
    move: Callable[[PRNGKeyArray, Array], Array]  # particles one bin later


class Weighted(NamedTuple):
    """Beliefs that use the past and the present only."""

    mean: Float[Array, "time latent"]
    cov: Float[Array, "time latent latent"]  # of the weighted particles: singular where few count
    effective: Float[Array, " time"]  # number of particles that count, from 1 to all
    log_increments: Float[Array, " time"]  # estimates of log p(x_t | x_<t), nats


def particle_filter(
    key: PRNGKeyArray,
    swarm: Swarm,
    log_density: Callable[[Any, Array], Array],
    x: Any,
    heard: Bool[Array, " time"],
) -> Weighted:
    """Filtered moments of every bin.

    The numbers of a bin do not depend on how many bins follow.

    Args:
        log_density: Of a bin's observation at every particle, nats.
        x: Observations with time as the leading axis; what is not heard weighs nothing.
    """
    key_start, key_run = jax.random.split(key)

    def step(points: Array, bin_: tuple[Any, Array, Array]) -> tuple[Array, Weighted]:
        seen, is_heard, number = bin_
        key_pick, key_move = jax.random.split(jax.random.fold_in(key_run, number))
        log_weights = log_density(seen, points)
        weights, told = weigh(points, jnp.where(is_heard, log_weights, jnp.zeros_like(log_weights)))
        return swarm.move(key_move, points[systematic(key_pick, weights)]), told

    numbers = jnp.arange(len(heard), dtype=jnp.uint32)
    return jax.lax.scan(step, swarm.start(key_start), (x, heard, numbers))[1]


def weigh(points: Points, log_weights: Float[Array, " particles"]) -> tuple[Float[Array, " particles"], Weighted]:
    """Weights that sum to one, and the moments under them."""
    total = jax.nn.logsumexp(log_weights)
    weights = jnp.exp(log_weights - total)
    mean = weights @ points
    off = points - mean
    gain = total - jnp.log(jnp.asarray(len(points), points.dtype))
    return weights, Weighted(mean, off.T @ (weights[:, None] * off), 1 / jnp.sum(weights**2), gain)


def systematic(key: PRNGKeyArray, weights: Float[Array, " particles"]) -> Int[Array, " particles"]:
    """Numbers of the particles that are kept: each about its weight times their number of times."""
    count = len(weights)
    comb = (jnp.arange(count, dtype=weights.dtype) + jax.random.uniform(key, dtype=weights.dtype)) / count
    return jnp.minimum(jnp.searchsorted(jnp.cumsum(weights), comb, side="right"), count - 1)
