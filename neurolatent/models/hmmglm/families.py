r"""What a target is: counts, choices or real numbers, given its linear predictor.

.. math:: \eta_{tso} = b_{so} + \sum_m W_{som} x_{tm}

Every family says the log density of a sample, and the two derivatives that Fisher scoring needs: the score
:math:`\partial \log p / \partial \eta` and the information :math:`E[-\partial^2 \log p / \partial \eta^2]`. A Newton
step treats targets in blocks: each for itself, but the classes of one choice as one block.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import jax.numpy as jnp
from jax.nn import log_softmax, sigmoid, softplus
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from neurolatent.checks import one_of, whole_number
from neurolatent.models.hmmglm.links import LINKS, Link

Nonlinearity = Literal["softplus", "exp", "sigmoid"]
FLOOR = 1e-8  # of a mean count, inside the logarithm only (spec of the method, section 12)
LOG_2PI = 1.8378770664093453

Eta = Float[Array, "*rows states targets"]
Wide = Float[Array, "*rows states blocks size"]
Square = Float[Array, "*rows states blocks size size"]


class Family(Protocol):
    """Density of the targets; ``y`` is (rows, targets), ``noise`` (states, targets) or empty."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of signals that it models."""
        ...

    def log_kernel(self, eta: Eta, y: Array, noise: Array) -> Float[Array, "*rows states blocks"]:
        """Log density of each block of targets, nats, less ``log_base``."""
        ...

    def log_base(self, y: Array) -> Float[Array, "*rows blocks"]:
        """The part of the log density that depends on no parameter."""
        ...

    def slopes(self, eta: Eta, y: Array, noise: Array) -> tuple[Wide, Square]:
        """Score and expected information of each block."""
        ...

    def mean(self, eta: Eta) -> Eta:
        """Expected value of the targets."""
        ...


@dataclass(frozen=True)
class Poisson:
    """Spike counts per bin."""

    nonlinearity: Nonlinearity = "softplus"

    def __post_init__(self) -> None:
        one_of("nonlinearity", self.nonlinearity, get_args(Nonlinearity))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of signals that it models."""
        return ("counts", "binary")

    @property
    def link(self) -> Link:
        """From the linear predictor to the mean."""
        return LINKS[self.nonlinearity]

    def log_kernel(self, eta: Eta, y: Array, noise: Array) -> Float[Array, "*rows states blocks"]:
        """Log probability of the counts, without their factorials."""
        mean = self.link.mean(eta)
        return y[..., None, :] * jnp.log(mean + FLOOR) - mean

    def log_base(self, y: Array) -> Float[Array, "*rows blocks"]:
        """The factorials."""
        return -gammaln(y + 1.0)

    def slopes(self, eta: Eta, y: Array, noise: Array) -> tuple[Wide, Square]:
        """Score and expected information: (y / mu - 1) f' and f'^2 / mu."""
        mean, slope = self.link.mean(eta), self.link.slope(eta)
        safe = mean + FLOOR
        score = (y[..., None, :] / safe - 1.0) * slope
        return score[..., None], (slope**2 / safe)[..., None, None]

    def mean(self, eta: Eta) -> Eta:
        """Expected counts."""
        return self.link.mean(eta)


@dataclass(frozen=True)
class Bernoulli:
    """Choices between 0 and 1; the weights speak of 1."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of signals that it models."""
        return ("binary", "category")

    def log_kernel(self, eta: Eta, y: Array, noise: Array) -> Float[Array, "*rows states blocks"]:
        """Log probability of the choice."""
        return y[..., None, :] * eta - softplus(eta)

    def log_base(self, y: Array) -> Float[Array, "*rows blocks"]:
        """Nothing."""
        return jnp.zeros_like(y)

    def slopes(self, eta: Eta, y: Array, noise: Array) -> tuple[Wide, Square]:
        """Score and information of the logit."""
        p = sigmoid(eta)
        return (y[..., None, :] - p)[..., None], (p * (1 - p))[..., None, None]

    def mean(self, eta: Eta) -> Eta:
        """Probability of 1."""
        return sigmoid(eta)


@dataclass(frozen=True)
class Categorical:
    """Choices among classes 0, 1, ...; class 0 is the reference, targets are the indicators of the others."""

    n_classes: int

    def __post_init__(self) -> None:
        whole_number("n_classes", self.n_classes, 2)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of signals that it models."""
        return ("binary", "category")

    def log_kernel(self, eta: Eta, y: Array, noise: Array) -> Float[Array, "*rows states blocks"]:
        """Log probability of the choice."""
        logits = jnp.concatenate([jnp.zeros_like(eta[..., :1]), eta], axis=-1)
        return ((y[..., None, :] * eta).sum(axis=-1) + log_softmax(logits, axis=-1)[..., 0])[..., None]

    def log_base(self, y: Array) -> Float[Array, "*rows blocks"]:
        """Nothing."""
        return jnp.zeros_like(y[..., :1])

    def slopes(self, eta: Eta, y: Array, noise: Array) -> tuple[Wide, Square]:
        """Score and information: y - p and diag(p) - p p'."""
        p = self.mean(eta)
        information = p[..., None] * jnp.eye(p.shape[-1], dtype=p.dtype) - p[..., None] * p[..., None, :]
        return (y[..., None, :] - p)[..., None, :], information[..., None, :, :]

    def mean(self, eta: Eta) -> Eta:
        """Probabilities of the classes besides the reference."""
        logits = jnp.concatenate([jnp.zeros_like(eta[..., :1]), eta], axis=-1)
        return jnp.exp(log_softmax(logits, axis=-1))[..., 1:]


@dataclass(frozen=True)
class Gaussian:
    """Real numbers with a standard deviation per state and channel."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of signals that it models."""
        return ("continuous",)

    def log_kernel(self, eta: Eta, y: Array, noise: Array) -> Float[Array, "*rows states blocks"]:
        """Log density of the values, without the constant."""
        return -0.5 * ((y[..., None, :] - eta) / noise) ** 2 - jnp.log(noise)

    def log_base(self, y: Array) -> Float[Array, "*rows blocks"]:
        """The constant."""
        return jnp.full_like(y, -0.5 * LOG_2PI)

    def slopes(self, eta: Eta, y: Array, noise: Array) -> tuple[Wide, Square]:
        """Score and information of the mean."""
        precision = jnp.broadcast_to(noise**-2, eta.shape)
        return ((y[..., None, :] - eta) * precision)[..., None], precision[..., None, None]

    def mean(self, eta: Eta) -> Eta:
        """Expected values."""
        return eta


AnyFamily = Poisson | Bernoulli | Categorical | Gaussian
