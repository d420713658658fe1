"""The door of the model: which signals of a recording it reads, and what it makes of them."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from neurolatent.checks import InputError, place
from neurolatent.models.gpvae.params import Floats
from neurolatent.models.protocols import ModelWarning, Selected
from neurolatent.ops.padding import pad, padded_length
from neurolatent.recording import Recording

LEAST_TIME = 5  # bins of a sequence
FEW_SPIKES = 1  # of a neuron in all training sequences


class GPVAEData(NamedTuple):
    """Sequences padded at the end to one length; a modality that the model does not have has no columns."""

    y: Float[Floats, "sequences time feature"]  # 0 where nothing was observed
    y_seen: Float[Floats, "sequences time feature"]  # 1 where it was
    x: Float[Floats, "sequences time output"]
    x_seen: Float[Floats, "sequences time output"]
    log_exposure: Float[Floats, " sequences"]  # of the width of a bin in seconds; 0 where rates are per bin


def signals_of(model: Any, recording: Recording) -> tuple[str | None, str | None]:
    """Names of the neural signal and of the behaviour; None where the model has no latent of that modality."""
    return (model.signal if model.has_neural else None, model.behaviour if model.has_behaviour else None)


def selected(model: Any, recording: Recording, *, for_training: bool) -> Selected:
    """Padded arrays; training leaves out sequences in which nothing was observed, and those that are too short."""
    names = signals_of(model, recording)
    for name, family in zip(names, (model.neural_family, model.behaviour_family), strict=True):
        if name is not None:
            _refuse_kind(recording, name, family)
    refused: dict[str, str] = {}
    if for_training:
        recording, refused = _without_empty(recording, [n for n in names if n])
        _refuse_untrainable(model, recording, names)
    longest = padded_length(int(recording.lengths.max()))
    _refuse_long(model, recording, longest)
    arrays: list[Any] = []
    for name, categories in zip(names, (None, model.n_categories), strict=True):
        values, seen = _columns(recording, name)
        if name is not None and categories is not None:
            values, seen = _one_of(categories, recording, name)
        arrays += [pad(part.astype(float), recording.lengths, 0, longest, 0.0) for part in (values, seen)]
    width = recording.bin_width if model.rates_in_hz(recording) else 1.0
    exposure = np.full(recording.n_sequences, np.log(width))
    y, y_seen, x, x_seen = arrays
    return Selected(GPVAEData(y, y_seen, x, x_seen, exposure), recording, 0, refused)


def _columns(recording: Recording, name: str | None) -> tuple[np.ndarray, np.ndarray]:
    if name is None:
        return np.zeros((recording.n_samples, 0)), np.zeros((recording.n_samples, 0), bool)
    signal = recording.signal(name)
    return tuple(part.reshape(recording.n_samples, -1) for part in (signal.filled(), signal.observed))  # type: ignore[return-value]


def _one_of(categories: int, recording: Recording, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A category as columns of 0 and 1."""
    signal = recording.signal(name)
    where = place(recording.title, f"signal {name}")
    if signal.n_channels != 1:
        raise InputError(f"{where}: a categorical likelihood takes one channel, got {signal.n_channels}")
    if signal.values.max(initial=0) >= categories:
        raise InputError(f"{where}: it holds {int(signal.values.max())}, but n_categories={categories} ends before it")
    columns = np.eye(categories)[signal.values[:, 0].astype(int)]
    seen = np.repeat(signal.observed, categories, axis=1)
    return columns * seen, seen


def _refuse_kind(recording: Recording, name: str, family: Any) -> None:
    """Refuse a signal whose values the family cannot have."""
    signal, where = recording.signal(name), place(recording.title, f"signal {name}")
    if signal.kind not in family.kinds:
        raise InputError(
            f"{where}: its likelihood wants {' or '.join(family.kinds)}, and this is {signal.kind}. "
            f"Say kinds={{{name!r}: {family.kinds[0]!r}}} when the recording is made, or choose another likelihood."
        )
    most = getattr(family, "trials", None)
    if most is not None and np.max(signal.filled(), initial=0) > most:
        raise InputError(
            f"{where}: it holds {np.max(signal.filled()):g} events in a bin of {most} trials. Raise trials."
        )


def _without_empty(recording: Recording, names: list[str]) -> tuple[Recording, dict[str, str]]:
    """The recording without sequences in which nothing was observed, or that are too short."""
    refused = {}
    for label, part in zip(recording.ids, recording.slices(), strict=True):
        if not any(recording.signal(name).observed[part].any() for name in names):
            refused[label] = f"nothing was observed in {' or '.join(names)}"
        elif part.stop - part.start < LEAST_TIME:
            refused[label] = f"{part.stop - part.start} bins, at least {LEAST_TIME} are needed"
    kept = [label for label in recording.ids if label not in refused]
    if not kept:
        label, reason = next(iter(refused.items()))
        raise InputError(f"{place(recording.title, f'sequence {label}')}: {reason}; no sequence is left")
    if refused:
        label, reason = next(iter(refused.items()))
        warnings.warn(f"{len(refused)} sequences are left out, first {label}: {reason}.", ModelWarning, stacklevel=2)
    return (recording.take(kept) if refused else recording), refused


def _refuse_untrainable(model: Any, recording: Recording, names: tuple[str | None, str | None]) -> None:
    """Refuse a signal of the wrong kind; warn of silent neurons, constant outputs and latents beyond the channels."""
    neural, behaviour = names
    if neural is not None:
        signal, where = recording.signal(neural), place(recording.title, f"signal {neural}")
        values, seen = _columns(recording, neural)
        _warn_dull(
            signal.names,
            ((values > 0) & seen).sum(axis=0) < FEW_SPIKES if model.is_count else _still(values, seen),
            where,
        )
        if values.shape[1] < model.n_neural + model.n_shared:
            warnings.warn(
                f"{where}: {values.shape[1]} channels cannot tell {model.n_neural + model.n_shared} latents apart.",
                ModelWarning,
                stacklevel=2,
            )
    if behaviour is not None:
        values, seen = _columns(recording, behaviour)
        still = _still(values, seen)
        if still.all():
            raise InputError(f"{place(recording.title, f'signal {behaviour}')}: no channel ever changes.")


def _still(values: np.ndarray, seen: np.ndarray) -> Bool[np.ndarray, " channels"]:
    masked = np.where(seen, values, np.nan)
    return np.array(
        [not seen[:, k].any() or np.nanmin(masked[:, k]) == np.nanmax(masked[:, k]) for k in range(values.shape[1])]
    )


def _warn_dull(names: list[str], dull: np.ndarray, where: str) -> None:
    if dull.all():
        raise InputError(f"{where}: no channel holds a spike or ever changes.")
    if dull.any():
        listed = ", ".join(name for name, flag in zip(names, dull, strict=True) if flag)
        warnings.warn(f"{where}: silent or constant channels are kept: {listed}.", ModelWarning, stacklevel=2)


def _refuse_long(model: Any, recording: Recording, longest: int) -> None:
    if model.circle is not None and longest + model.room > model.circle:
        raise InputError(
            f"{recording.title}: sequences of up to {longest} bins (padded) and {model.room} of room do not fit a "
            f"circle of {model.circle}. Raise circle, or leave it out."
        )
