"""All bins of all sequences at once: the compiled programs of the filter and the smoother.

Inside, outputs are scaled to unit standard deviation, so that tolerances and conditions do not depend on units.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from neurolatent.compiling import compiled
from neurolatent.models.dkf.params import StateModel
from neurolatent.ops.indefinite import Discriminative, Rule, discriminative, discriminative_constant, first_bin, robust
from neurolatent.ops.kalman import Dynamics, Filtered, Information, kalman_filter
from neurolatent.ops.kalman_smoother import smooth
from neurolatent.ops.kalman_steady import settling_time, steady_filter, steady_smooth

LONG = 2_000  # bins of a single unbroken sequence from which settling pays
SETTLE_STEP = 64  # settling times are rounded up to these, so that programs are shared


class How(NamedTuple):
    """What is compiled into the programs."""

    rule: Rule | None  # None: the robust filter
    starts_at_first: bool  # the first bin's regression is the first belief, instead of the stationary law


class Measured(NamedTuple):
    """What the regression says of every bin, in units of the target, centred."""

    mean: Any  # (sequences, time, feature)
    noise: Any  # (feature, feature) for all bins, or (sequences, time, feature, feature)
    heard: Any  # (sequences, time) bool; what is not heard says nothing


class Decoded(NamedTuple):
    """Beliefs of every bin, in units of the target, centred; NumPy on the host, JAX inside."""

    filtered: Any  # Filtered, with log increments of the evidence: log p(x_t | past) - log p(x_t), nats
    smoothed_mean: Any  # (sequences, time, feature)
    smoothed_cov: Any  # (sequences, time, feature, feature)
    indefinite: Any  # (sequences, time) bool
    effective: Any = None  # (sequences, time) particles that count, of a particle filter


@runtime_checkable
class Moves(Protocol):
    """How a state moves that does not move linearly: :class:`neurolatent.models.dkf.motion.Motion`."""

    def filtered(self, state: StateModel, scale: Any, centre: Any, seen: Information) -> tuple[Filtered, Array, Array]:
        """Filtered beliefs of one sequence, and smoothed means and covariances, in units of ``scale``."""
        ...


def decode_moving(how: How, motion: Moves, state: StateModel, centre: Any, measured: Measured) -> Decoded:
    """As :func:`decode`, of a state that moves nonlinearly about ``centre``, in the target's units."""
    scale, dynamics, inside = scaled(state, measured)
    found = jax.device_get(_decode_moving(how, motion, state, (scale, centre, dynamics.cov), inside))
    return in_units(found, scale, np.outer(scale, scale))


@compiled(static=(0, 1))
def _decode_moving(how: How, motion: Moves, state: StateModel, facts: Any, measured: Measured) -> Decoded:
    scale, centre, stationary = facts

    def one(mean: Array, noise: Array, heard: Array) -> Decoded:
        said, _ = information(how, stationary, Measured(mean, noise, heard))
        filtered, smoothed_mean, smoothed_cov = motion.filtered(state, scale, centre, said.seen)
        return _told(how, said, heard, filtered, smoothed_mean, smoothed_cov)

    return jax.vmap(one, in_axes=(0, None if measured.noise.ndim == 2 else 0, 0))(*measured)


def decode(how: How, state: StateModel, measured: Measured) -> Decoded:
    """Filtered and smoothed beliefs of every bin.

    One long unbroken sequence with a constant noise takes the short way: its covariance settles.
    """
    scale, dynamics, inside = scaled(state, measured)
    sequences, time = np.shape(measured.heard)
    settle = 0
    if sequences == 1 and time >= LONG and measured.noise.ndim == 2 and np.asarray(measured.heard).all():
        settle = _settling(how, dynamics, inside.noise)
    found = jax.device_get(_decode(how, settle, dynamics, inside))
    return in_units(found, scale, np.outer(scale, scale))


class Scaled(NamedTuple):
    """A problem in units of the long-run standard deviations, on the device."""

    scale: np.ndarray
    dynamics: Dynamics
    measured: Measured


def scaled(state: StateModel, measured: Measured) -> Scaled:
    """The problem as the filter solves it."""
    scale = np.sqrt(np.diagonal(state.stationary))
    square, dynamics = np.outer(scale, scale), scaled_dynamics(state, scale)
    inside = Measured(measured.mean / scale, measured.noise / square, measured.heard)
    return Scaled(scale, dynamics, jax.tree.map(jnp.asarray, inside))


