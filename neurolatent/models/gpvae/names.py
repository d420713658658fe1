"""Names of parameters and latent quantities, of their dimensions, and of the places along them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurolatent.checks import InputError
from neurolatent.models.gpvae.door import signals_of
from neurolatent.models.gpvae.params import Encoder, GPVAEParams, Scaling, TimeMap
from neurolatent.ops.mlp import network_kind
from neurolatent.recording import Recording

DIMENSIONS: dict[str, tuple[str, ...]] = {
    "lengthscale": ("latent",),
    "loadings": ("neural_latent", "neuron"),
    "offset": ("neuron",),
    "loading_sd": ("neural_latent",),
    "scaling.neural_centre": ("neuron",),
    "scaling.neural_scale": ("neuron",),
    "scaling.output_centre": ("output",),
    "scaling.output_scale": ("output",),
    "scaling.weights": ("modality",),
    "latents": ("latent",),
    "rates": ("neuron",),
    "reconstruction": ("output",),
    "kl": ("latent",),
    "mean_square": ("latent",),
    "var_ratio": ("latent",),
    "gain": ("latent",),
}


def latent_names(model: Any) -> list[str]:
    """Labels of the latents: their group and their number in it, counted from 0."""
    groups = (("neural", model.n_neural), ("shared", model.n_shared), ("behaviour", model.n_behaviour))
    return [f"{group} {n}" for group, count in groups for n in range(count)]


def coordinates(model: Any, recording: Recording) -> Mapping[str, list[Any]]:
    """Labels: latents, neurons, channels of behaviour; ``feature`` are those of the signal that is observed first."""
    neural, behaviour = (labels_of(recording, name) for name in signals_of(model, recording))
    if model.n_categories is not None and model.behaviour in recording.signals:
        words = recording.signal(model.behaviour).levels()
        behaviour = words if len(words) == model.n_categories else [str(n) for n in range(model.n_categories)]
    latents = latent_names(model)
    return {
        "latent": latents,
        "neural_latent": latents[: model.n_neural + model.n_shared],
        "neuron": neural,
        "output": behaviour,
        "feature": neural if model.has_neural else behaviour,
        "modality": ["neural", "behaviour"],
    }


def labels_of(recording: Recording, name: str | None) -> list[str]:
    """Names of the channels of a signal; numbers where it has none, as an image has not."""
    if name is None:
        return []
    signal = recording.signal(name)
    is_flat = signal.values.ndim == 2
    return signal.names if is_flat and signal.names else [str(n) for n in range(int(np.prod(signal.values.shape[1:])))]


def params_from(values: Mapping[str, Any]) -> GPVAEParams:
    """Parameters from their names with dots.

    Raises:
        InputError: A parameter is missing.
    """
    plain = {str(name): np.asarray(value, float) for name, value in values.items()}
    single = [n for n in GPVAEParams._fields if n not in ("encoder", "output_encoder", "decoder", "scaling")]
    wanted = [*single, *(f"scaling.{n}" for n in Scaling._fields), "encoder.direct", "output_encoder.direct"]
    missing = [name for name in wanted if name not in plain]
    if missing:
        raise InputError(f"parameters of the GP-VAE: {missing[0]!r} is missing. Given: {sorted(plain)}")
    whole: dict[str, Any] = {name: plain[name] for name in single}
    for name in ("encoder", "output_encoder"):
        parts = (plain[f"{name}.direct"], plain[f"{name}.shift"], _network(plain, f"{name}.network."))
        over_time = [plain.get(f"{name}.over_time.{part}") for part in TimeMap._fields]
        whole[name] = Encoder(*parts, () if over_time[0] is None else TimeMap(*over_time))
    scaling = Scaling(*(plain[f"scaling.{n}"] for n in Scaling._fields))
    return GPVAEParams(**whole, decoder=_network(plain, "decoder."), scaling=scaling)


def _network(plain: Mapping[str, np.ndarray], before: str) -> Any:
    parts = {name.removeprefix(before): value for name, value in plain.items() if name.startswith(before)}
    return network_kind(len(parts) // 2)(**parts)
