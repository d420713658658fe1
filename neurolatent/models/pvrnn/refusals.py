"""What no PV-RNN can be, whatever the data."""

from typing import Any

import numpy as np

from neurolatent.checks import InputError, at_least, one_of, positive
from neurolatent.models.pvrnn.layer import Layer

CHOICES = {
    "normalise": ("paper", "bins", "none"),
    "posterior_form": ("state", "free"),
    "connect": ("topdown", "both"),
    "prior_first": ("unit", "learned"),
    "adaptive_start": ("zero", "normal", "prior"),
}


def refuse_choices(model: Any) -> None:
    """Refuse fields that are out of range or do not go together.

    Raises:
        InputError: The message names the field, its value and what to do.
    """
    if not model.layers or not all(isinstance(layer, Layer) for layer in model.layers):
        raise InputError(f"layers must be one Layer or more, lowest first, got {model.layers!r}")
    for name, known in CHOICES.items():
        one_of(name, getattr(model, name), known)
    for name in ("w", "w_first"):
        given = getattr(model, name)
        if given is None:
            continue
        if np.size(given) not in (1, len(model.layers)):
            raise InputError(f"{name}: one number, or one for each of the {len(model.layers)} layers, got {given}")
        for value in given if isinstance(given, tuple) else (given,):
            at_least(name, value, 0.0)
    if model.prior_first == "learned" and model.w_first not in (None, model.w):
        raise InputError("w_first belongs to prior_first='unit': the learned prior has w at all steps. Leave it out.")
    if model.weight_sd is not None:
        positive("weight_sd", model.weight_sd)
