r"""A draw of all states of one linear Gaussian chain whose state has many coordinates, with a few laws that take turns.

.. math::
    x_1 \sim N(0, I), \quad x_t \mid x_{t-1} \sim N(A_{s_t} x_{t-1} + b_{s_t}, Q_{s_t}), \quad
    g(x) = \prod_t \exp(-\tfrac12 x_t^T J_t x_t + h_t^T x_t).

The filter keeps square roots of covariances, :math:`V^- = L L^T,\ V = L (I + L^T J L)^{-1} L^T`; backwards
:math:`x_t = m_t + S_t A^T Q^{-1} (x_{t+1} - b - A m_t) + S_t^{1/2} \epsilon,\ S_t = (V_t^{-1} + A^T Q^{-1} A)^{-1}` in
the same form. What bins say comes in blocks on the diagonal of J. Bins and laws are taken one after the other, each
with a factorisation by LAPACK; for many chains of a few coordinates see :mod:`neurolatent.ops.kalman_draw`.

Reference: as there.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve, solve_triangular
from jaxtyping import Array, Float, Int

from neurolatent.ops.kalman import Information, symmetric


class Laws(NamedTuple):
    """The laws that take turns."""

    transition: Float[Array, "law latent latent"]  # A
    shift: Float[Array, "law latent"]  # b
    innovation: Float[Array, "law latent latent"]  # Q, a covariance


def draw_states(
    white: Float[Array, "time latent"], laws: Laws, turns: Int[Array, " steps"], seen: Information
) -> Float[Array, "time latent"]:
    """States from standard normal numbers.

    Args:
        turns: Number of the law of each step; there is one step less than bins.
        seen: What bins say of blocks of coordinates: precision (time, block, entry, entry), shift (time, block, entry).
    """
    pulls = seen.shift.reshape(white.shape)

    def update(mean: Array, root: Array, precision: Array, pull: Array) -> tuple[Array, Array]:
        whole = block_diagonal(precision)
        after = conditioned(root, whole)
        return mean + after @ (after.T @ (pull - whole @ mean)), after

    def forward(carry: tuple[Array, Array], bin_: tuple[Array, ...]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        (mean, root), (law, precision, pull) = carry, bin_
        spread = laws.transition[law] @ root
        onward = jnp.linalg.cholesky(symmetric(spread @ spread.T + laws.innovation[law]))
        after = update(laws.transition[law] @ mean + laws.shift[law], onward, precision, pull)
        return after, after

    eye = jnp.eye(white.shape[1], dtype=white.dtype)
    begin = update(jnp.zeros_like(white[0]), eye, seen.precision[0], pulls[0])
    last, rest = jax.lax.scan(forward, begin, (turns, seen.precision[1:], pulls[1:]))
    means, roots = (jnp.concatenate([one[None], more])[:-1] for one, more in zip(begin, rest, strict=True))
    looks = jax.lax.map(_look_back, laws)  # A^T Q^-1 of every law

    def backward(following: Array, bin_: tuple[Array, ...]) -> tuple[Array, Array]:
        mean, root, law, noise = bin_
        transition, look = laws.transition[law], looks[law]
        left = following - laws.shift[law] - transition @ mean
        spread = conditioned(root, symmetric(look @ transition))
        state = mean + spread @ (spread.T @ (look @ left) + noise)
        return state, state

    end = last[0] + last[1] @ white[-1]
    _, states = jax.lax.scan(backward, end, (means, roots, turns, white[:-1]), reverse=True)
    return jnp.concatenate([states, end[None]])


def conditioned(
    root: Float[Array, "latent latent"], precision: Float[Array, "latent latent"]
) -> Float[Array, "latent latent"]:
    """A root of the covariance (V^-1 + J)^-1, V = root root^T."""
    inner = jnp.eye(len(root), dtype=root.dtype) + symmetric(root.T @ precision @ root)
    return solve_triangular(jnp.linalg.cholesky(inner), root.T, lower=True).T


def block_diagonal(blocks: Float[Array, "block entry entry"]) -> Float[Array, "latent latent"]:
    """One matrix with the blocks on its diagonal, and 0 elsewhere."""
    count, size, _ = blocks.shape
    own = jnp.eye(count, dtype=blocks.dtype)[:, None, :, None]
    return (blocks[:, :, None, :] * own).reshape(count * size, count * size)


def _look_back(law: Laws) -> Float[Array, "latent latent"]:
    return cho_solve((jnp.linalg.cholesky(law.innovation), True), law.transition).T
