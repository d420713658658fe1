r"""Lapses: with probability g a choice is 1, with probability l it is 0, whatever the covariates say.

.. math:: P(y = 1) = g + (1 - g - l) \sigma(\eta), \qquad (g, l, 1 - g - l) \sim Dirichlet(1, 1, strength - 1),

so that each of them is Beta(1, strength) by itself. In EM the lapse is one more latent cause of every trial: what is
left of a trial's weight goes to the logistic regression.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax.nn import log_sigmoid
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from neurolatent.checks import InputError


@dataclass(frozen=True)
class Lapses:
    """Choices of the lapses in each state."""

    symmetric: bool = False  # g = l: the one-parameter version
    strength: float | int = 20.0  # each lapse is Beta(1, strength); spec of the method, section 9

    def __post_init__(self) -> None:
        if not float(self.strength) > 1:
            raise InputError(f"lapses: strength must be above 1, got {self.strength}")

    def log_density(self, lapse: Float[Array, "states sides"]) -> Float[Array, ""]:
        """Log prior."""
        core = 1 - lapse.sum(axis=1)
        a = self.strength - 1
        if self.symmetric:
            return jnp.sum((a - 1) * jnp.log(core)) + lapse.shape[0] * jnp.log(a)
        return jnp.sum((a - 1) * jnp.log(core)) + lapse.shape[0] * (gammaln(a + 2) - gammaln(a))

    def sample(self, n_states: int) -> Float[Array, "states sides"]:
        """The site of the lapses."""
        a = self.strength - 1
        if self.symmetric:
            both = jnp.asarray(numpyro.sample("lapse_both", dist.Beta(1.0, a).expand([n_states]).to_event(1)))
            return jnp.stack([both / 2, both / 2], axis=1)
        parts = dist.Dirichlet(jnp.asarray([1.0, 1.0, a])).expand([n_states]).to_event(1)
        return jnp.asarray(numpyro.sample("lapse_parts", parts))[:, :2]

    def sites_at(self, lapse: Float[Array, "states sides"]) -> dict[str, Array]:
        """Values of the site at these lapses, off the edges."""
        inside = jnp.clip(jnp.asarray(lapse), 1e-4, 0.45)
        if self.symmetric:
            return {"lapse_both": inside.sum(axis=1)}
        return {"lapse_parts": jnp.concatenate([inside, 1 - inside.sum(axis=1, keepdims=True)], axis=1)}

    def update(self, counts: Float[Array, "states causes"]) -> Float[Array, "states sides"]:
        """Mode given the expected trials of each cause (lapse to 1, lapse to 0, none)."""
        pseudo = counts.at[:, 2].add(self.strength - 2)
        lapse = jnp.maximum(pseudo[:, :2], 1e-12) / jnp.maximum(pseudo.sum(axis=1, keepdims=True), 1e-300)
        return jnp.broadcast_to(lapse.mean(axis=1, keepdims=True), lapse.shape) if self.symmetric else lapse


class Causes(NamedTuple):
    """Why a trial came out as it did, given each state."""

    log_density: Float[Array, "*rows states"]
    to_one: Float[Array, "*rows states"]  # probability that it was a lapse to 1
    to_zero: Float[Array, "*rows states"]


def causes(eta: Float[Array, "*rows states"], y: Float[Array, "*rows"], lapse: Float[Array, "states sides"]) -> Causes:
    """The log probability of each choice with lapses, and the share of the lapses in it."""
    is_one = y[..., None] > 0.5
    core = 1 - lapse.sum(axis=1)
    own = jnp.log(core) + log_sigmoid(jnp.where(is_one, eta, -eta))
    log_lapse = jnp.log(jnp.maximum(jnp.where(is_one, lapse[:, 0], lapse[:, 1]), 1e-300))
    density = jnp.logaddexp(own, log_lapse)
    share = jnp.exp(log_lapse - density)
    return Causes(density, jnp.where(is_one, share, 0.0), jnp.where(is_one, 0.0, share))