def scaled_dynamics(state: StateModel, scale: np.ndarray) -> Dynamics:
    """The state model in units of ``scale``, started at its stationary law."""
    square = np.outer(scale, scale)
    moved = state.transition * (scale / scale[:, None]), state.innovation / square
    return Dynamics(*map(jnp.asarray, (*moved, np.zeros(len(scale)), state.stationary / square)))


def in_units(found: Decoded, scale: np.ndarray, square: np.ndarray) -> Decoded:
    """Beliefs of a state in units of ``scale``, in units of the target."""
    mean, cov, predicted_mean, predicted_cov, gains = found.filtered
    filtered = Filtered(mean * scale, cov * square, predicted_mean * scale, predicted_cov * square, gains)
    smoothed = found.smoothed_mean * scale, found.smoothed_cov * square
    return found._replace(filtered=filtered, smoothed_mean=smoothed[0], smoothed_cov=smoothed[1])


def _settling(how: How, dynamics: Dynamics, noise: Array) -> int:
    count = int(_settling_program(how, dynamics, noise))
    return -(-count // SETTLE_STEP) * SETTLE_STEP


@compiled(static=(0,))
def _settling_program(how: How, dynamics: Dynamics, noise: Array) -> Array:
    nothing = jnp.zeros((1, len(noise)), noise.dtype)
    _, precision = discriminative_constant(nothing, noise, dynamics.cov, rule=how.rule)
    return settling_time(dynamics, precision)


@compiled(static=(0, 1))
def _decode(how: How, settle: int, dynamics: Dynamics, measured: Measured) -> Decoded:
    one = lambda mean, noise, heard: _sequence(how, settle, dynamics, Measured(mean, noise, heard))  # noqa: E731
    return jax.vmap(one, in_axes=(0, None if measured.noise.ndim == 2 else 0, 0))(*measured)


def _sequence(how: How, settle: int, dynamics: Dynamics, measured: Measured) -> Decoded:
    said, precision = information(how, dynamics.cov, measured)
    if settle:  # the first bin may differ from the others, so it is filtered apart
        filtered = steady_filter(dynamics, precision, said.seen.shift, settle=settle, first=_at(said.seen, 0))
        whole = steady_smooth(filtered, dynamics.transition, settle=settle)
    else:
        filtered = kalman_filter(dynamics, said.seen)
        whole = smooth(filtered, dynamics.transition)
    return _told(how, said, measured.heard, filtered, whole.mean, whole.cov)


def _told(how: How, said: Discriminative, heard: Array, filtered: Filtered, mean: Array, cov: Array) -> Decoded:
    """Everything of one sequence, the evidence relative to that of single bins."""
    gains = jnp.where(heard, filtered.log_increments + said.log_factor, 0.0)
    if how.starts_at_first:
        gains = gains.at[0].set(0.0)  # then the belief is that of the bin alone
    return Decoded(filtered._replace(log_increments=gains), mean, cov, said.indefinite)


def information(how: How, stationary: Array, measured: Measured) -> tuple[Discriminative, Array]:
    """What every bin of a sequence says, nothing where it is not heard; and the precision that all share, if any."""
    mean, noise, heard = measured
    precision = jnp.zeros_like(stationary)
    if noise.ndim == 2:
        said, precision = discriminative_constant(mean, noise, stationary, rule=how.rule)
    elif how.rule is None:
        said = robust(mean, noise)
    else:
        said = discriminative(mean, noise, stationary, rule=how.rule)
    seen = said.seen
    if how.starts_at_first:
        start = first_bin(mean[0], noise if noise.ndim == 2 else noise[0], stationary)
        seen = Information(seen.precision.at[0].set(start.precision), seen.shift.at[0].set(start.shift))
    silent = Information(
        jnp.where(heard[:, None, None], seen.precision, 0.0), jnp.where(heard[:, None], seen.shift, 0.0)
    )
    return Discriminative(silent, said.log_factor, said.indefinite & heard), precision


def _at(seen: Information, bin_: int) -> Information:
    return Information(seen.precision[bin_], seen.shift[bin_])
