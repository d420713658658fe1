r"""Concentrations of transitions and of the weights of states: held where the model says, or drawn with the states.

.. math:: s = \alpha + \kappa \sim Gamma(1, 0.1), \quad \phi = \kappa / s \sim Beta(2, 1), \quad
    \gamma \sim Gamma(1, 0.1).

Transition rows and weights are integrated out. With n_l transitions from state l, m tables of which W are the sticky
weight's, and :math:`\bar m_k` others at state k of L,

.. math:: p(s \mid m, n) \propto p(s) s^m \prod_l \frac{\Gamma(s)}{\Gamma(s + n_l)}, \quad
    \phi \mid W, m \sim Beta(2 + W, 1 + m - W), \quad
    p(\gamma \mid \bar m) \propto p(\gamma) \frac{\Gamma(\gamma)}{\Gamma(\gamma + \sum_k \bar m_k)}
    \prod_k \frac{\Gamma(\gamma / L + \bar m_k)}{\Gamma(\gamma / L)}.

The ratios of s are those of beta variables (Escobar and West, 1995, JASA 90(430):577-588, section 6); the last law is
exact at the bound L and is left by Metropolis steps on its logarithm. The priors are ours.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurolatent.ops.gamma import standard_gamma

NAMES = ("alpha", "gamma", "kappa")  # in the order in which they stand
SHAPE, RATE = 1.0, 0.1  # of s and of gamma; ours
STICKY, LOOSE = 2.0, 1.0  # of phi; ours
STEPS, STRIDE = 10, 1.0  # Metropolis steps in each sweep, and their standard deviation in log gamma; ours


class Tables(NamedTuple):
    """What the transitions between states tell of concentrations and weights."""

    moves: Int[Array, "state state_to"]  # transitions of each kind
    others: Float[Array, " state"]  # tables at each state that are not the sticky weight's
    sticky: Float[Array, ""]  # tables that are


def of_model(model: Any) -> Float[np.ndarray, " concentration"]:
    """The values that the model says, in the order of ``NAMES``."""
    return np.array([model.alpha, model.gamma, model.kappa], float)


def of_parts(total: Array, stickiness: Array, gamma: Array) -> Float[Array, " concentration"]:
    """The concentrations of s, phi and gamma."""
    return jnp.stack([total * (1 - stickiness), gamma, total * stickiness])


def from_prior(model: Any, key: PRNGKeyArray, dtype: Any) -> Float[Array, " concentration"]:
    """A draw from the prior; the model's values where it does not draw them."""
    if not model.update_hdp:
        return jnp.asarray(of_model(model), dtype)
    drawn = standard_gamma(key, jnp.array([SHAPE, SHAPE, STICKY, LOOSE], dtype))
    return of_parts(drawn[0] / RATE, drawn[2] / (drawn[2] + drawn[3]), drawn[1] / RATE)


def log_prior(model: Any, concentrations: Float[Array, " concentration"]) -> Float[Array, ""] | float:
    """Log density of s, phi and gamma, nats; 0 where the model does not draw them."""
    if not model.update_hdp:
        return 0.0
    alpha, gamma, kappa = concentrations
    total = alpha + kappa
    gammas = [SHAPE * jnp.log(RATE) - gammaln(SHAPE) + (SHAPE - 1) * jnp.log(x) - RATE * x for x in (total, gamma)]
    constant = gammaln(STICKY + LOOSE) - gammaln(STICKY) - gammaln(LOOSE)
    return sum(gammas) + constant + (STICKY - 1) * jnp.log(kappa / total) + (LOOSE - 1) * jnp.log(alpha / total)


def draw(
    concentrations: Float[Array, " concentration"], tables: Tables, key: PRNGKeyArray
) -> Float[Array, " concentration"]:
    """The next concentrations given the tables, which were drawn under the former ones."""
    key_total, key_share, key_gamma = jax.random.split(key, 3)
    alpha, gamma, kappa = concentrations
    count = tables.others.sum() + tables.sticky
    total = _draw_total(alpha + kappa, tables.moves.sum(axis=1), count, key_total)
    parts = standard_gamma(key_share, jnp.stack([STICKY + tables.sticky, LOOSE + count - tables.sticky]))
    return of_parts(total, parts[0] / parts.sum(), _draw_gamma(gamma, tables.others, key_gamma))


def _draw_total(total: Array, moves: Int[Array, " state"], count: Array, key: PRNGKeyArray) -> Float[Array, ""]:
    """The next s, by auxiliary variables of each row with transitions."""
    key_beta, key_coin, key_draw = jax.random.split(key, 3)
    used, n = moves > 0, jnp.maximum(moves, 1).astype(total.dtype)
    parts = standard_gamma(key_beta, jnp.stack([jnp.broadcast_to(total + 1, n.shape), n]))
    logs = jnp.log(parts[0]) - jnp.log(parts.sum(axis=0))
    coins = jax.random.uniform(key_coin, n.shape, n.dtype) * (n + total) < n
    shape = SHAPE + count - (coins & used).sum()
    return standard_gamma(key_draw, shape[None])[0] / (RATE - jnp.where(used, logs, 0.0).sum())


def _draw_gamma(gamma: Array, others: Float[Array, " state"], key: PRNGKeyArray) -> Float[Array, ""]:
    """The next gamma, by Metropolis steps on its logarithm with the weights of states integrated out."""
    key_step, key_accept = jax.random.split(key)
    steps = STRIDE * jax.random.normal(key_step, (STEPS,), gamma.dtype)
    heights = jnp.log1p(-jax.random.uniform(key_accept, (STEPS,), gamma.dtype))

    def log_density(log_gamma: Array) -> Array:
        whole = jnp.exp(log_gamma)
        share = whole / len(others)
        cells = (gammaln(share + others) - gammaln(share)).sum()
        return gammaln(whole) - gammaln(whole + others.sum()) + cells + SHAPE * log_gamma - RATE * whole

    def step(number: Array, now: Array) -> Array:
        tried = now + steps[number]
        return jnp.where(heights[number] < log_density(tried) - log_density(now), tried, now)

    return jnp.exp(jax.lax.fori_loop(0, STEPS, step, jnp.log(gamma)))
