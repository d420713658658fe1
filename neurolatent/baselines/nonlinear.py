"""Filters of a nonlinear observation, behind the same fit and predict as the model that they are compared with.

All three learn how the inputs follow from the state, by a small network with Gaussian noise, and differ in how they
turn it round; state model, scaling, calibration and report are those of the DKF.
"""

from typing import Any

from neurolatent.models.dkf import DKF
from neurolatent.models.regressors import NetworkObservation


def extended_kalman(target: str, inputs: str | None = None, **choices: Any) -> DKF:
    """The extended Kalman filter: the network is linearised at each prediction.

    Args:
        target: Signal that is decoded.
        inputs: Signal it is decoded from; None takes the only other signal.
        choices: Other fields of :class:`neurolatent.models.dkf.DKF`.
    """
    return DKF(target, inputs, regressor=NetworkObservation("ekf"), **choices)


def unscented_kalman(target: str, inputs: str | None = None, **choices: Any) -> DKF:
    """The unscented Kalman filter: the network is asked at points around each prediction; arguments as above."""
    return DKF(target, inputs, regressor=NetworkObservation("ukf"), **choices)


def particle(target: str, inputs: str | None = None, *, particles: int = 1000, **choices: Any) -> DKF:
    """The bootstrap particle filter, with systematic resampling; it tells how many particles count in each bin."""
    return DKF(target, inputs, regressor=NetworkObservation("particle", particles=particles), **choices)
