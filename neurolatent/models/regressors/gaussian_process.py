r"""Gaussian process regression: independent outputs with one squared-exponential kernel and one noise.

.. math:: f(x) = k(x, X) (K + \sigma_n^2 I)^{-1} Z, \qquad k(x, x') = \sigma_f^2 \exp(-|x - x'|^2 / (2 \ell^2))

With inducing points U it is the projected process: :math:`f(x) = k(x, U) (\sigma_n^2 K_{UU} + K_{UX} K_{XU})^{-1}
K_{UX} Z`. The process's own variance is not used: the noise of the filter is learned from residuals.

References: Burkhart et al. (2020), Neural Computation 32(5):969-1017; Rasmussen and Williams (2006), Gaussian Processes
for Machine Learning, equations 2.25 and 8.26.
"""

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve

from neurolatent.checks import whole_number
from neurolatent.models.regressors.distances import pieces, squared_distances
from neurolatent.models.regressors.protocol import Anchors, Inputs, Targets

JITTER = 1e-8  # relative to the kernel's variance


class Process(NamedTuple):
    """What is learned."""

    inputs: Float[np.ndarray, "points inputs"]  # training or inducing inputs
    weights: Float[np.ndarray, "points outputs"]  # alpha
    length: Float[np.ndarray, ""]  # ell, in units of the inputs
    amplitude: Float[np.ndarray, ""]  # sigma_f^2
    noise: Float[np.ndarray, ""]  # sigma_n^2


@dataclass(frozen=True)
class GaussianProcess:
    """Scales by the greatest marginal likelihood of a random choice of rows; all rows for the mean."""

    tuning_points: int = 800  # rows on which the scales are sought: 500 to 1,000 in the specification
    most_points: int = 5000  # above so many training rows the mean is projected on inducing points
    inducing_points: int = 1000

    def __post_init__(self) -> None:
        for name in ("tuning_points", "most_points", "inducing_points"):
            whole_number(name, getattr(self, name), 2)

    def learn(self, x: Inputs, z: Targets, generator: np.random.Generator, tuned: Process | None = None) -> Process:
        """Scales, and the weights of the points."""
        scales = tuned[2:] if tuned is not None else self._scales(x, z, generator)
        length, amplitude, noise = (float(s) for s in scales)
        if len(x) <= self.most_points:
            gram = kernel(x, x, length, amplitude)
            gram[np.diag_indices_from(gram)] += noise + JITTER * amplitude
            weights = cho_solve(cho_factor(gram, lower=True, overwrite_a=True), z)
            return Process(x, weights, *(np.asarray(s) for s in (length, amplitude, noise)))
        points = x[np.sort(generator.choice(len(x), self.inducing_points, replace=False))]
        gram, right = noise * kernel(points, points, length, amplitude), np.zeros((len(points), z.shape[1]))
        for part in pieces(len(x), len(points)):
            crossed = kernel(points, x[part], length, amplitude)
            gram += crossed @ crossed.T
            right += crossed @ z[part]
        gram[np.diag_indices_from(gram)] += JITTER * noise * amplitude + 1e-12 * np.trace(gram) / len(gram)
        weights = cho_solve(cho_factor(gram, lower=True), right)
        return Process(points, weights, *(np.asarray(s) for s in (length, amplitude, noise)))

    def _scales(self, x: Inputs, z: Targets, generator: np.random.Generator) -> tuple[float, float, float]:
        """Length, amplitude and noise that maximise the marginal likelihood, the outputs sharing them."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor  # slow to import
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        some = np.sort(generator.choice(len(x), min(len(x), self.tuning_points), replace=False))
        wide = np.sqrt(x.shape[1])
        form = ConstantKernel(1.0, (1e-3, 1e3)) * RBF(wide, (1e-2 * wide, 1e3 * wide)) + WhiteKernel(0.3, (1e-5, 1e2))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a scale at its bound is the answer
            found: Any = GaussianProcessRegressor(form).fit(x[some], z[some]).kernel_
        return found.k1.k2.length_scale, found.k1.k1.constant_value, found.k2.noise_level

    def predict(self, learned: Process, x: Inputs) -> Targets:
        """The posterior mean at each row; zero far from all points."""
        out = np.empty((len(x), learned.weights.shape[1]))
        for part in pieces(len(x), len(learned.inputs)):
            out[part] = (
                kernel(x[part], learned.inputs, float(learned.length), float(learned.amplitude)) @ learned.weights
            )
        return out

    def restored(self, values: dict[str, np.ndarray]) -> Process:
        """The process, from its arrays by name."""
        return Process(**values)


def kernel(x: Inputs, points: Anchors, length: float, amplitude: float) -> Float[np.ndarray, "rows points"]:
    """The squared-exponential kernel of every pair."""
    out = squared_distances(x, points)
    out *= -0.5 / length**2
    np.exp(out, out=out)
    out *= amplitude
    return out
