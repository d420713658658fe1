"""What no DKF can be, whatever the data."""

from typing import Any, get_args

from neurolatent.checks import InputError, at_least, one_of, positive, whole_number
from neurolatent.models.dkf.state import Stationary
from neurolatent.models.regressors import LSTM, HasOwnFilter, as_regressor


def refuse_contradictions(model: Any, rules: list[str]) -> None:
    """Refuse fields that are out of range or do not go together.

    Raises:
        InputError: The message names the field, its value and what to do.
    """
    if model.target == model.inputs:
        raise InputError(f"target and inputs must be different signals, got {model.target!r} for both")
    one_of("on_indefinite", model.on_indefinite, rules)
    one_of("start", model.start, ("prior", "first"))
    one_of("noise", model.noise, ("constant", "nw"))
    one_of("stationary", model.stationary, get_args(Stationary))
    one_of("partly_missing", model.partly_missing, ("predict", "refuse"))
    for name in ("bins_before", "bins_after"):
        whole_number(name, getattr(model, name), 0)
    positive("process_scale", model.process_scale)
    for name in ("noise_bandwidth", "saturate", "outlier"):
        if getattr(model, name) is not None:
            positive(name, getattr(model, name))
    if model.noise_guard is not None:
        at_least("noise_guard", model.noise_guard, 0.0)
    _refuse_regressor(model)


def _refuse_regressor(model: Any) -> None:
    regressor = as_regressor(model.regressor)
    window = model.bins_before + 1 + model.bins_after
    if isinstance(model.regressor, LSTM) and model.regressor.bins != window:
        raise InputError(f"the LSTM reads {model.regressor.bins} bins and the model shows it {window}: set bins_before")
    if model.motion is not None and isinstance(regressor, HasOwnFilter):
        raise InputError(
            f"{model.regressor} has a filter of its own, in which the state moves linearly: leave motion out"
        )
