r"""Simulated experiments whose observation has one mean whatever the state: no Kalman filter sees anything.

State, :math:`d` axes: :math:`z_t = A h(z_{t-1}) + N(0, \Gamma)`, :math:`A = 0.95 I - 0.05 \cdot 1 1^T`,
:math:`\Gamma = I - A A^T`, so that :math:`N(0, I)` stays; :math:`h` is the identity, or turns the pairs of axes
(1, 2), (3, 4), ... by the angle :math:`|z|` (:class:`neurolatent.models.dkf.motion.Turning`), which keeps that law.
Observations are a mixture of two, drawn anew in every bin: linear ones of opposite sign here, binary ones in
:mod:`neurolatent.models.dkf.synthetic_binary`.

Reference: Burkhart et al. (2020), Neural Computation 32(5):969-1017, sections 4.2 to 4.4.
"""

from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import logsumexp

from neurolatent.models.dkf.params import StateModel

FLOOR = 1e-12  # least eigenvalue of Q, relative to its mean: the difference of two squares loses digits


class Told(NamedTuple):
    """The exact regression: mean and covariance of the state given each observation alone."""

    mean: Float[np.ndarray, "time latent"]  # f
    noise: Float[np.ndarray, "time latent latent"]  # Q


class Observed(Protocol):
    """An observation model whose regression is known."""

    def draw(self, generator: np.random.Generator, z: np.ndarray) -> np.ndarray:
        """An observation of every state."""
        ...

    def first(self, channels: int) -> Any:
        """The same model with its first channels only."""
        ...

    def told(self, x: np.ndarray) -> Told:
        """The exact regression under N(0, I)."""
        ...

    def log_density(self, x: Array, points: Array) -> Array:
        """Of one observation at each of many states, nats."""
        ...


def state_model(latent: int = 10) -> StateModel:
    """The linear part of the state's law."""
    transition = 0.95 * np.eye(latent) - 0.05
    return StateModel(transition, np.eye(latent) - transition @ transition.T, np.eye(latent))


def course(
    generator: np.random.Generator, time: int, state: StateModel, *, turns: bool
) -> Float[np.ndarray, "time latent"]:
    """A state from its first law on."""
    latent = len(state.transition)
    root = np.linalg.cholesky(state.innovation)
    steps = generator.normal(size=(time, latent))
    z = np.empty((time, latent))
    z[0] = steps[0]
    for t in range(1, time):
        before = _turned(z[t - 1]) if turns else z[t - 1]
        z[t] = state.transition @ before + root @ steps[t]
    return z


def _turned(z: np.ndarray) -> np.ndarray:
    """One state, in NumPy."""
    turn = np.exp(1j * np.linalg.norm(z))
    pairs = (z[0::2] + 1j * z[1::2]) * turn
    return np.stack([pairs.real, pairs.imag], axis=1).ravel()


class LinearMixture(NamedTuple):
    r""":math:`x \sim \tfrac12 N(H z, I) + \tfrac12 N(-H z, 5 I)`."""

    emission: Float[np.ndarray, "channels latent"]  # H
    variances: tuple[float, float] = (1.0, 5.0)

    @classmethod
    def random(cls, generator: np.random.Generator, channels: int, latent: int = 10) -> "LinearMixture":
        """Entries of variance 1 / latent."""
        return cls(generator.normal(size=(channels, latent)) / np.sqrt(latent))

    def first(self, channels: int) -> "LinearMixture":
        """The same model with its first channels only."""
        return self._replace(emission=self.emission[:channels])

    def draw(self, generator: np.random.Generator, z: np.ndarray) -> np.ndarray:
        """An observation of every state."""
        mean = z @ self.emission.T
        which = generator.integers(2, size=(len(z), 1))
        return (1 - 2 * which) * mean + np.sqrt(np.asarray(self.variances))[which] * generator.normal(size=mean.shape)

    def told(self, x: np.ndarray) -> Told:
        """Each component is a Kalman filter's; weighted by how well it tells the observation."""
        latent, channels = self.emission.shape[1], len(self.emission)
        pushed, squares = x @ self.emission, np.sum(x**2, axis=1)
        logs, means, covs = [], [], []
        for sign, variance in zip((1, -1), self.variances, strict=True):
            cov = np.linalg.inv(self.emission.T @ self.emission / variance + np.eye(latent))
            mean = sign * pushed @ cov / variance
            quadratic = squares / variance - np.sum(mean * sign * pushed, axis=1) / variance
            logs.append(-0.5 * (quadratic + channels * np.log(variance) - np.linalg.slogdet(cov)[1]))
            means.append(mean)
            covs.append(np.broadcast_to(cov, (len(x), latent, latent)))
        return mixed(np.stack(logs), np.stack(means), np.stack(covs))

    def log_density(self, x: Array, points: Array) -> Array:
        """Of one observation at each of many states, nats up to a constant."""
        mean = points @ self.emission.T
        logs = [
            -0.5 * jnp.sum((x - sign * mean) ** 2, axis=1) / variance - 0.5 * len(x) * np.log(variance)
            for sign, variance in zip((1, -1), self.variances, strict=True)
        ]
        return jnp.logaddexp(*logs)


def mixed(
    logs: Float[np.ndarray, "components time"],
    means: Float[np.ndarray, "components time latent"],
    covs: Float[np.ndarray, "components time latent latent"],
) -> Told:
    """Mean and covariance of a mixture with these log weights, which need not sum to one."""
    weights = np.exp(logs - logsumexp(logs, axis=0))
    mean = np.einsum("lt,lti->ti", weights, means)
    off = means - mean
    noise = np.einsum("lt,ltij->tij", weights, covs) + np.einsum("lt,lti,ltj->tij", weights, off, off)
    values, vectors = np.linalg.eigh(0.5 * (noise + np.swapaxes(noise, 1, 2)))
    values = np.maximum(values, FLOOR * values.mean(axis=1, keepdims=True))
    return Told(mean, np.einsum("tik,tk,tjk->tij", vectors, values, vectors))
