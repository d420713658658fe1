r"""The state model re-tuned on recordings whose state is not known: EM, with what every bin says held fixed.

A bin's information is that of a Kalman filter with observation matrix I (:mod:`neurolatent.ops.indefinite`), so this is
EM of a linear Gaussian state:

.. math:: A = C B^{-1}, \qquad \Gamma = \frac1N (D - A C^T - C A^T + A B A^T), \qquad
    B = \sum E[z_{t-1} z_{t-1}^T], \quad C = \sum E[z_t z_{t-1}^T], \quad D = \sum E[z_t z_t^T],

the sums over all N pairs of neighbours inside their sequences. The evidence never falls. The long-run covariance
:math:`S`, under which the regression speaks, and with it the law of the first bin stay what they are.

Reference: Shumway and Stoffer (1982), Journal of Time Series Analysis 3(4):253-264. Its use on a discriminative filter
is ours.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from neurolatent.checks import InputError
from neurolatent.compiling import compiled
from neurolatent.models.dkf.filtering import How, Measured, information, scaled
from neurolatent.models.dkf.params import StateModel
from neurolatent.ops.kalman import Dynamics, kalman_filter
from neurolatent.ops.kalman_smoother import smooth

LEAST_BINS = 10  # heard bins wanted for each coefficient of the transition


class Retuned(NamedTuple):
    """What EM found, and how it came there."""

    state: StateModel
    log_evidence: Float[np.ndarray, " rounds"]  # nats, at the state model that entered each round; the last is final
    converged: bool


def retune(
    how: How,
    state: StateModel,
    measured: Measured,
    inside: Bool[np.ndarray, "sequences time"],
    *,
    rounds: int,
    tolerance: float,
) -> Retuned:
    """The state model at which the evidence of the measured bins stands still.

    Args:
        inside: Bins of each sequence, the padding left out.
        rounds: At most.
        tolerance: Relative change of the evidence that counts as none.

    Raises:
        InputError: Too few bins.
    """
    needed, heard = LEAST_BINS * len(state.transition) ** 2, int(np.sum(measured.heard))
    if heard < needed:
        raise InputError(f"{heard} bins with inputs, but at least {needed} are needed to re-tune how the state moves")
    scale, dynamics, within = scaled(state, measured)
    paired = jnp.asarray(inside[:, 1:] & inside[:, :-1])
    trace: list[float] = []
    converged = False
    for _ in range(rounds + 1):
        following, evidence = _round(how, dynamics, within, paired)
        trace.append(float(evidence))
        converged = len(trace) > 1 and abs(trace[-1] - trace[-2]) <= tolerance * max(abs(trace[-1]), 1.0)
        if converged or len(trace) > rounds:
            break
        dynamics = following
    transition = np.asarray(dynamics.transition) * (scale[:, None] / scale)
    innovation = np.asarray(dynamics.innovation) * np.outer(scale, scale)
    found = state._replace(transition=transition, innovation=innovation)
    return Retuned(found, np.asarray(trace), converged)


@compiled(static=(0,))
def _round(how: How, dynamics: Dynamics, measured: Measured, paired: Array) -> tuple[Dynamics, Array]:
    """The dynamics after one update, and the evidence before it."""
    one = lambda mean, noise, heard, pairs: _moments(how, dynamics, Measured(mean, noise, heard), pairs)  # noqa: E731
    axes = (0, None if measured.noise.ndim == 2 else 0, 0, 0)
    before, crossed, now, evidence = (part.sum(axis=0) for part in jax.vmap(one, in_axes=axes)(*measured, paired))
    transition = jnp.linalg.solve(before, crossed.T).T
    left = now - transition @ crossed.T - crossed @ transition.T + transition @ before @ transition.T
    innovation = 0.5 * (left + left.T) / paired.sum()
    return dynamics._replace(transition=transition, innovation=innovation), evidence


def _moments(how: How, dynamics: Dynamics, measured: Measured, paired: Array) -> tuple[Array, Array, Array, Array]:
    """Sums over the pairs of one sequence, given all its bins, and its evidence."""
    said, _ = information(how, dynamics.cov, measured)
    filtered = kalman_filter(dynamics, said.seen)
    whole = smooth(filtered, dynamics.transition)
    square = whole.cov + jnp.einsum("ti,tj->tij", whole.mean, whole.mean)
    crossed = whole.lagged_cov + jnp.einsum("ti,tj->tij", whole.mean[1:], whole.mean[:-1])
    over = lambda moments: jnp.einsum("t,tij->ij", paired.astype(moments.dtype), moments)  # noqa: E731
    evidence = jnp.sum(jnp.where(measured.heard, filtered.log_increments + said.log_factor, 0.0))
    return over(square[:-1]), over(crossed), over(square[1:]), evidence
