"""What parameters and latent quantities of an ARPHMM are called, and what their dimensions hold."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurolatent.checks import InputError
from neurolatent.models.arphmm.params import ARPHMMParams
from neurolatent.recording import Recording

# After draws, or after sequence and time.
DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "initial": ("state",),
    "transition": ("state", "state_to"),
    "advance": ("state",),
    "coefficients": ("state", "feature", "regressor"),
    "covariance": ("state", "feature", "feature_to"),
    "filtered": ("state",),
    "smoothed": ("state",),
    "predicted_mean": ("feature",),
    "predicted_sd": ("feature",),
    "residual": ("feature",),
    "belief": ("place",),
    "ends": ("place",),
    "occupancy": ("place",),
}


def coordinates(model: Any, recording: Recording) -> Mapping[str, list[Any]]:
    """Labels: state numbers, channel names, lags, and the places of the chain."""
    signal = recording.signal(model.signal_of(recording))
    names = list(model.channels) or signal.names or [str(i) for i in range(signal.values[0].size)]
    regressors = [f"{n} lag {lag}" for lag in range(1, model.order + 1) for n in names] + ["intercept"]
    states, parts = model.state_names(), range(model.n_substates)
    places = states if model.n_substates == 1 else [f"{s}.{i + 1}" for s in states for i in parts]
    return {
        "state": states,
        "state_to": states,
        "feature": names,
        "feature_to": names,
        "regressor": regressors,
        "place": places,
    }


def params_from(values: Mapping[str, Any]) -> ARPHMMParams:
    """Parameters from their names; ``advance`` follows from the transitions where it is not given."""
    missing = [f for f in ARPHMMParams._fields if f not in values and f != "advance"]
    if missing:
        raise InputError(f"parameters of the ARPHMM: {missing[0]!r} is missing. Given: {sorted(values)}")
    arrays = {name: np.asarray(values[name], float) for name in ARPHMMParams._fields if name in values}
    arrays.setdefault("advance", 1 - np.diagonal(arrays["transition"], axis1=-2, axis2=-1))
    return ARPHMMParams(**arrays)
