"""Binary channels, each a threshold on one axis of the state, that all turn round at random from bin to bin.

A channel is 1 with probability 0.01 below its threshold and 0.99 above, or the reverse: which of the two is drawn anew
in every bin, for all channels together. Its mean is 1/2 whatever the state.

Reference: Burkhart et al. (2020), Neural Computation 32(5):969-1017, section 4.3.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.stats import norm

from neurolatent.models.dkf.synthetic import Told, mixed

RARE = 0.01


class BinaryMixture(NamedTuple):
    """Which axis each channel looks at, and where its threshold lies."""

    axes: Int[np.ndarray, " channels"]
    thresholds: Float[np.ndarray, " channels"]
    latent: int = 10

    @classmethod
    def random(cls, generator: np.random.Generator, channels: int, latent: int = 10) -> "BinaryMixture":
        """Axes uniform, thresholds from N(0, 1)."""
        return cls(generator.integers(latent, size=channels), generator.normal(size=channels), latent)

    def first(self, channels: int) -> "BinaryMixture":
        """The same model with its first channels only."""
        return self._replace(axes=self.axes[:channels], thresholds=self.thresholds[:channels])

    def draw(self, generator: np.random.Generator, z: np.ndarray) -> np.ndarray:
        """An observation of every state."""
        is_above = z[:, self.axes] >= self.thresholds
        is_turned = generator.integers(2, size=(len(z), 1)).astype(bool)
        often = is_above != is_turned
        return (generator.random(often.shape) < np.where(often, 1 - RARE, RARE)).astype(float)

    def told(self, x: np.ndarray) -> Told:
        """Given the component the axes are independent, and each one's likelihood is constant between thresholds."""
        logs, means, covs = np.zeros((2, len(x))), np.zeros((2, len(x), self.latent)), []
        for component, below in enumerate((x, 1 - x)):
            variances = np.zeros((len(x), self.latent))
            for axis in range(self.latent):
                chosen = np.flatnonzero(self.axes == axis)
                chosen = chosen[np.argsort(self.thresholds[chosen])]
                log, mean, square = _axis_moments(below[:, chosen], self.thresholds[chosen])
                logs[component] += log
                means[component, :, axis] = mean
                variances[:, axis] = square - mean**2
            covs.append(variances[:, :, None] * np.eye(self.latent))
        return mixed(logs, means, np.stack(covs))

    def log_density(self, x: Array, points: Array) -> Array:
        """Of one observation at each of many states, nats up to a constant."""
        is_above = points[:, self.axes] >= self.thresholds
        agree = jnp.sum(jnp.where(is_above, x, 1 - x), axis=1)
        step = np.log(1 - RARE) - np.log(RARE)  # of the log density, for each channel that agrees
        return jnp.logaddexp(step * agree, step * (len(self.axes) - agree))


def _axis_moments(x: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log evidence, mean and mean square of an axis of law N(0, 1), seen by channels in order of their thresholds.

    Between the thresholds the integrals of phi, z phi and z^2 phi are differences of Phi, -phi and Phi - z phi.
    """
    edges = np.concatenate([[-np.inf], thresholds, [np.inf]])
    inner = np.concatenate([[0.0], thresholds * norm.pdf(thresholds), [0.0]])
    mass, first = np.diff(norm.cdf(edges)), -np.diff(norm.pdf(edges))
    second = mass - np.diff(inner)
    change = (2 * x - 1) * (np.log(1 - RARE) - np.log(RARE))  # what passing a channel's threshold adds
    start = x @ np.full(x.shape[1], np.log(RARE)) + (1 - x) @ np.full(x.shape[1], np.log(1 - RARE))
    steps = np.concatenate([np.zeros((len(x), 1)), np.cumsum(change, axis=1)], axis=1)
    top = steps.max(axis=1, keepdims=True)
    weights = np.exp(steps - top)
    total = weights @ mass
    return start + top[:, 0] + np.log(total), weights @ first / total, weights @ second / total
