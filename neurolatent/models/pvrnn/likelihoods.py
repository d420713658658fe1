r"""How an output tells the data: coded values through softmaxes, values with unit variance, or symbols.

Each codes a value on ``n_bins`` units, scores a coded value in nats, and decodes the output again.

References: Ahmadi and Tani (2019), Neural Computation 31(11); the codes of oist-cnru/GLean (softmax coding).
"""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurolatent.checks import InputError, one_of, positive, whole_number


class Likelihood(Protocol):
    """What the model asks of a likelihood; outputs are (..., channels, bins)."""

    kinds: tuple[str, ...]  # of signals

    @property
    def per_channel(self) -> int:
        """Output units of each channel."""
        ...

    def refuse_channels(self, channels: int) -> None:
        """Refuse a signal of so many channels, where it cannot be told."""
        ...

    def refusal(self, values: np.ndarray) -> str:
        """Why finite values (samples, channels) cannot be told; empty where they can."""
        ...

    def coded(self, values: np.ndarray) -> np.ndarray:
        """The target (..., channels, bins) of values (..., channels)."""
        ...

    def floor(self, coded: np.ndarray) -> np.ndarray:
        """(..., channels) nats of the loss that no output can save: the entropy of the code."""
        ...

    def loss(self, output: Array, target: Array) -> Float[Array, "*shape channels"]:
        """Nats of each channel, the floor not yet taken off."""
        ...

    def told(self, output: Array) -> Array:
        """What is expected: values (..., channels), or probabilities (..., channels, bins) of symbols."""
        ...

    def expected_code(self, output: Array) -> Float[Array, "*shape channels bins"]:
        """The target that the output expects."""
        ...

    def constant(self) -> float:
        """Nats of a channel by which the loss falls short of minus a log density; 0 where that is not one of x."""
        ...


