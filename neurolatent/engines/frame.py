r"""Coordinates in which the posterior is about round: its peak, and a factor of the inverse curvature there.

The sampler moves :math:`v` with :math:`x = x_0 + L v`, where :math:`L L^T` is the inverse Hessian of the potential. A
constant linear map changes no posterior; it spares the sampler the narrow ridges between slopes and intercepts, along
which it would otherwise take hundreds of steps (measured on ten engines of FD001, see the test of NUTS).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float
from numpyro.infer.util import potential_energy, unconstrain_fn

from neurolatent.compiling import compiled
from neurolatent.models.protocols import Data, HasDensity

WIDEST = 5.0  # largest assumed standard deviation of an unconstrained coordinate: beyond it the peak says little
FLATTEST = 0.01  # least curvature relative to that of a coordinate alone, where the Hessian is nearly singular
NUDGE = 1e-4  # relative step of the first differences; those after it are a tenth of a standard deviation


class Frame(NamedTuple):
    """Where the sampler's coordinates have their origin and their axes."""

    centre: dict[str, Array]  # unconstrained values of the sampled sites at the peak
    factor: Float[Array, "dimension dimension"]


def potential(model: HasDensity, frame: Frame, data: Data) -> Callable[[Float[Array, " dimension"]], Float[Array, ""]]:
    """Negative log density of the sampler's coordinates, up to the constant of the linear map."""
    flat, unravel = ravel_pytree(frame.centre)
    return lambda v: jnp.asarray(potential_energy(model.numpyro_model, (data,), {}, unravel(flat + frame.factor @ v)))


def at_peak(model: HasDensity, sites: dict[str, Array], data: Data) -> Frame:
    """The frame at the peak of the unconstrained density that is next to the given values of the sites."""
    from scipy.optimize import minimize  # slow to import, and only samplers need it

    start = _unconstrained(model, sites, data)
    flat, unravel = ravel_pytree(start)
    scale = np.asarray(_spread(model, start, data))

    def scaled(u: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = _value_and_slope(model, start, flat + scale * u, data)
        return float(value), np.asarray(slope) * scale

    found = minimize(scaled, np.zeros(flat.size), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    centre = unravel(flat + scale * found.x) if np.isfinite(found.fun) else start
    spread = _spread(model, centre, data)
    return Frame(centre, jnp.asarray(_factor(np.asarray(_hessian(model, centre, spread, data)), np.asarray(spread))))


def unrotated(frame: Frame) -> Frame:
    """The frame with its axes along the program's coordinates, each scaled by its spread given the others."""
    curvature = np.linalg.norm(np.linalg.inv(np.asarray(frame.factor)), axis=0)
    return Frame(frame.centre, jnp.asarray(np.diag(1 / curvature)))


def log_volume(frame: Frame) -> Float[Array, ""]:
    """Log of how much the map from the frame's coordinates to the program's stretches volumes."""
    return jnp.linalg.slogdet(frame.factor)[1]


@compiled(static=(0,))
def _unconstrained(model: HasDensity, sites: dict[str, Array], data: Data) -> dict[str, Array]:
    values = unconstrain_fn(model.numpyro_model, (data,), {}, sites)
    return {name: jnp.asarray(value) for name, value in values.items() if name in sites}


@compiled(static=(0,))
def _value_and_slope(model: HasDensity, like: dict[str, Array], flat: Array, data: Data) -> tuple[Array, Array]:
    return jax.value_and_grad(_of_flat(model, like, data))(flat)


@compiled(static=(0,))
def _spread(model: HasDensity, at: dict[str, Array], data: Data) -> Float[Array, " dimension"]:
    """Standard deviation of each coordinate given the others, from the curvature; at most WIDEST."""
    flat, _ = ravel_pytree(at)
    slope = jax.grad(_of_flat(model, at, data))
    steps = NUDGE * jnp.maximum(jnp.abs(flat), 1e-2)

    def curvature(inputs: tuple[Array, Array]) -> Array:
        number, step = inputs
        ahead, behind = (slope(flat.at[number].add(sign * step))[number] for sign in (1.0, -1.0))
        return (ahead - behind) / (2 * step)

    found = jax.lax.map(curvature, (jnp.arange(flat.size), steps))
    return 1 / jnp.sqrt(jnp.maximum(found, WIDEST**-2))


@compiled(static=(0,))
def _hessian(model: HasDensity, at: dict[str, Array], spread: Array, data: Data) -> Float[Array, "dimension dimension"]:
    """Second derivatives in coordinates divided by their spread, by central differences of the gradient."""
    flat, _ = ravel_pytree(at)
    slope = jax.grad(_of_flat(model, at, data))

    def row(number: Array) -> Array:
        step = 0.1 * spread[number]
        ahead, behind = (slope(flat.at[number].add(sign * step)) for sign in (1.0, -1.0))
        return (ahead - behind) / 0.2 * spread

    rows = jax.lax.map(row, jnp.arange(flat.size))
    return 0.5 * (rows + rows.T)


def _of_flat(model: HasDensity, like: Any, data: Data) -> Callable[[Array], Array]:
    unravel = ravel_pytree(like)[1]
    return lambda flat: jnp.asarray(potential_energy(model.numpyro_model, (data,), {}, unravel(flat)))


def _factor(hessian: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """A factor of the inverse Hessian; curvatures that are too small or negative are raised."""
    if not np.isfinite(hessian).all():
        return np.diag(spread)
    values, vectors = np.linalg.eigh(hessian)
    return spread[:, None] * vectors / np.sqrt(np.maximum(values, FLATTEST))
