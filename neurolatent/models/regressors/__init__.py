"""Regressions from an observation to the state: ours are choices and arrays; scikit-learn's plug in as they are."""

from neurolatent.models.regressors.foreign import Foreign, as_regressor
from neurolatent.models.regressors.gaussian_process import GaussianProcess
from neurolatent.models.regressors.linear_observation import LinearObservation
from neurolatent.models.regressors.lstm import LSTM
from neurolatent.models.regressors.mlp import MLP
from neurolatent.models.regressors.multiple_kernel import MultipleKernel
from neurolatent.models.regressors.nadaraya_watson import NadarayaWatson
from neurolatent.models.regressors.neighbours import Neighbours
from neurolatent.models.regressors.network_observation import NetworkObservation
from neurolatent.models.regressors.protocol import HasOwnFilter, Regressor
from neurolatent.models.regressors.ridge import RidgeRegression

# Names that recipes and saved files use.
REGRESSORS: dict[str, type] = {
    "ridge": RidgeRegression,
    "nw": NadarayaWatson,
    "knn": Neighbours,
    "gp": GaussianProcess,
    "mlp": MLP,
    "multiple_kernel": MultipleKernel,
    "lstm": LSTM,
    "linear_observation": LinearObservation,  # the Kalman filter
    "network_observation": NetworkObservation,  # the extended and the unscented Kalman filter, the particle filter
}

__all__ = [
    "LSTM",
    "MLP",
    "REGRESSORS",
    "Foreign",
    "GaussianProcess",
    "HasOwnFilter",
    "LinearObservation",
    "MultipleKernel",
    "NadarayaWatson",
    "Neighbours",
    "NetworkObservation",
    "Regressor",
    "RidgeRegression",
    "as_regressor",
]
