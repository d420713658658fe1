r"""Transitions that covariates push: log Pi_t[i, j] = log base[i, j] + v[j] . u_t, normalised over j.

``u_t`` acts on the step into t. The weights are by target state (the convention of ssm); only their differences
between states count, and a ridge holds them. The expected log probability is concave in the logits and the weights;
Newton's step on all of them is taken where it does not lower the objective.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax.flatten_util import ravel_pytree
from jax.nn import log_softmax
from jaxtyping import Array, Float

from neurolatent.checks import positive

LOG_2PI = 1.8378770664093453
STEPS = (1.0, 0.5, 0.1)


@dataclass(frozen=True)
class Driven:
    """Inputs of the transitions."""

    signal: str = "inputs"  # name of the continuous signal; it may be the covariates
    channels: tuple[str, ...] = ()  # () for all
    sd: float | int = 10.0  # of the weights: a ridge of 1e-2; spec of the method, section 9

    def __post_init__(self) -> None:
        positive("driven: sd", self.sd)
        object.__setattr__(self, "channels", tuple(self.channels))

    def log_density(self, drive: Float[Array, "states inputs"]) -> Float[Array, ""]:
        """Log prior of the weights."""
        return jnp.sum(-0.5 * ((drive / self.sd) ** 2 + LOG_2PI) - jnp.log(self.sd))

    def sample(self, n_states: int, n_inputs: int) -> Float[Array, "states inputs"]:
        """The site of the weights."""
        return jnp.asarray(numpyro.sample("drive", dist.Normal(0.0, self.sd).expand([n_states, n_inputs]).to_event(2)))


def log_transitions(
    transition: Float[Array, "states states"],
    drive: Float[Array, "states inputs"],
    inputs: Float[Array, "sequences time inputs"],
) -> Float[Array, "sequences steps states states"]:
    """Log probabilities [from, to] of every step."""
    push = jnp.einsum("ntu,ju->ntj", inputs[:, 1:], drive)
    return log_softmax(jnp.log(transition) + push[:, :, None, :], axis=-1)


def update(
    transition: Float[Array, "states states"],
    drive: Float[Array, "states inputs"],
    inputs: Float[Array, "sequences time inputs"],
    pairs: Float[Array, "sequences steps states states"],
    *,
    pseudo: Float[Array, "states states"],
    precision: Float[Array, ""] | float,
) -> tuple[Float[Array, "states states"], Float[Array, "states inputs"]]:
    """Transitions and weights after one damped Newton step on the expected log probability and the log priors."""
    start = (jnp.log(transition), drive)
    flat, unravel = ravel_pytree(start)

    def objective(at: Array) -> Array:
        logits, weights = unravel(at)
        base = log_softmax(logits, axis=-1)
        expected = (pairs * log_transitions(jnp.exp(base), weights, inputs)).sum()
        return expected + (pseudo * base).sum() - 0.5 * precision * (weights**2).sum()

    slope, curvature = jax.grad(objective)(flat), -jax.hessian(objective)(flat)
    size = 1e-6 * (jnp.trace(curvature) / flat.size + 1.0)  # rows of logits are determined up to a constant
    direction = jnp.linalg.solve(curvature + size * jnp.eye(flat.size, dtype=flat.dtype), slope)
    best, value = flat, objective(flat)
    for step in STEPS:
        at = flat + step * direction
        new = objective(at)
        best, value = jnp.where(new > value, at, best), jnp.maximum(new, value)
    logits, weights = unravel(best)
    return jnp.exp(log_softmax(logits, axis=-1)), weights
