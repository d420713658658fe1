"""From rows of inputs to what they say of the state: scaling, doubtful bins, regression, noise."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from neurolatent.models.dkf.filtering import Measured
from neurolatent.models.dkf.noise import noise_at
from neurolatent.models.dkf.params import DKFParams, Scaling
from neurolatent.models.dkf.selection import DKFData
from neurolatent.models.regressors import Regressor


def learn_scaling(data: DKFData, *, standardise: bool, centre: bool) -> Scaling:
    """Means and standard deviations of the training rows."""
    x, z = data.x[data.heard], data.z[data.known]
    middle = z.mean(axis=0) if centre else np.zeros(z.shape[1])
    plain = np.zeros(x.shape[1]), np.ones(x.shape[1])
    inputs = (x.mean(axis=0), x.std(axis=0)) if standardise else plain
    return Scaling(*inputs, middle, z.std(axis=0), np.asarray(1.0))


def scaled_rows(
    scaling: Scaling, x: Float[np.ndarray, "rows inputs"], saturate: float | int | None
) -> Float[np.ndarray, "rows inputs"]:
    """Rows as the regression sees them, held within ``saturate`` standard deviations where that is asked for."""
    rows = (x - scaling.input_centre) / scaling.input_scale
    return rows if saturate is None else np.clip(rows, -saturate, saturate)


def trusted(
    scaling: Scaling, x: Float[np.ndarray, "rows inputs"], outlier: float | int | None
) -> Bool[np.ndarray, " rows"]:
    """Rows without a channel further than ``outlier`` standard deviations from its mean."""
    if outlier is None:
        return np.ones(len(x), bool)
    return np.all(np.abs(x - scaling.input_centre) <= outlier * scaling.input_scale, axis=1)


def measure(params: DKFParams, data: DKFData, choices: Any, regressor: Regressor) -> Measured:
    """What the regression says of every bin, in units of the target, centred; doubtful bins are not heard."""
    heard = np.asarray(data.heard).copy()
    heard[heard] = trusted(params.scaling, data.x[heard], choices.outlier)
    rows = scaled_rows(params.scaling, data.x[heard], choices.saturate)
    size = len(params.scaling.target_scale)
    mean = np.zeros((*heard.shape, size))
    mean[heard] = regressor.predict(params.regressor, rows) * params.scaling.target_scale
    if np.isnan(params.noise.bandwidth):
        return Measured(mean, params.noise.mean, heard)
    noise = np.broadcast_to(params.noise.mean, (*heard.shape, size, size)).copy()
    noise[heard] = noise_at(params.noise, rows, choices.guard_count(size))
    return Measured(mean, noise, heard)
