"""Models of the family by their own names: each returns a GPVAE."""

from typing import Any

from neurolatent.models.gpvae.model import GPVAE


def GPFA(n_latents: int, **choices: Any) -> GPVAE:  # noqa: N802 - it reads as the model that it makes
    """Gaussian-process factor analysis: spikes alone, loadings and Gaussian processes; Poisson unless said otherwise.

    With ``neural_likelihood="normal"`` on square roots of counts it is the classical one (Yu et al. 2009).

    Args:
        n_latents: Number of latents.
        choices: Other fields of :class:`GPVAE`, such as ``lengthscale`` or ``signal``.
    """
    return GPVAE(n_neural=n_latents, **choices)
