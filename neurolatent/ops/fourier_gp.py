r"""Gaussian processes on a circle: a squared-exponential prior that is diagonal in a few real Fourier coefficients.

.. math::
    z_t = \sum_f \zeta_f B_{ft}, \quad \zeta_f \sim N(0, c_f), \quad
    c_f = \rho \sqrt{2 \pi} \ell e^{-w_f^2 \ell^2 / 2} + \alpha, \quad
    B^T diag(c) B \approx \rho e^{-(t - t')^2 / (2 \ell^2)}.

The circle is longer than the trial, so that its end does not meet its start.

References: Aoi and Pillow (2017), bioRxiv 217133; Gondur et al. (2024), ICLR, arXiv 2310.03111. The padding is ours:
the published 20 % of the trial leaves a correlation of 0.43 between its ends at T = 60 and a length scale of 10.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

LONG = 1000  # bins above which the way to time is a fast Fourier transform, not a product with B


@dataclass(frozen=True)
class FourierBasis:
    """The lowest real Fourier functions of a circle, on the bins of a trial.

    Attributes:
        T: Bins of the trial.
        minlens: Shortest length scale (bins) that is to be represented.
        pad: Bins of the circle beyond the trial: a whole number, a share of T (float), or "auto" for 4 ``minlens``.
        condthresh: Frequencies stay whose prior variance at ``minlens`` is at least the largest one over this.
    """

    T: int
    minlens: float = 10.0
    pad: float | int | Literal["auto"] = "auto"
    condthresh: float = 1e8

    @property
    def Tc(self) -> int:
        """Bins of the circle."""
        if isinstance(self.pad, str):
            return self.T + math.ceil(4 * self.minlens)
        return self.T + (self.pad if isinstance(self.pad, int) else math.ceil(self.pad * self.T))

    @property
    def kmax(self) -> int:
        """Highest number of waves on the circle."""
        wanted = self.Tc / (math.pi * self.minlens) * math.sqrt(0.5 * math.log(self.condthresh))
        return min(math.floor(wanted), (self.Tc - 1) // 2)

    @property
    def F(self) -> int:
        """Number of functions: a constant, then cosines, then sines."""
        return 2 * self.kmax + 1

    @cached_property
    def w(self) -> Float[np.ndarray, " F"]:
        """Angular frequency of each function, rad/bin."""
        waves = np.arange(1, self.kmax + 1)
        return 2 * np.pi / self.Tc * np.concatenate([[0], waves, waves])

    @cached_property
    def B(self) -> Float[np.ndarray, "F T"]:
        """The functions on the bins of the trial; orthonormal on the whole circle."""
        angle = self.w[1 : self.kmax + 1, None] * np.arange(self.T)
        waves = math.sqrt(2 / self.Tc) * np.concatenate([np.cos(angle), np.sin(angle)])
        return np.concatenate([np.full((1, self.T), 1 / math.sqrt(self.Tc)), waves])

    def to_time(self, zf: Float[Array, "*batch F"]) -> Float[Array, "*batch T"]:
        """The course of coefficients over the bins."""
        if self.T <= LONG:
            return zf @ jnp.asarray(self.B, zf.dtype)
        constant, waves = math.sqrt(self.Tc) * zf[..., :1], math.sqrt(self.Tc / 2) * zf[..., 1:]
        real = jnp.concatenate([constant, waves[..., : self.kmax]], axis=-1)
        imaginary = jnp.concatenate([jnp.zeros_like(constant), -waves[..., self.kmax :]], axis=-1)
        return jnp.fft.irfft(lax.complex(real, imaginary), n=self.Tc)[..., : self.T]

    def project(self, z: Float[Array, "*batch T"]) -> Float[Array, "*batch F"]:
        """The smallest coefficients of which a course over the bins is made, by least squares."""
        return z @ jnp.asarray(np.linalg.pinv(self.B, rcond=1e-4), z.dtype)

    def prior_var(self, ell: Any, rho: Any = 1.0, alpha: Any = 0.0) -> Float[Array, "*batch F"]:
        """Prior variance c of each coefficient.

        Args:
            ell: (...) length scales, bins.
            rho: (...) marginal variances.
            alpha: Added to each.
        """
        ell = jnp.asarray(ell)[..., None]
        w = jnp.asarray(self.w, ell.dtype)
        return jnp.asarray(rho, ell.dtype)[..., None] * math.sqrt(2 * math.pi) * ell * jnp.exp(
            -0.5 * (w * ell) ** 2
        ) + jnp.asarray(alpha, ell.dtype)

    def kernel_error(self, ell: float) -> float:
        """Largest difference between the covariance of unit variance that is meant and the one of the basis."""
        c = math.sqrt(2 * math.pi) * ell * np.exp(-0.5 * (self.w * ell) ** 2)
        lag = np.subtract.outer(np.arange(self.T), np.arange(self.T))
        return float(np.abs(np.exp(-0.5 * (lag / ell) ** 2) - (self.B.T * c) @ self.B).max())
