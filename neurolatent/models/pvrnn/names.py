"""Names of parameters and latent quantities, of their dimensions, and of the places along them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurolatent.checks import InputError
from neurolatent.models.pvrnn.params import LayerWeights, PVRNNParams, Tempering, by_layer
from neurolatent.recording import Recording

DIMENSIONS: dict[str, tuple[str, ...]] = {
    "tempering.w": ("layer",),
    "tempering.w_first": ("layer",),
    "posterior_mean": ("latent",),
    "posterior_sd": ("latent",),
    "prior_mean": ("latent",),
    "prior_sd": ("latent",),
    "activity": ("unit",),
    "reconstruction_mean": ("feature",),
    "probability": ("symbol",),
    "kl": ("layer",),
}


def coordinates(model: Any, recording: Recording) -> Mapping[str, list[Any]]:
    """Labels: layers counted from 1 (the lowest), latents and units by layer and number, channels, symbols."""
    signal = recording.signal(model.signal_of(recording))
    flat = signal.values.reshape(recording.n_samples, -1).shape[1]
    channels = signal.names if len(signal.names) == flat else [str(n) for n in range(flat)]
    found: dict[str, list[Any]] = {
        "layer": [str(n) for n in range(1, len(model.layers) + 1)],
        "latent": _numbered(model, "latent"),
        "unit": _numbered(model, "units"),
        "feature": channels,
    }
    if model.is_symbolic:
        words = signal.levels()
        count = model.likelihood.count
        found["symbol"] = words if len(words) == count else [str(n) for n in range(count)]
    return found


def _numbered(model: Any, what: str) -> list[str]:
    return [f"layer {n} unit {k}" for n, layer in enumerate(model.layers, 1) for k in range(getattr(layer, what))]


def params_from(model: Any, values: Mapping[str, Any]) -> PVRNNParams:
    """Parameters from their names with dots.

    Raises:
        InputError: A parameter is missing.
    """
    plain = {str(name): np.asarray(value, float) for name, value in values.items()}
    layers = by_layer(len(model.layers))
    wanted = [f"layers.{layer}.{name}" for layer in layers._fields for name in LayerWeights._fields]
    wanted += [f"adaptive.{layer}" for layer in layers._fields]
    wanted += ["output", "output_bias", *(f"tempering.{name}" for name in Tempering._fields)]
    missing = [name for name in wanted if name not in plain]
    if missing:
        raise InputError(f"parameters of the PV-RNN: {missing[0]!r} is missing. Given: {sorted(plain)}")
    return PVRNNParams(
        layers(*(LayerWeights(*(plain[f"layers.{n}.{f}"] for f in LayerWeights._fields)) for n in layers._fields)),
        plain["output"],
        plain["output_bias"],
        layers(*(plain[f"adaptive.{n}"] for n in layers._fields)),
        Tempering(*(plain[f"tempering.{name}"] for name in Tempering._fields)),
    )
