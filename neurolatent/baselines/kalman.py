"""The Kalman filter behind the same fit and predict as the model that it is compared with."""

from typing import Any

from neurolatent.models.dkf import DKF
from neurolatent.models.regressors import LinearObservation


def kalman(target: str, inputs: str | None = None, **choices: Any) -> DKF:
    """The Kalman filter: a DKF that learns how the inputs follow from the state, instead of the reverse.

    Observation matrix by least squares without an intercept, noise the mean outer product of what is left, start at the
    stationary law; the arithmetic is the Kalman filter's to rounding (tests/models/dkf/test_kalman.py).

    Args:
        target: Signal that is decoded.
        inputs: Signal it is decoded from; None takes the only other signal.
        choices: Other fields of :class:`neurolatent.models.dkf.DKF`, such as ``process_scale`` or ``stationary``.
    """
    return DKF(target, inputs, regressor=LinearObservation(), **choices)
