r"""The Polya-Gamma distribution, by which a logistic likelihood becomes Gaussian.

.. math::
    \frac{(e^\psi)^a}{(1 + e^\psi)^b} = 2^{-b} e^{(a - b/2) \psi} E_\omega[e^{-\omega \psi^2 / 2}],
    \quad \omega \sim PG(b, 0), \qquad \omega \mid \psi \sim PG(b, \psi), \qquad
    PG(b, c) = \sum_{k \ge 1} \frac{g_k}{\delta_k}, \quad g_k \sim Gamma(b, 1), \quad
    \delta_k = 2 \pi^2 (k - \tfrac12)^2 + \tfrac{c^2}{2}.

The sum is cut after a few terms; the rest of it is one gamma draw with the mean and the variance of what was cut off.
Eight terms and that rest cannot be told from exact draws in 200,000 of them, for b from 0.3 to 40; without the rest
even sixteen can.

Reference: Polson, Scott and Windle (2013), JASA 108(504):1339-1349, equations 1, 2 and the moments of section 2.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.ops.gamma import standard_gamma

TERMS = 8  # ours: see the module
SMALL = 0.02  # |c| below which the moments are taken from their series
LEAST = 1e-12  # of a draw: with b far below 1 it may be smaller than any number


def moments(b: Float[Array, "*size"], c: Float[Array, "*size"]) -> tuple[Float[Array, "*size"], Float[Array, "*size"]]:
    r"""Mean and variance of PG(b, c).

    .. math:: \frac{b}{2c}\tanh\frac c2, \qquad \frac{b}{4c^3} (2 \tanh\frac c2 - c\, \mathrm{sech}^2\frac c2)
    """
    is_small = jnp.abs(c) < SMALL
    safe, square = jnp.where(is_small, 1.0, c), c * c
    tanh = jnp.tanh(0.5 * safe)
    mean = jnp.where(is_small, 0.25 - square / 48 + square**2 / 480, tanh / (2 * safe))
    spread = (2 * tanh - safe * (1 - tanh**2)) / (4 * safe**3)
    return b * mean, b * jnp.where(is_small, 1 / 24 - square / 120 + 17 * square**2 / 13440, spread)


def draw(
    key: PRNGKeyArray, b: Float[Array, "*size"], c: Float[Array, "*size"], *, terms: int = TERMS
) -> Float[Array, "*size"]:
    """Independent draws of PG(b, c), for b above 0; wants double precision, in which the cut-off part is a difference.

    The gamma draws themselves are in single precision.
    """
    places = (jnp.arange(terms, dtype=c.dtype) + 0.5).reshape(-1, *([1] * c.ndim))
    weight = 1 / (2 * jnp.pi**2 * places**2 + 0.5 * c**2)
    mean, variance = moments(b, c)
    mean, variance = mean - b * weight.sum(axis=0), variance - b * (weight**2).sum(axis=0)
    shapes = jnp.concatenate([jnp.broadcast_to(b, weight.shape), (mean**2 / variance)[None]])
    drawn = standard_gamma(key, shapes.astype(jnp.float32)).astype(c.dtype)
    whole = (drawn[:-1] * weight).sum(axis=0) + drawn[-1] * variance / mean
    return jnp.maximum(whole, LEAST)
