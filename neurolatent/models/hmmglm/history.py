"""How the past of the targets becomes regressors: kernels over lags, within a sequence, never the present bin.

Bins before the start of a sequence and bins that were not observed count as 0.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from neurolatent.checks import InputError, positive, whole_number


@dataclass(frozen=True)
class Exponential:
    """One decaying kernel for all pairs: phi_k proportional to exp(-decay k), k = 1..length, with sum 1."""

    decay: float | int = 1.0  # per bin
    length: int = 5  # bins

    def __post_init__(self) -> None:
        positive("decay", self.decay)
        whole_number("length", self.length, 1)

    def basis(self) -> Float[np.ndarray, "lags functions"]:
        """The kernel as the only function."""
        raw = np.exp(-self.decay * np.arange(1, self.length + 1))
        return (raw / raw.sum())[:, None]

    def names(self, channels: list[str]) -> list[str]:
        """Labels of the regressors."""
        return list(channels)


@dataclass(frozen=True)
class Learned:
    """One kernel on the simplex for all pairs and states, learned with the weights."""

    length: int = 5  # bins

    def __post_init__(self) -> None:
        whole_number("length", self.length, 2)

    def basis(self) -> Float[np.ndarray, "lags functions"]:
        """Every lag for itself; the kernel weighs them."""
        return np.eye(self.length)

    def names(self, channels: list[str]) -> list[str]:
        """Labels of the regressors."""
        return list(channels)


@dataclass(frozen=True)
class RaisedCosine:
    """A few smooth bumps, evenly spread over the logarithm of the lag; a weight for each pair, state and bump.

    The form is that of Pillow et al. (2008), Nature 454:995-999, supplement.
    """

    n: int = 3
    length: int = 20  # bins

    def __post_init__(self) -> None:
        whole_number("n", self.n, 1)
        whole_number("length", self.length, 1)
        if self.n > self.length:
            raise InputError(f"a basis of {self.n} functions needs a length of as many bins, got {self.length}")

    def basis(self) -> Float[np.ndarray, "lags functions"]:
        """Functions with sum 1 each."""
        place = np.log(np.arange(1, self.length + 1) + 1.0)
        gap = (place[-1] - place[0]) / max(self.n - 1, 1) if self.length > 1 else 1.0
        centres = place[0] + gap * np.arange(self.n)
        phase = np.clip((place[:, None] - centres) * np.pi / (2 * gap), -np.pi, np.pi)
        bumps = 0.5 * (1 + np.cos(phase))
        return bumps / bumps.sum(axis=0)

    def names(self, channels: list[str]) -> list[str]:
        """Labels of the regressors."""
        return [f"{c} basis {j + 1}" for j in range(self.n) for c in channels]


@dataclass(frozen=True)
class Taps:
    """A free weight for every lag, pair and state."""

    length: int = 5  # bins

    def __post_init__(self) -> None:
        whole_number("length", self.length, 1)

    def basis(self) -> Float[np.ndarray, "lags functions"]:
        """Every lag for itself."""
        return np.eye(self.length)

    def names(self, channels: list[str]) -> list[str]:
        """Labels of the regressors."""
        return [f"{c} lag {k + 1}" for k in range(self.length) for c in channels]


@dataclass(frozen=True)
class NoHistory:
    """The past does not matter: a hidden Markov model with covariates, or without any."""

    length: int = 0

    def __post_init__(self) -> None:
        if self.length != 0:
            raise InputError(f"NoHistory has no length, got {self.length}")

    def basis(self) -> Float[np.ndarray, "lags functions"]:
        """No function."""
        return np.zeros((0, 0))

    def names(self, channels: list[str]) -> list[str]:
        """No regressor."""
        return []


Kernel = Exponential | Learned | RaisedCosine | Taps | NoHistory


def filtered_history(
    y: Float[np.ndarray, "samples channels"],
    observed: Bool[np.ndarray, "samples channels"],
    lengths: np.ndarray,
    basis: Float[np.ndarray, "lags functions"],
) -> Float[np.ndarray, "samples regressors"]:
    r"""The past of every channel under every function, functions outermost.

    .. math:: c_{tjn} = \sum_{k=1}^K \phi_{kj} y_{t-k,n}
    """
    safe = np.where(observed, y, 0.0).astype(float)
    within = np.concatenate([np.arange(n) for n in lengths])
    out = np.zeros((len(safe), basis.shape[1], safe.shape[1]))
    for lag, row in enumerate(basis, 1):
        shifted = np.roll(safe, lag, axis=0)
        shifted[within < lag] = 0.0
        out += row[:, None] * shifted[:, None]
    return out.reshape(len(safe), -1)
