r"""How sure the coefficients are, given the states: the inverse of the curvature of EM's expected objective.

.. math:: H = X^T diag(\gamma \cdot information) X + \Lambda, \qquad se = \sqrt{diag(H^{-1})}.

The states enter by their probabilities :math:`\gamma`, as if these were known: where states are told apart badly the
errors are too small. Draws of the posterior (NUTS) do not have this fault.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from neurolatent.compiling import compiled
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.inference import coefficients, with_coefficients
from neurolatent.models.hmmglm.layout import layout_of
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.rows import totals
from neurolatent.models.hmmglm.update import quadratic_of, rows_of


def standard_errors(model: Any, params: HMMGLMParams, data: HMMGLMData, smoothed: ArrayLike) -> HMMGLMParams:
    """Standard errors in the place of bias, weights and taps; NaN where held at zero, and for all other parameters."""
    found = jax.device_get(_curvature(model, params, data, jnp.asarray(smoothed)))
    information, precision = (np.asarray(leaf) for leaf in found)
    layout = layout_of(model, data)
    free, common = (np.asarray(mask).reshape(information.shape[1], -1) for mask in layout)
    if np.size(params.types):  # a one-hot weight of the type "none" is zero by decision, not by estimate
        weights, lags = np.asarray(params.weights), np.asarray(params.taps).shape[-1] if np.ndim(params.taps) > 1 else 0
        kept = np.broadcast_to(layout.free, (len(weights), *layout.free.shape)).copy()
        kept[..., lags:-1] &= weights != 0
        free = kept.reshape(len(weights), *free.shape)
    variance = [
        _variances(information[:, g], precision[:, g], np.broadcast_to(free, precision.shape)[:, g], common[g])
        for g in range(information.shape[1])
    ]
    shape = np.shape(coefficients(params))
    errors = np.sqrt(np.stack(variance, axis=1)).reshape(shape)
    unknown = HMMGLMParams(*(np.full(np.shape(leaf), np.nan) for leaf in params))
    return HMMGLMParams(*map(np.asarray, with_coefficients(unknown, jnp.asarray(errors))))


def _variances(information: np.ndarray, precision: np.ndarray, free: np.ndarray, common: np.ndarray) -> np.ndarray:
    """(states, coefficients) of one group of targets; what the states share stands once in the matrix."""
    states, size = precision.shape
    place = np.arange(states * size).reshape(states, size)
    place[:, common] = place[0, common]
    used = np.unique(place[free])
    whole = np.zeros((states * size, states * size))
    for state in range(states):
        whole[np.ix_(place[state], place[state])] += information[state] + np.diag(precision[state])
    out = np.full(states * size, np.nan)
    out[used] = np.diag(np.linalg.inv(whole[np.ix_(used, used)]))
    return out[place]


@compiled(static=(0,))
def _curvature(
    model: Any, params: HMMGLMParams, data: HMMGLMData, smoothed: Array
) -> tuple[Float[Array, "states groups coefficients coefficients"], Float[Array, "states groups coefficients"]]:
    rows = rows_of(model, params, data, smoothed)
    found = totals(model.family, coefficients(params), params.noise, rows).information
    precision = quadratic_of(model, params, data, use_prior=True).precision
    return found, precision.reshape(found.shape[:3])
