"""The door of the model: what it makes of a recording, and what it refuses."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from neurolatent.checks import InputError, did_you_mean, place
from neurolatent.models.protocols import ModelWarning, Selected
from neurolatent.models.pvrnn.params import Floats
from neurolatent.ops.padding import pad, padded_length
from neurolatent.recording import Recording

LEAST_TIME = 2  # steps of a sequence
NEW = -1  # row of a sequence that was not trained on


class PVRNNData(NamedTuple):
    """Sequences padded at the end to one length."""

    target: Floats  # (sequences, time, channels, bins) coded values
    floor: Floats  # (sequences, time, channels) nats that no output can save
    seen: Floats  # (sequences, time, channels) 1 where a value was observed
    valid: Floats  # (sequences, time) 1 up to the last observed step: what comes after says nothing of the latents
    row: Int[Any, " sequences"]  # number of the training sequence; -1 for a new one


def signal_of(model: Any, recording: Recording) -> str:
    """Name of the signal that is modelled.

    Raises:
        InputError: It is not named, and there is more than one.
    """
    known = list(recording.signals)
    if model.signal is not None:
        recording.signal(model.signal)
        return model.signal
    if len(known) > 1:
        raise InputError(f"{place(recording.title)}: which signal? Pass signal=. {did_you_mean('', known)}")
    return known[0]


def selected(model: Any, recording: Recording, *, for_training: bool) -> Selected:
    """Padded arrays; training leaves out sequences that are too short or nowhere observed."""
    name = model.signal_of(recording)
    signal, where = recording.signal(name), place(recording.title, f"signal {name}")
    if signal.kind not in model.likelihood.kinds:
        raise InputError(
            f"{where}: {type(model.likelihood).__name__} tells {' or '.join(model.likelihood.kinds)}, and this is "
            f"{signal.kind}. Say kinds={{{name!r}: {model.likelihood.kinds[0]!r}}} when the recording is made, or "
            "choose another likelihood."
        )
    refused: dict[str, str] = {}
    if for_training:
        recording, refused = _trainable(recording, name)
        _warn_constant(recording, name)
    signal = recording.signal(name)
    values, seen = (part.reshape(recording.n_samples, -1) for part in (signal.filled(), signal.observed))
    _refuse_values(model, recording, values, seen, where)
    return Selected(_padded(model, recording, values, seen, for_training=for_training), recording, 0, refused)


def _padded(model: Any, recording: Recording, values: np.ndarray, seen: np.ndarray, *, for_training: bool) -> PVRNNData:
    lengths, longest = recording.lengths, int(recording.lengths.max())
    longest = longest if len(set(lengths.tolist())) == 1 else padded_length(longest)
    safe = np.where(seen, values, values[seen][0] if seen.any() else 0.0)  # a value that can be coded
    target = model.likelihood.coded(safe)
    parts = (target, model.likelihood.floor(target), seen.astype(float))
    target, floor, flags = (pad(part, lengths, 0, longest, 0.0) for part in parts)
    known = flags.any(axis=2)
    valid = np.flip(np.maximum.accumulate(np.flip(known, 1), axis=1), 1).astype(float)
    count = recording.n_sequences
    return PVRNNData(target, floor, flags, valid, np.arange(count) if for_training else np.full(count, NEW))


def _trainable(recording: Recording, name: str) -> tuple[Recording, dict[str, str]]:
    refused = {}
    for label, part in zip(recording.ids, recording.slices(), strict=True):
        if part.stop - part.start < LEAST_TIME:
            refused[label] = f"{part.stop - part.start} step, at least {LEAST_TIME} are needed"
        elif not recording.signal(name).observed[part].any():
            refused[label] = f"nothing was observed in {name}"
    kept = [label for label in recording.ids if label not in refused]
    if not refused:
        return recording, refused
    label, reason = next(iter(refused.items()))
    if not kept:
        raise InputError(f"{place(recording.title, f'sequence {label}')}: {reason}; no sequence is left")
    warnings.warn(f"{len(refused)} sequences are left out, first {label}: {reason}.", ModelWarning, stacklevel=2)
    return recording.take(kept), refused


def _warn_constant(recording: Recording, name: str) -> None:
    signal = recording.signal(name)
    values = np.where(signal.observed, signal.values, np.nan).reshape(recording.n_samples, -1)
    still = [n for n, column in enumerate(values.T) if len(np.unique(column[np.isfinite(column)])) < 2]
    if still:
        names = [signal.names[n] if signal.names else str(n) for n in still]
        where = place(recording.title, f"signal {name}")
        warnings.warn(f"{where}: channels that never change are kept: {', '.join(names)}.", ModelWarning, stacklevel=2)


def _refuse_values(model: Any, recording: Recording, values: np.ndarray, seen: np.ndarray, where: str) -> None:
    """Refuse values that the likelihood cannot tell; the message names the first sample."""
    model.likelihood.refuse_channels(values.shape[1])
    inside = np.where(seen, values, values[seen][0] if seen.any() else 0.0)
    if not model.likelihood.refusal(inside):
        return
    for sample, row in enumerate(inside):
        reason = model.likelihood.refusal(row[None])
        if reason:
            raise InputError(f"{place(where, recording.whereabouts(sample))}: {reason}")
