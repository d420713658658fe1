"""Which coefficients there are: held at zero, free, or shared by the states; and how many numbers that makes."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.families import Categorical
from neurolatent.models.hmmglm.params import HMMGLMParams


class Layout(NamedTuple):
    """What the coefficients of one target are, the same for all states; compiled in."""

    free: Bool[np.ndarray, "targets coefficients"]  # False: held at zero
    common: Bool[np.ndarray, "targets coefficients"]  # shared by all states


def n_groups(model: Any, data: HMMGLMData) -> int:
    """Groups of targets that a Newton step treats together: the classes of a choice, else each for itself."""
    return 1 if isinstance(model.family, Categorical) else data.y.shape[-1]


def free_weights(model: Any, data: HMMGLMData) -> Bool[np.ndarray, "targets regressors"]:
    """Mask of the weights that are not held at zero."""
    targets, basis = data.y.shape[-1], model.kernel.basis()
    functions = 1 if model.learns_kernel else basis.shape[1]
    free = np.ones((targets, functions * targets + n_covariates(model, data)), bool)
    if model.self_coupling != "none":
        for function in range(functions):
            free[np.arange(targets), function * targets + np.arange(targets)] = False
    return free


def n_covariates(model: Any, data: HMMGLMData) -> int:
    """Regressors after those of the history."""
    return data.x.shape[-1] - model.kernel.basis().shape[1] * data.y.shape[-1]


def layout_of(model: Any, data: HMMGLMData) -> Layout:
    """What the coefficients of one target are: own lags, regressors, bias."""
    free = free_weights(model, data)
    lags = np.ones((len(free), data.own.shape[-1]), bool)
    one = np.ones((len(free), 1), bool)
    tied = (lags & (model.self_coupling == "shared"), np.zeros_like(free), one & (model.bias == "shared"))
    tied = [part if model.n_states > 1 else np.zeros_like(part) for part in tied]
    return Layout(np.concatenate([lags, free, one], axis=1), np.concatenate(tied, axis=1))


def n_parameters(model: Any, params: HMMGLMParams) -> int:
    """Chain, coefficients (shared ones once, zeros not), noise, lapses, inputs, kernel; hyperparameters not."""
    states = model.n_states
    chain = states**2 - 1 if model.learn_initial else states * (states - 1)
    once = {"bias": model.bias == "shared", "taps": model.self_coupling == "shared"}
    counts = [np.size(getattr(params, n)) // (states if tied else 1) for n, tied in once.items()]
    own = sum(np.size(getattr(params, name)) for name in ("noise", "lapse", "drive"))
    return chain + sum(counts) + own + int(np.count_nonzero(params.weights)) + max(np.size(params.kernel) - 1, 0)
