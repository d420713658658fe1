r"""What a cluster without neurons has when neurons may join it: laws of motion and a trajectory.

``birth="prior"`` draws both from the prior, given the states. ``birth="heuristic"`` draws the trajectory as the
published code does, and lets it stand still at first: :math:`A = I, b = 0, Q = 0.01 I`. In one sweep of ten (of five
for Poisson counts) every coordinate is a cubic spline through 11 to 35 knots with values from :math:`U(-0.2, 0.2)`, in
the others an autoregression :math:`x_t = 0.95 x_{t-1} + N(0, 0.01)`; the mean over time is taken away. Such clusters
are not of the prior, so that draws are not of the posterior: it is there to be compared with, and ``is_exact`` of the
model says so. The published code takes every tenth or fifth sweep by its number, ours by a coin.

Reference: Wei (2023), code weigcdsb/bi_clustering, functions ``sample_muX`` and ``sample_muX2``.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster.dynamics import Dynamics, roll_out

SPLINES = {"nb": 0.1, "poisson": 0.2}  # share of the sweeps
LEAST_KNOTS, MOST_KNOTS, HEIGHT = 11, 35, 0.2
STAY, NOISE = 0.95, 0.01  # of the autoregression; the variance is that of the laws, too


def newcomers(
    model: Any, laws: Dynamics, state: Int[Array, " bin"], key: PRNGKeyArray
) -> tuple[Dynamics, Float[Array, "cluster bin coordinate"]]:
    """Laws and trajectories of clusters without neurons.

    Args:
        laws: Fresh draws from the prior.
    """
    if model.birth == "prior":
        return laws, roll_out(key, laws, state)
    key_coin, key_path = jax.random.split(key)
    (_, clusters, size), dtype = laws.shift.shape, laws.shift.dtype
    shape = (clusters, size, len(state))
    is_spline = jax.random.uniform(key_coin) < SPLINES[model.family]
    paths = jax.lax.cond(
        is_spline, lambda: splines(key_path, shape, dtype), lambda: _autoregressions(key_path, shape, dtype)
    )
    paths = paths - paths.mean(axis=-1, keepdims=True)
    eye = jnp.broadcast_to(jnp.eye(size, dtype=dtype), laws.transition.shape)
    return Dynamics(eye, jnp.zeros_like(laws.shift), NOISE * eye), jnp.swapaxes(paths, 1, 2)


def splines(key: PRNGKeyArray, shape: tuple[int, int, int], dtype: Any) -> Float[Array, "cluster coordinate bin"]:
    """Cubic splines through evenly spaced knots, each coordinate with a number of knots of its own."""
    key_count, key_height = jax.random.split(key)
    count = jax.random.randint(key_count, shape[:2], LEAST_KNOTS, MOST_KNOTS + 1)
    heights = jax.random.uniform(key_height, (*shape[:2], MOST_KNOTS), dtype, -HEIGHT, HEIGHT)
    return through(heights, count, shape[2])


def through(heights: Float[Array, "*batch knot"], count: Int[Array, "*batch"], bins: int) -> Float[Array, "*batch bin"]:
    """The splines through the first ``count`` heights, whose knots are evenly spaced from the first bin to the last."""
    table = jnp.asarray(_table(), heights.dtype)[count - LEAST_KNOTS]
    pieces = jnp.einsum("...pqk,...k->...pq", table, heights)
    place = jnp.linspace(0, 1, bins, dtype=heights.dtype) * (count[..., None] - 1)
    piece = jnp.clip(jnp.floor(place).astype(int), 0, count[..., None] - 2)
    x, a = place - piece, jnp.take_along_axis(pieces, piece[..., None, :], axis=-1)
    return ((a[..., 0, :] * x + a[..., 1, :]) * x + a[..., 2, :]) * x + a[..., 3, :]


@functools.cache
def _table() -> Float[np.ndarray, "count power piece knot"]:
    """For each number of knots: coefficients of the pieces, powers falling, as linear maps of the heights."""
    from scipy.interpolate import CubicSpline  # slow to import, and only here needed

    table = np.zeros((MOST_KNOTS - LEAST_KNOTS + 1, 4, MOST_KNOTS - 1, MOST_KNOTS))
    for n, count in enumerate(range(LEAST_KNOTS, MOST_KNOTS + 1)):
        table[n, :, : count - 1, :count] = CubicSpline(np.arange(count), np.eye(count)).c
    return table


def _autoregressions(
    key: PRNGKeyArray, shape: tuple[int, int, int], dtype: Any
) -> Float[Array, "cluster coordinate bin"]:
    """They start in their stationary law, where the published code throws away as many steps as it keeps."""
    white = NOISE**0.5 * jax.random.normal(key, (shape[2], *shape[:2]), dtype)
    start = white[0] / (1 - STAY**2) ** 0.5
    rest = jax.lax.scan(lambda x, noise: (STAY * x + noise,) * 2, start, white[1:])[1]
    return jnp.moveaxis(jnp.concatenate([start[None], rest]), 0, -1)
