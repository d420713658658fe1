"""What the DKF learns. All in units of the target, centred, but what the regression holds: it sees scaled rows."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float


class Scaling(NamedTuple):
    """How rows are scaled before the regression sees them, by the training rows."""

    input_centre: Float[np.ndarray, " inputs"]  # mean of each channel
    input_scale: Float[np.ndarray, " inputs"]  # standard deviation of each channel
    target_centre: Float[np.ndarray, " feature"]
    target_scale: Float[np.ndarray, " feature"]  # standard deviation; results are in the target's units
    spread: Float[np.ndarray, ""]  # factor of all decoded covariances that a calibration found; 1 without


class StateModel(NamedTuple):
    r"""The law of the state: :math:`z_t \sim N(A z_{t-1}, \Gamma)`, with covariance :math:`S` in the long run."""

    transition: Float[np.ndarray, "feature feature_to"]  # A: row i is what output i is made of
    innovation: Float[np.ndarray, "feature feature_to"]  # Gamma
    stationary: Float[np.ndarray, "feature feature_to"]  # S


class StateDraws(NamedTuple):
    """What is drawn of the state model; all else is the same under every draw."""

    transition: Float[np.ndarray, "*draws feature feature_to"]  # A
    innovation: Float[np.ndarray, "*draws feature feature_to"]  # Gamma


class Noise(NamedTuple):
    """How far the regression is off: a constant covariance, or one that depends on the inputs."""

    mean: Float[np.ndarray, "feature feature_to"]  # mean outer product of the residuals
    bandwidth: Float[np.ndarray, ""]  # h^2; NaN where the noise is constant
    inputs: Float[np.ndarray, "noise_point inputs"]  # scaled; no rows where it is constant
    residuals: Float[np.ndarray, "noise_point feature"]  # in units of the target


class DKFParams(NamedTuple):
    """All that is learned."""

    scaling: Scaling
    state: StateModel
    noise: Noise
    regressor: Any  # the NamedTuple of the regressor that was chosen
