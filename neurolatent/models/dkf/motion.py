r"""A state that turns by a known function: :math:`z_t \sim N(A\, g(z_{t-1}), \Gamma)`, with :math:`A, \Gamma` learned.

The belief is pushed through :math:`A g` by its 2d points or by the slope (:mod:`neurolatent.ops.nonlinear_kalman`);
what a bin says of the state enters as in the linear filter. About the training mean :math:`c` of the target the law is
:math:`z_t - c \sim N(A (g(z_{t-1}) - c), \Gamma)`.

Reference: Burkhart et al. (2020), Neural Computation 32(5):969-1017, section 4.4; Burkhart (2019), thesis.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from neurolatent.checks import InputError, one_of
from neurolatent.compiling import compiled, on_device
from neurolatent.models.dkf.params import StateModel
from neurolatent.models.dkf.state import regress
from neurolatent.ops.kalman import Filtered, Information, symmetric
from neurolatent.ops.nonlinear_kalman import Moving, filter_told, linearised, smooth_told, unscented
from neurolatent.precision import double

OneStep = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
PUSHES = {"unscented": unscented, "extended": linearised}


@dataclass(frozen=True)
class Turning:
    """Pairs of outputs (1, 2), (3, 4), ... turn about the origin by an angle that grows with the length of the state.

    Attributes:
        rate: Radians per unit of the target; a last output without a partner stays.
    """

    rate: float | int = 1.0

    def __call__(self, z: Float[Array, "*batch latent"]) -> Float[Array, "*batch latent"]:
        """The turned states."""
        size = z.shape[-1] - z.shape[-1] % 2
        square = jnp.sum(z**2, axis=-1, keepdims=True)
        is_off = square > 0  # at the origin the root has no slope, and the turn is none
        angle = self.rate * jnp.where(is_off, jnp.sqrt(jnp.where(is_off, square, 1.0)), 0.0)
        cos, sin, even, odd = jnp.cos(angle), jnp.sin(angle), z[..., 0:size:2], z[..., 1:size:2]
        pairs = jnp.stack([cos * even - sin * odd, sin * even + cos * odd], axis=-1)
        return jnp.concatenate([pairs.reshape(*z.shape[:-1], size), z[..., size:]], axis=-1)


MOTIONS: dict[str, type] = {"turning": Turning}  # names that recipes use


@dataclass(frozen=True)
class Motion:
    """How the state moves before the learned matrix does.

    Attributes:
        function: g, written in JAX: one state (outputs,) in the target's units to another; :class:`Turning`, or a
            function of your own, with which a fit works in memory and is not saved.
        push: By points of the belief, as the unscented filter does, or by the slope, as the extended one.
    """

    function: Callable[[Array], Array] = field(metadata={"named": MOTIONS})
    push: Literal["unscented", "extended"] = "unscented"

    def __post_init__(self) -> None:
        one_of("push", self.push, tuple(PUSHES))
        if not callable(self.function):
            raise InputError(f"function must be callable on one state (outputs,), got {self.function!r}")

    def filtered(
        self, state: StateModel, scale: Any, centre: Any, seen: Information
    ) -> tuple[Filtered, Float[Array, "time latent"], Float[Array, "time latent latent"]]:
        """Filtered beliefs of one sequence, and smoothed means and covariances; all in units of ``scale``.

        Args:
            state: In units of the target.
        """
        moving, push = self.moving(state, scale, centre), PUSHES[self.push]
        found = filter_told(moving, seen, push=push)
        return found, *smooth_told(moving, found, push=push)

    def moving(self, state: StateModel, scale: Any, centre: Any) -> Moving:
        """The state model in units of ``scale``, about ``centre``."""
        square = scale[:, None] * scale

        def move(z: Array) -> Array:
            return state.transition @ (self.function(z * scale + centre) - centre) / scale

        return Moving(move, state.innovation / square, jnp.zeros_like(scale), state.stationary / square)

    def one_step(self, state: StateModel, scale: Any, centre: Any) -> OneStep:
        """The prediction of a stream: from a belief in units of ``scale`` to that before the next bin, in NumPy."""
        with double():
            state, scale, centre = on_device((state, scale, centre))

        def step(mean: np.ndarray, cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            with double():
                moved = _one_step(self, state, scale, centre, mean, cov)
            return np.asarray(moved[0]), np.asarray(moved[1])

        return step


def learn_moved_state(
    motion: Motion,
    z: Float[np.ndarray, "sequences time feature"],
    known: Bool[np.ndarray, "sequences time"],
    centre: Float[np.ndarray, " feature"],
) -> StateModel:
    """The state model of centred sequences; S is the sample covariance, for no formula gives that of the long run.

    Raises:
        InputError: A function that returns something else than a state, or no finite one.
    """
    paired = known[:, 1:] & known[:, :-1]
    turned = np.asarray(_turned(motion, on_device(z[:, :-1][paired] + centre)))
    if turned.shape != (paired.sum(), z.shape[2]) or not np.isfinite(turned).all():
        raise InputError(
            f"motion.function must return a finite state of {z.shape[2]} outputs for every training state; "
            f"it returned an array of the shape {turned.shape[1:]} each, finite in "
            f"{np.mean(np.isfinite(turned)):.0%} of its values"
        )
    after = z[:, 1:][paired]
    transition = regress(turned - centre, after)
    left = after - (turned - centre) @ transition.T
    sample = np.cov(z[known], rowvar=False).reshape(transition.shape)
    return StateModel(transition, left.T @ left / len(left), sample)


@compiled(static=(0,))
def _one_step(motion: Motion, state: StateModel, scale: Any, centre: Any, mean: Any, cov: Any) -> tuple[Array, Array]:
    moving = motion.moving(state, scale, centre)
    moved = PUSHES[motion.push](moving.move, mean, cov)
    return moved.mean, symmetric(moved.cov + moving.innovation)


@compiled(static=(0,))
def _turned(motion: Motion, states: Array) -> Array:
    return jax.vmap(motion.function)(states)
