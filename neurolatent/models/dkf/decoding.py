"""Beliefs of every bin: by the discriminative filter, or by the regressor's own filter where it has one."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Bool

from neurolatent.compiling import compiled
from neurolatent.models.dkf.filtering import Decoded, Measured, decode, decode_moving, in_units, scaled_dynamics
from neurolatent.models.dkf.measuring import scaled_rows
from neurolatent.models.dkf.params import DKFParams
from neurolatent.models.dkf.selection import DKFData
from neurolatent.models.regressors import HasOwnFilter, Regressor
from neurolatent.ops.kalman import Filtered
from neurolatent.ops.kalman_smoother import smooth


def decoded(choices: Any, regressor: Regressor, params: DKFParams, data: DKFData, measured: Measured) -> Decoded:
    """Filtered and smoothed beliefs of every bin, in units of the target, centred."""
    if isinstance(regressor, HasOwnFilter):
        return own_decoded(choices, regressor, params, data, measured.heard)
    return discriminated(choices, params, measured)


def discriminated(choices: Any, params: DKFParams, measured: Measured) -> Decoded:
    """The same by the discriminative filter, whether the state moves linearly or not."""
    if choices.motion is None:
        return decode(choices.how, params.state, measured)
    return decode_moving(choices.how, choices.motion, params.state, params.scaling.target_centre, measured)


def own_decoded(
    choices: Any,
    regressor: HasOwnFilter,
    params: DKFParams,
    data: DKFData,
    heard: Bool[np.ndarray, "sequences time"],
) -> Decoded:
    """The regressor's own beliefs; the state moves linearly, so that its smoother is that of a Kalman filter."""
    x = np.zeros(data.x.shape)
    x[heard] = scaled_rows(params.scaling, data.x[heard], choices.saturate)
    scale = params.scaling.target_scale
    dynamics = scaled_dynamics(params.state, scale)
    found = regressor.filtered(params.regressor, dynamics, x, heard)
    means, covs = _smoothed(found.filtered, dynamics.transition)
    whole = Decoded(found.filtered, np.asarray(means), np.asarray(covs), np.zeros(heard.shape, bool), found.effective)
    return in_units(whole, scale, np.outer(scale, scale))


@compiled(runs_once=True)
def _smoothed(filtered: Filtered, transition: Any) -> tuple[Any, Any]:
    whole = jax.vmap(lambda one: smooth(one, transition))(filtered)
    return whole.mean, whole.cov
