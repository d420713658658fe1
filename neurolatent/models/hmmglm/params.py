"""What is learned; fields that a model's choices leave out have size zero."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float

if TYPE_CHECKING:
    Floats = Any  # NumPy on the host, JAX inside programs: both are meant
else:
    Floats = Array | np.ndarray

Several = Float[Floats, "*any"]  # (*draws, ...), or (*draws, 0) where the model does not have it


class HMMGLMParams(NamedTuple):
    """Everything that is learned; each engine reads and returns this tuple.

    A target is a neuron, a class of the choice besides the first, or a channel. A regressor is the filtered history of
    a neuron, or a covariate.
    """

    initial: Float[Floats, "*draws states"]  # sums to one; at the first bin or trial of a sequence
    transition: Float[Floats, "*draws states states"]  # [from, to], rows sum to one; with inputs: where they are zero
    weights: Float[Floats, "*draws states targets regressors"]  # [state, to, from]; the effective ones
    bias: Float[Floats, "*draws states targets"]  # equal in all states where it is shared
    taps: Several  # (states, targets, lags): a neuron's own history, where self_coupling is free or shared
    noise: Several  # (states, targets): standard deviations of Gaussian targets
    kernel: Several  # (lags,): the learned history kernel, on the simplex; the first one acts at lag 1
    centre: Several  # (targets, regressors): mean of the weights over states under a hierarchical prior
    spread: Several  # (): their standard deviation around it
    connectome: Several  # (targets, regressors, types): A0, probabilities of inhibitory, none, excitatory
    types: Several  # (states, targets, regressors, types): the same for each state
    strength: Several  # (states, targets, regressors): size of the weight if it is not "none"
    lapse: Several  # (states, sides): probabilities of choosing 1, and of choosing 0, whatever the covariates
    drive: Several  # (states, inputs): effect of the inputs on going to a state


TYPES = ("inhibitory", "none", "excitatory")
SIDES = ("towards 1", "towards 0")
PER_STATE = ("initial", "weights", "bias", "taps", "noise", "types", "strength", "lapse", "drive")


def permuted(params: HMMGLMParams, order: np.ndarray) -> HMMGLMParams:
    """The parameters with state ``order[i]`` become state i."""
    moved = {
        name: np.asarray(leaf)[order] for name, leaf in params._asdict().items() if name in PER_STATE and np.size(leaf)
    }
    return params._replace(transition=np.asarray(params.transition)[order][:, order], **moved)


def matched(cost: np.ndarray) -> np.ndarray:
    """The order that pairs rows with columns at the least total cost: column ``order[i]`` belongs to row i."""
    from scipy.optimize import linear_sum_assignment  # slow to import, and only some results need it

    return linear_sum_assignment(cost)[1]
