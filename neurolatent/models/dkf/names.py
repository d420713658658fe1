"""Names of what is learned and decoded: dimensions, labels, and parameters from a file."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from neurolatent.checks import InputError
from neurolatent.models.dkf.params import DKFParams, Noise, Scaling, StateDraws, StateModel
from neurolatent.models.regressors import Regressor

GROUPS: dict[str, type[NamedTuple]] = {"scaling": Scaling, "state": StateModel, "noise": Noise}


def dimensions() -> dict[str, tuple[str, ...]]:
    """Dimensions of parameters and latent quantities, after draws, or after sequence and time."""
    found: dict[str, tuple[str, ...]] = {}
    for group, kind in GROUPS.items():
        for name, annotation in kind.__annotations__.items():
            found[f"{group}.{name}"] = tuple(annotation.dim_str.split())
    found |= {name: ("feature", "feature_to") for name in StateDraws._fields}
    for name in ("filtered", "smoothed", "predicted", "regressed"):
        found |= {
            f"{name}_mean": ("feature",),
            f"{name}_sd": ("feature",),
            f"{name}_cov": ("feature", "feature_to"),
        }
    return found


def coordinates(target: list[str], inputs: list[str], before: int, after: int) -> dict[str, list[Any]]:
    """Labels of outputs and of the inputs of a bin and its neighbours."""
    shifts = range(-before, after + 1)
    columns = [n if shift == 0 else f"{n} bin {shift:+d}" for shift in shifts for n in inputs]
    return {"feature": target, "feature_to": target, "inputs": columns}


def params_from(values: Mapping[str, Any], regressor: Regressor) -> DKFParams:
    """Parameters from their names with dots.

    Raises:
        InputError: A group is missing.
    """
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, value in values.items():
        group, _, leaf = str(name).partition(".")
        groups.setdefault(group, {})[leaf] = np.asarray(value, float)
    missing = [group for group in DKFParams._fields if group not in groups]
    if missing:
        raise InputError(f"parameters of the DKF: {missing[0]!r} is missing. Given: {sorted(values)}")
    parts = (Scaling(**groups["scaling"]), StateModel(**groups["state"]), Noise(**groups["noise"]))
    return DKFParams(*parts, regressor.restored(groups["regressor"]))
