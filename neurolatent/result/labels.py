"""Padded arrays of a model become labelled ones: all samples end to end, with their sequence and clock time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from neurolatent.models.protocols import Latents, Model, Selected
from neurolatent.recording import Recording


def flatten(padded: np.ndarray, lengths: np.ndarray, skipped: int) -> np.ndarray:
    """(sequences, time, ...) as (samples, ...); samples that were only conditioned on hold NaN (whole numbers -1)."""
    missing = -1 if padded.dtype.kind in "iu" else np.nan
    out = np.full((int(np.sum(lengths)), *padded.shape[2:]), missing, padded.dtype)
    ends = np.cumsum(lengths)
    for number, (end, length) in enumerate(zip(ends, lengths, strict=True)):
        kept = int(length) - skipped
        out[end - kept : end] = padded[number, :kept]
    return out


def label_latents(latents: Latents, selected: Selected, model: Model) -> xr.Dataset:
    """A dataset over samples and sequences, with named dimensions and coordinates.

    Dimensions: ``sample`` (all sequences end to end; coordinates ``sample_sequence`` and ``clock``), ``sequence``, and
    those of the model. Sequences that are not answered stand under ``refused`` with their ``reason``.
    """
    recording, dims = selected.recording, model.dimensions()
    variables: dict[str, Any] = {}
    for name, padded in latents.along_time.items():
        flat = flatten(np.asarray(padded), recording.lengths, selected.skipped)
        variables[name] = (("sample", *dims.get(name, dims.get(name.removesuffix("_sd"), ()))), flat)
    for name, values in latents.per_sequence.items():
        variables[name] = (("sequence", *dims.get(name, ())), np.asarray(values))
    used = {d for v in variables.values() for d in v[0]}
    coords = {d: labels for d, labels in model.coordinates(recording).items() if d in used}
    return xr.Dataset(variables, {**coords, **sample_coordinates(recording)}).assign(refusals(selected.refused))


def sample_coordinates(recording: Recording) -> dict[str, Any]:
    """Coordinates of samples and sequences of a recording."""
    return {
        "sequence": recording.ids,
        "sample_sequence": ("sample", np.repeat(np.asarray(recording.ids, object), recording.lengths)),
        "clock": ("sample", recording.clock()),
    }


def refusals(refused: Mapping[str, str]) -> dict[str, Any]:
    """The reasons of the sequences that are not answered, as a variable over ``refused``."""
    names = xr.DataArray(list(refused), dims="refused")
    return {
        "reason": xr.DataArray(list(refused.values()) or np.zeros(0, "U1"), dims="refused").assign_coords(refused=names)
    }


def combine(parts: list[Latents]) -> Latents:
    """Posterior quantities averaged over draws.

    Means and probabilities average; a standard deviation ``x_sd`` or a covariance ``x_cov`` beside ``x_mean`` becomes
    that of the mixture, by the law of total covariance; most probable paths are those of the draw under which the data
    are most probable; ``smoothed_sd`` tells how much the draws differ.
    """
    if len(parts) == 1:
        return parts[0]
    along = {name: np.stack([np.asarray(p.along_time[name]) for p in parts]) for name in parts[0].along_time}
    out = {name: values.mean(axis=0) for name, values in along.items() if values.dtype.kind == "f"}
    for name in [n for n in out if n.endswith("_sd")]:
        centre = along[name.removesuffix("_sd") + "_mean"]
        out[name] = np.sqrt((along[name] ** 2).mean(axis=0) + centre.var(axis=0))
    for name in [n for n in out if n.endswith("_cov")]:
        off = along[name.removesuffix("_cov") + "_mean"] - out[name.removesuffix("_cov") + "_mean"]
        out[name] += np.einsum("k...i,k...j->...ij", off, off) / len(off)
    best = int(np.argmax([np.sum(p.per_sequence.get("log_evidence", 0.0)) for p in parts]))
    out |= {name: values[best] for name, values in along.items() if values.dtype.kind != "f"}
    if "smoothed" in along:
        out["smoothed_sd"] = along["smoothed"].std(axis=0)
    per_sequence = {
        name: np.mean([np.asarray(p.per_sequence[name]) for p in parts], axis=0) for name in parts[0].per_sequence
    }
    return Latents(out, per_sequence)


def named_arrays(params: Any, before: str = "") -> dict[str, np.ndarray]:
    """The arrays of nested named tuples, by their names with dots between; objects of other packages are left out."""
    out: dict[str, np.ndarray] = {}
    for name, value in params._asdict().items():
        if hasattr(value, "_asdict"):
            out |= named_arrays(value, f"{before}{name}.")
        elif np.asarray(value).dtype != object:
            out[f"{before}{name}"] = np.asarray(value)
    return out


def parameter_dataset(model: Model, params: Any, coords: Mapping[str, Any], lead: tuple[str, ...] = ()) -> xr.Dataset:
    """Parameters with named dimensions, after the leading ones (chain, draw)."""
    dims = model.dimensions()
    variables = {}
    for name, value in named_arrays(params).items():
        axes = tuple(f"{name}_{axis}" for axis in range(np.ndim(value) - len(lead)))
        variables[name] = ((*lead, *dims.get(name, axes)), value)
    used = {d for names, _ in variables.values() for d in names}
    return xr.Dataset(variables, {d: list(v) for d, v in coords.items() if d in used})
