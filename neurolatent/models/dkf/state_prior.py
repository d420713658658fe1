r"""What is believed of the state model before any pair of bins was seen, and after: closed form, draws, the program.

In units of the target's standard deviations :math:`u_t = B u_{t-1} + N(0, G)`, with

.. math:: B \mid G \sim MN(p I, G, (n_0 I)^{-1}), \qquad G \sim IW(d - 1 + n_0, n_0 g^2 I),

:math:`g` the innovation, :math:`p = \sqrt{1 - g^2}` the persistence of a state of unit variance that has it, and
:math:`n_0` the worth of the prior in pairs of bins. The family is conjugate to pairs of neighbouring bins whose state
is known, so draws are exact and independent; the program says the same density to samplers. Then
:math:`A = D B D^{-1}, \Gamma = D G D`, :math:`D` the standard deviations. The long-run covariance :math:`S` is not
drawn: it is that of the rows of the regression. Nothing keeps the spectral radius of a draw below 1.

Reference: Murphy (2012), Machine Learning, section 7.6 for the conjugate update. The prior's numbers are ours.
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, Bool, Float

from neurolatent.checks import InputError, positive
from neurolatent.models.dkf.params import StateDraws, StateModel
from neurolatent.ops import mniw


@dataclass(frozen=True)
class StatePrior:
    """A belief of how the state moves, in units of its standard deviation, worth no more than one pair of bins."""

    innovation: float = 0.5  # standard deviation of what is new in each bin, between 0 and 1
    pairs: float | int = 1.0  # of neighbouring bins that the belief is worth

    def __post_init__(self) -> None:
        positive("pairs", self.pairs)
        if not 0 < self.innovation < 1:
            raise InputError(f"innovation must lie strictly between 0 and 1, got {self.innovation}")

    def family(self, outputs: int) -> mniw.Family:
        """The prior of that many outputs."""
        one, new = np.eye(outputs), self.innovation**2
        return mniw.Family(np.sqrt(1 - new) * one, self.pairs * one, outputs - 1.0 + self.pairs, self.pairs * new * one)


def state_posterior(
    prior: StatePrior,
    z: Float[np.ndarray, "sequences time feature"],
    known: Bool[np.ndarray, "sequences time"],
    scale: Float[np.ndarray, " feature"],
) -> mniw.Family:
    """What is believed after all pairs of centred sequences, in units of ``scale``."""
    paired = known[:, 1:] & known[:, :-1]
    u = z / scale
    return mniw.conjugate(prior.family(len(scale)), u[:, 1:][paired], u[:, :-1][paired])


def state_draws(
    family: mniw.Family, count: int, scale: Float[np.ndarray, " feature"], generator: np.random.Generator
) -> StateDraws:
    """Independent draws in units of the target, one chain: (1, draws, ...)."""
    transition, innovation = mniw.draw(family, count, generator)
    return StateDraws(transition[None] * (scale[:, None] / scale), innovation[None] * np.outer(scale, scale))


def sample_state(prior: StatePrior, data: Any, *, centre: bool) -> None:
    """The NumPyro program: the prior, and the density of each known bin given a known one before it."""
    z, known = jnp.asarray(data.z), jnp.asarray(data.known)
    rows, count = known[..., None], known.sum()
    level = jnp.sum(jnp.where(rows, z, 0.0), axis=(0, 1)) / count
    scale = jnp.sqrt(jnp.sum(jnp.where(rows, (z - level) ** 2, 0.0), axis=(0, 1)) / count)
    u = jnp.where(rows, z - (level if centre else 0.0), 0.0) / scale
    family = prior.family(len(scale))
    covariance = _sample_innovation(family)
    factor = jnp.linalg.cholesky(covariance)
    spread = jnp.diag(1 / jnp.sqrt(jnp.diagonal(jnp.asarray(family.precision))))
    moved: Any = numpyro.sample("scaled_transition", dist.MatrixNormal(jnp.asarray(family.mean), factor, spread))
    pairs = dist.MultivariateNormal(u[:, :-1] @ moved.T, scale_tril=factor).mask(known[:, 1:] & known[:, :-1])
    numpyro.sample("pairs", pairs, obs=u[:, 1:])
    numpyro.deterministic("transition", moved * (scale[:, None] / scale))
    numpyro.deterministic("innovation", covariance * jnp.outer(scale, scale))


def _sample_innovation(family: mniw.Family) -> Array:
    """The covariance of the innovation; of one output an inverse gamma, which is what the family is then."""
    if len(family.scale) > 1:
        wishart = dist.InverseWishart(jnp.asarray(family.freedom), scale_matrix=jnp.asarray(family.scale))
        return jnp.asarray(numpyro.sample("scaled_innovation", wishart))
    half = dist.InverseGamma(jnp.asarray(family.freedom / 2), jnp.asarray(family.scale[0] / 2))
    return jnp.asarray(numpyro.sample("scaled_innovation", half.to_event(1)))[:, None]


def sites_of(state: StateModel, scale: Float[np.ndarray, " feature"]) -> dict[str, Array]:
    """Values of the program's sites at a state model in units of the target."""
    innovation = state.innovation / np.outer(scale, scale)
    return {
        "scaled_transition": jnp.asarray(state.transition * (scale / scale[:, None])),
        "scaled_innovation": jnp.asarray(innovation if len(scale) > 1 else innovation[0]),
    }
