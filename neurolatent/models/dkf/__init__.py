"""Discriminative Kalman filter: any regression from observation to state, filtered in closed form."""

from neurolatent.models.dkf.model import DKF
from neurolatent.models.dkf.params import DKFParams, Noise, Scaling, StateDraws, StateModel
from neurolatent.models.dkf.state_prior import StatePrior

__all__ = ["DKF", "DKFParams", "Noise", "Scaling", "StateDraws", "StateModel", "StatePrior"]
