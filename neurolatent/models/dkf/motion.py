r"""A state that turns by a known function: :math:`z_t \sim N(A\, g(z_{t-1}), \Gamma)`, with :math:`A, \Gamma` learned.

The belief is pushed through :math:`A g` by its 2d points or by the slope (:mod:`neurolatent.ops.nonlinear_kalman`);
what a bin says of the state enters as in the linear filter. About the training mean :math:`c` of the target the law is
:math:`z_t - c \sim N(A (g(z_{t-1}) - c), \Gamma)`.

Reference: Burkhart et al. (2020), Neural Computation 32(5):969-1017, section 4.4; Burkhart (2019), thesis.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from neurolatent.checks import InputError, one_of
from neurolatent.compiling import compiled, on_device
from neurolatent.models.dkf.params import StateModel
from neurolatent.models.dkf.state import regress
from neurolatent.ops.kalman import Filtered, Information
from neurolatent.ops.nonlinear_kalman import Moving, filter_told, linearised, smooth_told, unscented

PUSHES = {"unscented": unscented, "extended": linearised}


@dataclass(frozen=True)
class Motion:
    """How the state turns before the learned matrix moves it; a fit that holds one works in memory and is not saved.

    Attributes:
        function: g, written in JAX: one state (outputs,) in the target's units to another.
        push: By points of the belief, as the unscented filter does, or by the slope, as the extended one.
    """

    function: Callable[[Array], Array]
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
        square = scale[:, None] * scale

        def move(z: Array) -> Array:
            return state.transition @ (self.function(z * scale + centre) - centre) / scale

        moving = Moving(move, state.innovation / square, jnp.zeros_like(scale), state.stationary / square)
        push = PUSHES[self.push]
        found = filter_told(moving, seen, push=push)
        return found, *smooth_told(moving, found, push=push)


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
def _turned(motion: Motion, states: Array) -> Array:
    return jax.vmap(motion.function)(states)
