r"""A draw of all states of a linear Gaussian chain given what its bins say: forward filter, backward sample.

.. math::
    x_1 \sim N(m_1, W_1^{-1}), \quad x_t \mid x_{t-1} \sim N(A_t x_{t-1} + b_t, W_t^{-1}), \quad
    g(x) = \prod_t \exp(-\tfrac12 x_t^T J_t x_t + h_t^T x_t).

The joint precision is block tridiagonal. Its Cholesky factor is made forwards, one block per bin, and the draw solves
against it backwards: one small root a bin, where the filter in moments needs two inverses. Any number of chains stands
on the axes between time and latent.

Reference: Carter and Kohn (1994), Biometrika 81(3):541-553; in precisions Chan and Jeliazkov (2009), International
Journal of Mathematical Modelling and Numerical Optimisation 1(1/2):101-120.
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


class _Joint(NamedTuple):
    diagonal: Array  # (time, *batch, latent, latent)
    below: Array  # block of each bin with the one before; 0 for the first
    linear: Array  # (time, *batch, latent)
    constant: Array  # (*batch,)


def draw_states(white: Float[Array, "time *batch latent"], chain: Chain, seen: Information) -> Drawn:
    """States from standard normal numbers ``white``: all batches share ``time``, and no batch knows of another."""
    joint = _joint(chain, seen)

    def forward(carry: tuple[Array, Array], bin_: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], tuple]:
        inverse, solved = carry
        diagonal, below, linear = bin_
        edge = product(below, transposed(inverse))
        root = cholesky(diagonal - product(edge, transposed(edge)))
        inverse = lower_inverse(root)
        solved = applied(inverse, linear - applied(edge, solved))
        return (inverse, solved), (inverse, edge, solved)

    def backward(carry: tuple[Array, Array], bin_: tuple[Array, Array, Array, Array]) -> tuple[tuple, Array]:
        following, edge = carry
        inverse, own_edge, solved, noise = bin_
        right = solved + noise - applied(transposed(edge), following)
        states = applied(transposed(inverse), right)
        return (states, own_edge), states

    start = jnp.zeros_like(joint.diagonal[0]), jnp.zeros_like(joint.linear[0])
    _, (inverse, edge, solved) = jax.lax.scan(forward, start, (joint.diagonal, joint.below, joint.linear))
    end = jnp.zeros_like(joint.linear[0]), jnp.zeros_like(joint.diagonal[0])
    _, states = jax.lax.scan(backward, end, (inverse, edge, solved, white), reverse=True)
    half_log_det = -jnp.log(jnp.diagonal(inverse, axis1=-2, axis2=-1)).sum(axis=(0, -1))
    quadratic = 0.5 * (solved**2).sum(axis=(0, -1))
    return Drawn(states, joint.constant - half_log_det + quadratic)


def _joint(chain: Chain, seen: Information) -> _Joint:
    """Precision and linear part of the joint density, and what does not depend on the states."""
    weighted = product(chain.innovation, chain.transition)
    pushed = applied(chain.innovation, chain.shift)
    none, flat = jnp.zeros_like(chain.precision)[None], jnp.zeros_like(chain.mean)[None]
    into = jnp.concatenate([chain.precision[None], chain.innovation])
    out = jnp.concatenate([product(transposed(chain.transition), weighted), none])
    linear = jnp.concatenate([applied(chain.precision, chain.mean)[None], pushed])
    linear = linear - jnp.concatenate([applied(transposed(chain.transition), pushed), flat])
    roots = jnp.diagonal(cholesky(into), axis1=-2, axis2=-1)
    constant = jnp.log(roots).sum(axis=(0, -1))
    constant = constant - 0.5 * (chain.mean * applied(chain.precision, chain.mean)).sum(axis=-1)
    constant = constant - 0.5 * (chain.shift * pushed).sum(axis=(0, -1))
    below = jnp.concatenate([none, -weighted])
    return _Joint(into + out + seen.precision, below, linear + seen.shift, constant)
