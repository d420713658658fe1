r"""How the state moves, from training rows whose state is known.

:math:`A = \arg\min \sum |z_t - A z_{t-1}|^2`, :math:`\Gamma` the mean outer product of what is left, and :math:`S`
either the sample covariance or the solution of :math:`S = A S A^T + \Gamma`.

Reference: Burkhart et al. (2020), Neural Computation 32(5):969-1017, and their released code.
"""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import solve_discrete_lyapunov

from neurolatent.checks import InputError
from neurolatent.models.dkf.params import StateModel

Stationary = Literal["consistent", "empirical", "lyapunov"]
ENOUGH = 10  # pairs for each of the d^2 coefficients, below which they are shrunk
SHRINKAGE = 1e-2  # ridge then, relative to the mean square of the state. Ours
INSIDE = 0.999  # spectral radius after stabilising


def learn_state(
    z: Float[np.ndarray, "sequences time feature"],
    known: Bool[np.ndarray, "sequences time"],
    *,
    stationary: Stationary,
    stabilise: bool,
) -> StateModel:
    """The state model of centred sequences; only neighbours inside a sequence that are both known count.

    Args:
        stationary: ``empirical`` takes the sample covariance and the residuals' covariance; ``lyapunov`` solves for the
            first from the second; ``consistent`` takes the sample covariance and sets the innovation to S - A S A^T,
            where that is a covariance, else ``lyapunov``.

    Raises:
        InputError: A spectral radius of 1 or more, unless it is to be stabilised.
    """
    paired = known[:, 1:] & known[:, :-1]
    before, after = z[:, :-1][paired], z[:, 1:][paired]
    transition = regress(before, after)
    radius = float(np.abs(np.linalg.eigvals(transition)).max())
    if radius >= 1:
        if not stabilise:
            raise InputError(
                f"the state grows without bound: the spectral radius of its transition is {radius:.4g}, and below 1 is "
                "needed. Leave out outputs such as positions that do not return, or set stabilise=True."
            )
        transition = transition * (INSIDE / radius)
    left = after - before @ transition.T
    innovation = left.T @ left / len(left)
    sample = np.cov(z[known], rowvar=False).reshape(innovation.shape)
    consistent = sample - transition @ sample @ transition.T
    if stationary == "consistent" and np.linalg.eigvalsh(consistent).min() > 0:
        return StateModel(transition, consistent, sample)
    if stationary == "empirical":
        return StateModel(transition, innovation, sample)
    return StateModel(transition, innovation, solve_discrete_lyapunov(transition, innovation))


def regress(
    before: Float[np.ndarray, "pairs feature"], after: Float[np.ndarray, "pairs feature"]
) -> Float[np.ndarray, "feature feature"]:
    """Coefficients of the later rows on the earlier ones, shrunk where the pairs are few."""
    size = before.shape[1]
    gram = before.T @ before
    if len(before) < ENOUGH * size**2:
        gram = gram + SHRINKAGE * np.diag(np.diag(gram))
    return np.linalg.solve(gram, before.T @ after).T