@dataclass(frozen=True)
class Softmax:
    r"""Each channel on reference points r_k, evenly from ``low`` to ``high``.

    .. math:: c_k \propto e^{-(r_k - x)^2 / s}, \qquad loss = \sum_k c_k (\log c_k - \log o_k)

    ``sigma`` is s: it divides by sigma, with no square and no factor 2. Codes of the model's authors differ here.

    Attributes:
        low, high: Range of the values, one for all channels or one for each.
    """

    bins: int = 10
    low: float | int | tuple[float | int, ...] = 0.0
    high: float | int | tuple[float | int, ...] = 1.0
    sigma: float | int | tuple[float | int, ...] = 0.005  # published pairs: 0.005 on [0, 1], 0.05 on [-1.25, 1.25]
    kinds = ("continuous", "angle")

    def __post_init__(self) -> None:
        whole_number("bins", self.bins, 2)
        for name in ("low", "high", "sigma"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        for sigma in np.atleast_1d(self.sigma):
            positive("sigma", float(sigma))
        if not (np.asarray(self.high, float) > np.asarray(self.low, float)).all():
            raise InputError(f"high must be above low, got {self.low} and {self.high}")

    @property
    def per_channel(self) -> int:
        """A softmax for each channel."""
        return self.bins

    def refuse_channels(self, channels: int) -> None:
        """Settings by channel must be as many as there are channels."""
        for name in ("low", "high", "sigma"):
            given = np.size(getattr(self, name))
            if given not in (1, channels):
                raise InputError(f"{name}: one number, or one for each of the {channels} channels, got {given}")

    def points(self) -> np.ndarray:
        """(channels or 1, bins) reference points."""
        low, high = (np.atleast_1d(np.asarray(v, float))[:, None] for v in (self.low, self.high))
        return low + (high - low) * np.linspace(0.0, 1.0, self.bins)

    def refusal(self, values: np.ndarray) -> str:
        """Values beyond the reference points cannot be coded."""
        beyond = (values < np.asarray(self.low)) | (values > np.asarray(self.high))
        if not beyond.any():
            return ""
        return f"the value {values[beyond][0]:g} lies outside of [{self.low}, {self.high}]: change low and high"

    def coded(self, values: np.ndarray) -> np.ndarray:
        """Weights of the reference points, which sum to one."""
        off = -((self.points() - values[..., None]) ** 2) / np.atleast_1d(np.asarray(self.sigma, float))[:, None]
        weight = np.exp(off - off.max(axis=-1, keepdims=True))
        return weight / weight.sum(axis=-1, keepdims=True)

    def floor(self, coded: np.ndarray) -> np.ndarray:
        """The entropy of the code."""
        return -np.sum(np.where(coded > 0, coded * np.log(np.where(coded > 0, coded, 1.0)), 0.0), axis=-1)

    def loss(self, output: Array, target: Array) -> Array:
        """Cross-entropy of code and output."""
        return -jnp.sum(target * jax.nn.log_softmax(output), axis=-1)

    def told(self, output: Array) -> Array:
        """The mean of the reference points."""
        return jnp.sum(jax.nn.softmax(output) * jnp.asarray(self.points(), output.dtype), axis=-1)

    def expected_code(self, output: Array) -> Array:
        """The softmax."""
        return jax.nn.softmax(output)

    def constant(self) -> float:
        """The loss is no density of x but a divergence of codes."""
        return 0.0


@dataclass(frozen=True)
class UnitGaussian:
    """Values with variance one around the output: the loss is half the squared error.

    Attributes:
        output: ``tanh`` wants data that lie within about [-0.9, 0.9].
    """

    output: Literal["identity", "tanh"] = "identity"
    kinds = ("continuous", "angle", "binary", "counts")

    def __post_init__(self) -> None:
        one_of("output", self.output, ("identity", "tanh"))

    @property
    def per_channel(self) -> int:
        """One unit for each channel."""
        return 1

    def refuse_channels(self, channels: int) -> None:
        """Any number will do."""

    def refusal(self, values: np.ndarray) -> str:
        """Values that a tanh cannot reach."""
        if self.output == "identity" or (np.abs(values) < 1).all():
            return ""
        return f"the value {values[np.abs(values) >= 1][0]:g} is out of reach of a tanh: scale the data to [-0.9, 0.9]"

    def coded(self, values: np.ndarray) -> np.ndarray:
        """The values themselves."""
        return values[..., None]

    def floor(self, coded: np.ndarray) -> np.ndarray:
        """Nothing."""
        return np.zeros(coded.shape[:-1])

    def loss(self, output: Array, target: Array) -> Array:
        """Half the squared error."""
        return 0.5 * jnp.sum((self._mean(output) - target) ** 2, axis=-1)

    def told(self, output: Array) -> Array:
        """The mean."""
        return self._mean(output)[..., 0]

    def _mean(self, output: Array) -> Array:
        return jnp.tanh(output) if self.output == "tanh" else output

    def expected_code(self, output: Array) -> Array:
        """The mean."""
        return self._mean(output)

    def constant(self) -> float:
        """The normaliser of the unit Gaussian."""
        return 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class Symbols:
    """One softmax over so many symbols, which are numbered from 0."""

    count: int
    kinds = ("category", "binary")

    def __post_init__(self) -> None:
        whole_number("count", self.count, 2)

    @property
    def per_channel(self) -> int:
        """One softmax."""
        return self.count

    def refuse_channels(self, channels: int) -> None:
        """Symbols are one channel."""
        if channels != 1:
            raise InputError(f"symbols are one channel, got {channels}")

    def refusal(self, values: np.ndarray) -> str:
        """Symbols beyond the last one."""
        most = values.max(initial=0)
        return f"it holds the symbol {most:g}, but count={self.count} ends before it" if most >= self.count else ""

    def coded(self, values: np.ndarray) -> np.ndarray:
        """Columns of 0 and 1."""
        return np.eye(self.count)[values.astype(int)]

    def floor(self, coded: np.ndarray) -> np.ndarray:
        """Nothing."""
        return np.zeros(coded.shape[:-1])

    def loss(self, output: Array, target: Array) -> Array:
        """Cross-entropy."""
        return -jnp.sum(target * jax.nn.log_softmax(output), axis=-1)

    def told(self, output: Array) -> Array:
        """Probabilities."""
        return jax.nn.softmax(output)

    def expected_code(self, output: Array) -> Array:
        """Probabilities."""
        return jax.nn.softmax(output)

    def constant(self) -> float:
        """The loss is minus the log probability."""
        return 0.0


LIKELIHOODS: tuple[type, ...] = (Softmax, UnitGaussian, Symbols)
