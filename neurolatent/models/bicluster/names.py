"""Names of what a draw holds, of the dimensions, and of the places along them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurolatent.checks import InputError
from neurolatent.models.bicluster import concentrations
from neurolatent.models.bicluster.params import BiclusterParams
from neurolatent.recording import Recording

WHOLE = ("label", "state")
DIMENSIONS: dict[str, tuple[str, ...]] = {
    "label": ("neuron",),
    "state": ("bin",),
    "offset": ("neuron",),
    "loadings": ("neuron", "factor"),
    "dispersion": ("neuron",),
    "trajectories": ("cluster", "bin", "coordinate"),
    "transition": ("state_number", "cluster", "coordinate", "coordinate_from"),
    "shift": ("state_number", "cluster", "coordinate"),
    "innovation": ("state_number", "cluster", "coordinate", "coordinate_from"),
    "weights": ("state_number",),
    "jumps": ("state_number", "state_to"),
    "concentrations": ("concentration",),
    "log_rate_mean": ("neuron",),
    "log_rate_sd": ("neuron",),
}
COUPLED = dict.fromkeys(
    ("transition", "innovation"), ("state_number", "cluster", "coordinate", "cluster_from", "coordinate_from")
)


def dimensions(model: Any) -> Mapping[str, tuple[str, ...]]:
    """Dimensions of what a draw holds; laws that couple the clusters run from every one to every one."""
    return DIMENSIONS | COUPLED if model.coupling == "full" else DIMENSIONS


def coordinates(model: Any, recording: Recording) -> Mapping[str, list[Any]]:
    """Labels: neurons by name, bins by clock time; clusters and states are numbers without meaning."""
    neurons = recording.signal(model.signal_of(recording)).names
    size, states = model.n_factors + 1, list(range(model.max_states))
    axes = ["mean", *(f"factor {n}" for n in range(model.n_factors))]
    return {
        "neuron": neurons,
        "feature": neurons,
        "bin": recording.clock().tolist(),
        "factor": axes[1:],
        "coordinate": axes,
        "coordinate_from": axes[:size],
        "state_number": states,
        "state_to": states,
        "concentration": list(concentrations.NAMES),
    }


def params_from(model: Any, values: Mapping[str, Any]) -> BiclusterParams:
    """Draws from their names; files from before draws held concentrations had them at the values of the model.

    Raises:
        InputError: A part is missing.
    """
    if "label" in values:
        draws = np.shape(values["label"])[:-1]
        held = np.broadcast_to(concentrations.of_model(model), (*draws, len(concentrations.NAMES)))
        values = {"concentrations": held, **values}
    missing = [name for name in BiclusterParams._fields if name not in values]
    if missing:
        raise InputError(f"draws of BiClustering: {missing[0]!r} is missing. Given: {sorted(values)}")
    return BiclusterParams(**{name: np.asarray(values[name]) for name in BiclusterParams._fields})
