r"""A draw of all states of a linear Gaussian chain given what its bins say: forward filter, backward sample.

.. math::
    x_1 \sim N(m_1, W_1^{-1}), \quad x_t \mid x_{t-1} \sim N(A_t x_{t-1} + b_t, W_t^{-1}), \quad
    g(x) = \prod_t \exp(-\tfrac12 x_t^T J_t x_t + h_t^T x_t).

The filter keeps covariances, :math:`V^- = L L^T, \ V = L (I + L^T J L)^{-1} L^T`, which may be large where little is
seen, and never takes a difference of two of them. Backwards
:math:`x_t = m_t + S_t A^T W (x_{t+1} - b - A m_t) + S_t^{1/2} \epsilon,\ S_t = (V_t^{-1} + A^T W A)^{-1}`, in the same
form; all but the recursion itself is computed for all bins at once. Any number of chains stands on the axes between
time and latent.

References: Carter and Kohn (1994), Biometrika 81(3):541-553; Fruehwirth-Schnatter (1994), Journal of Time Series
Analysis 15(2):183-202.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurolatent.ops.kalman import Information
from neurolatent.ops.small import applied, cholesky, lower_inverse, product, transposed


class Chain(NamedTuple):
    """The law of the chain; a step leads into its bin, so there is one less than bins."""

    mean: Float[Array, "*batch latent"]  # m_1
    precision: Float[Array, "*batch latent latent"]  # W_1
    transition: Float[Array, "steps *batch latent latent"]  # A
    shift: Float[Array, "steps *batch latent"]  # b
    innovation: Float[Array, "steps *batch latent latent"]  # W, a precision


class Drawn(NamedTuple):
    """The draw, and by how much the bins change the density there."""

    states: Float[Array, "time *batch latent"]
    log_normaliser: Float[Array, "*batch"]  # log of the mean of g under the chain, nats


class Filtered(NamedTuple):
    """A belief after a bin, or one for each bin."""

    mean: Float[Array, "*batch latent"]  # given the bins up to this one
    root: Float[Array, "*batch latent latent"]  # of its covariance: root root^T
    log_gain: Float[Array, "*batch"]  # log of the mean of the bin's factor under the belief before it


def draw_states(white: Float[Array, "time *batch latent"], chain: Chain, seen: Information) -> Drawn:
    """States from standard normal numbers ``white``: all batches share ``time``, and no batch knows of another."""
    passed = _forward(chain, seen)
    mean, root = passed.mean[:-1], passed.root[:-1]
    weighted = product(transposed(chain.transition), chain.innovation)
    inner = product(product(transposed(root), product(weighted, chain.transition)), root)
    spread = product(root, transposed(lower_inverse(cholesky(_and_one(inner)))))  # S_t^(1/2)
    gain = product(product(spread, transposed(spread)), weighted)
    fixed = mean - applied(gain, chain.shift + applied(chain.transition, mean)) + applied(spread, white[:-1])

    def backward(following: Array, bin_: tuple[Array, Array]) -> tuple[Array, Array]:
        fixed, gain = bin_
        states = fixed + applied(gain, following)
        return states, states

    last = passed.mean[-1] + applied(passed.root[-1], white[-1])
    _, states = jax.lax.scan(backward, last, (fixed, gain), reverse=True)
    return Drawn(jnp.concatenate([states, last[None]]), passed.log_gain.sum(axis=0))


def _forward(chain: Chain, seen: Information) -> Filtered:
    """The filter."""
    root = transposed(lower_inverse(cholesky(jnp.concatenate([chain.precision[None], chain.innovation]))))
    noise = product(root, transposed(root))
    first = Information(seen.precision[0], seen.shift[0])
    start = updated(chain.mean, noise[0], first)

    def step(carry: Filtered, bin_: tuple[Array, Array, Array, Information]) -> tuple[Filtered, Filtered]:
        transition, shift, noise, said = bin_
        moved = product(transition, carry.root)
        after = updated(applied(transition, carry.mean) + shift, product(moved, transposed(moved)) + noise, said)
        return after, after

    rest = Information(seen.precision[1:], seen.shift[1:])
    _, passed = jax.lax.scan(step, start, (chain.transition, chain.shift, noise[1:], rest))
    return jax.tree.map(lambda one, more: jnp.concatenate([one[None], more]), start, passed)


def updated(
    mean: Float[Array, "*batch latent"], cov: Float[Array, "*batch latent latent"], said: Information
) -> Filtered:
    """The belief after a bin, and the log of the mean of its factor under the belief before it."""
    lower = cholesky(cov)
    inverse = lower_inverse(cholesky(_and_one(product(product(transposed(lower), said.precision), lower))))
    root = product(lower, transposed(inverse))
    surprise = said.shift - applied(said.precision, mean)
    half = applied(transposed(root), surprise)
    log_gain = 0.5 * ((said.shift + surprise) * mean).sum(axis=-1) + 0.5 * (half**2).sum(axis=-1)
    log_gain = log_gain + jnp.log(jnp.diagonal(inverse, axis1=-2, axis2=-1)).sum(axis=-1)
    return Filtered(mean + applied(root, half), root, log_gain)


def _and_one(matrix: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    return 0.5 * (matrix + transposed(matrix)) + jnp.eye(matrix.shape[-1], dtype=matrix.dtype)
