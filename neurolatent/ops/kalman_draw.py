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

from neurolatent.ops import small
from neurolatent.ops.kalman import Information
from neurolatent.ops.small import Entry, Matrix, Vector


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


class Belief(NamedTuple):
    """A belief after a bin."""

    mean: Vector
    root: Matrix  # of its covariance: root root^T
    log_gain: Entry  # log of the mean of the bin's factor under the belief before it


class Filtered(NamedTuple):
    """The same in arrays, of one bin or of all."""

    mean: Float[Array, "..."]  # (time,) latent, batch
    root: Float[Array, "..."]  # (time,) latent, latent, batch
    log_gain: Float[Array, "..."]  # (time,) batch


def draw_states(white: Float[Array, "time *batch latent"], chain: Chain, seen: Information) -> Drawn:
    """States from standard normal numbers ``white``: all batches share ``time``, and no batch knows of another."""
    passed = _forward(chain, seen)
    return Drawn(draw_backward(white, chain, passed), passed.log_gain.sum(axis=0))


def draw_backward(
    white: Float[Array, "time *batch latent"], chain: Chain, passed: Filtered
) -> Float[Array, "time *batch latent"]:
    """States given the beliefs of the filter after all bins."""
    white = jnp.moveaxis(white, -1, 1)
    mean, root = small.parts(passed.mean[:-1], 1), small.entries(passed.root[:-1], 1)
    transition, innovation = small.entries(chain.transition), small.entries(chain.innovation)
    inner = small.congruent(root, small.congruent(transition, innovation))
    inverse = small.lower_inverse(small.cholesky(small.with_one(inner)))
    spread = small.product(root, small.transposed(inverse))  # S_t^(1/2)
    gain = small.product(small.gram(spread), small.product(small.transposed(transition), innovation))
    ahead = small.sums(small.parts(chain.shift), small.applied(transition, mean))
    fixed = small.sums(mean, small.applied(spread, small.parts(white[:-1], 1)))
    fixed = small.sums(fixed, small.applied(gain, ahead), -1.0)

    def backward(following: Array, bin_: tuple[Array, Array]) -> tuple[Array, Array]:
        fixed, gain = bin_
        states = fixed + (gain * following[None]).sum(axis=1)
        return states, states

    last = passed.mean[-1] + (passed.root[-1] * white[-1][None]).sum(axis=1)
    _, states = jax.lax.scan(backward, last, (small.from_parts(fixed, 1), small.from_entries(gain, 1)), reverse=True)
    return jnp.moveaxis(jnp.concatenate([states, last[None]]), 1, -1)


def _forward(chain: Chain, seen: Information) -> Filtered:
    """The filter."""
    said = Information(jnp.moveaxis(seen.precision, (-2, -1), (1, 2)), jnp.moveaxis(seen.shift, -1, 1))
    noise, mean = small.inverse(small.entries(chain.precision)), small.parts(chain.mean)
    begin = filtered(updated(mean, noise, Information(said.precision[0], said.shift[0])))

    def step(carry: tuple[Array, Array], bin_: tuple[Array, ...]) -> tuple[tuple[Array, Array], Filtered]:
        transition, shift, noise, precision, pull = bin_
        mean, cov = moved(*carry, transition, shift, noise)
        after = filtered(updated(mean, cov, Information(precision, pull)))
        return (after.mean, after.root), after

    transition, shift = jnp.moveaxis(chain.transition, (-2, -1), (1, 2)), jnp.moveaxis(chain.shift, -1, 1)
    noise = small.from_entries(small.inverse(small.entries(chain.innovation)), 1)
    rest = (transition, shift, noise, said.precision[1:], said.shift[1:])
    _, passed = jax.lax.scan(step, (begin.mean, begin.root), rest)
    return jax.tree.map(lambda one, more: jnp.concatenate([one[None], more]), begin, passed)


def moved(
    mean: Float[Array, "latent *#batch"],
    root: Float[Array, "latent latent *#batch"],
    transition: Float[Array, "latent latent *#batch"],
    shift: Float[Array, "latent *#batch"],
    noise: Float[Array, "latent latent *#batch"],
) -> tuple[Vector, Matrix]:
    """Mean and covariance one step on; batches are broadcast."""
    law = small.entries(transition, 0)
    onward = small.gram(small.product(law, small.entries(root, 0)))
    return small.sums(small.applied(law, list(mean)), list(shift)), small.added(onward, small.entries(noise, 0))


def updated(mean: Vector, cov: Matrix, said: Information) -> Belief:
    """The belief after a bin, of which ``said`` tells with the axes of a vector or a matrix first."""
    lower, precision, pull = small.cholesky(cov).lower, small.entries(said.precision, 0), list(said.shift)
    inner = small.cholesky(small.with_one(small.congruent(lower, precision)))
    root = small.product(lower, small.transposed(small.lower_inverse(inner)))
    surprise = small.sums(pull, small.applied(precision, mean), -1.0)
    half = small.applied(small.transposed(root), surprise)
    both = small.dot(small.sums(pull, surprise), mean) + small.dot(half, half)
    return Belief(small.sums(mean, small.applied(root, half)), root, 0.5 * both - small.log_diagonal(inner))


def filtered(belief: Belief) -> Filtered:
    """The belief in arrays, the axes of a vector or a matrix first."""
    return Filtered(small.from_parts(belief.mean, 0), small.from_entries(belief.root, 0), belief.log_gain)
