r"""A linear recurrence with one matrix, in blocks: a product of matrices where a loop would wait for each step.

.. math:: x_{t+1} = M x_t + u_t

A block of steps is :math:`x_{t+1+i} = M^{i+1} x_t + \sum_{j \le i} M^{i-j} u_{t+j}`: one lower-triangular
block-Toeplitz matrix, the same for all blocks, so that only one state per block waits for the one before it.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

SPAN = 128  # rows of the Toeplitz matrix; 64 to 256 take about the same time on a CPU


def linear_recurrence(
    matrix: Float[Array, "latent latent"], start: Float[Array, " latent"], push: Float[Array, "time latent"]
) -> Float[Array, "time latent"]:
    """All states after ``start``: the first one is ``matrix @ start + push[0]``."""
    time, latent = push.shape
    steps = min(max(SPAN // latent, 1), max(time, 1))
    blocks = -(-time // steps)
    padded = jnp.pad(push, ((0, blocks * steps - time), (0, 0))).reshape(blocks, steps * latent)
    powers = _powers(matrix, steps)
    inner = padded @ _toeplitz(powers[:-1]).T

    def over(state: Array, own: Array) -> tuple[Array, Array]:
        return powers[-1] @ state + own, state

    _, before = jax.lax.scan(over, start, inner[:, -latent:])
    whole = inner + before @ powers[1:].reshape(steps * latent, latent).T
    return whole.reshape(blocks * steps, latent)[:time]


def _powers(matrix: Array, steps: int) -> Float[Array, "powers latent latent"]:
    """The powers 0 to ``steps``."""
    one = jnp.eye(len(matrix), dtype=matrix.dtype)
    _, powers = jax.lax.scan(lambda power, _: (matrix @ power, power), one, None, length=steps + 1)
    return powers


def _toeplitz(powers: Float[Array, "steps latent latent"]) -> Float[Array, "rows rows"]:
    """(step, latent) by (push, latent): the power that a push has gone through by a step, nothing before it came."""
    steps, latent, _ = powers.shape
    gone = jnp.arange(steps)[:, None] - jnp.arange(steps)
    through = jnp.where((gone >= 0)[..., None, None], powers[jnp.maximum(gone, 0)], 0.0)
    return through.transpose(0, 2, 1, 3).reshape(steps * latent, steps * latent)
