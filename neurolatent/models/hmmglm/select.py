"""The door of the model: a recording becomes padded arrays, and what cannot be used is refused by name."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from neurolatent.checks import InputError, place
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.families import AnyFamily, Bernoulli, Categorical, Gaussian, Poisson
from neurolatent.models.hmmglm.history import Kernel, filtered_history
from neurolatent.models.protocols import ModelWarning
from neurolatent.ops.padding import pad, padded_length
from neurolatent.recording import Recording, Signal

FEW_SPIKES = 10  # spec of the method, section 12
RARE, FREQUENT = 1e-3, 20.0  # mean counts per bin beyond which the bin width is doubtful


class Taken(NamedTuple):
    """What is read of a recording, sequences end to end."""

    y: np.ndarray  # (samples, targets)
    observed: np.ndarray
    covariates: np.ndarray  # (samples, covariates), without the bias; 0 where not observed
    inputs: np.ndarray  # (samples, inputs)


def targets_of(signal: Signal, family: AnyFamily, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Values and masks of the targets.

    Raises:
        InputError: A kind that the family does not model, several choices at once, or labels beyond the classes.
    """
    if signal.kind not in family.kinds:
        name = type(family).__name__
        raise InputError(
            f"{where}: {name} models signals of kind {' or '.join(family.kinds)}, this is {signal.kind!r}. "
            "Choose another family=, or another signal=."
        )
    y, seen = signal.filled().reshape(len(signal.values), -1), signal.observed.reshape(len(signal.values), -1)
    if not isinstance(family, (Bernoulli, Categorical)):
        return y, seen
    if y.shape[1] != 1:
        raise InputError(f"{where}: a choice is one channel, this signal has {y.shape[1]}. Choose channels=.")
    n_classes = 2 if isinstance(family, Bernoulli) else family.n_classes
    wrong = np.flatnonzero(np.logical_and(seen[:, 0], y[:, 0] >= n_classes))
    if len(wrong):
        raise InputError(
            f"{where}, sample {wrong[0]}: the label is {y[wrong[0], 0]:g}, but the family has the classes 0 to "
            f"{n_classes - 1}. Take Categorical(n_classes={int(y[seen].max()) + 1}), or correct the label."
        )
    classes = np.arange(1, n_classes)[None]
    return (y == classes).astype(float), np.repeat(seen, n_classes - 1, axis=1)


def columns_of(recording: Recording, name: str | None, channels: tuple[str, ...]) -> tuple[np.ndarray, list[str]]:
    """Values of a continuous signal, 0 where not observed, and their names; the channel ``bias`` is left out."""
    if name is None:
        return np.zeros((recording.n_samples, 0)), []
    signal = recording.with_channels(name, channels).signal(name)
    if signal.kind not in ("continuous", "binary"):
        raise InputError(
            f"{place(recording.title, f'signal {name}')}: covariates are continuous, this is of kind {signal.kind!r}"
        )
    keep = [i for i, label in enumerate(signal.names) if label != "bias"]
    values = signal.filled().reshape(recording.n_samples, -1)
    return values[:, keep], [signal.names[i] for i in keep]


def mask_missing(observed: np.ndarray, recording: Recording, name: str | None) -> np.ndarray:
    """Targets whose covariates were not all observed are not observed either."""
    if name is None:
        return observed
    seen = recording.signal(name).observed.reshape(len(observed), -1).all(axis=1)
    return np.logical_and(observed, np.reshape(seen, (-1, 1)))


def make_data(taken: Taken, recording: Recording, weights: np.ndarray, *, kernel: Kernel, own_lags: bool) -> HMMGLMData:
    """Padded arrays; the centre and the scale are filled in by the model."""
    basis, lengths = kernel.basis(), recording.lengths
    past = filtered_history(taken.y, taken.observed, lengths, basis)
    targets = taken.y.shape[1]
    own = np.zeros((len(past), targets, 0))
    if own_lags:
        lags = filtered_history(taken.y, taken.observed, lengths, np.eye(kernel.length))
        own = np.moveaxis(lags.reshape(len(past), kernel.length, targets), 1, 2)
    longest = padded_length(int(lengths.max()))
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    x = np.concatenate([past, taken.covariates], axis=1)
    flat = (np.where(taken.observed, taken.y, 0.0), taken.observed, x, own, taken.inputs, log_weights)
    fillers = (0.0, False, 0.0, 0.0, 0.0, 0.0)
    packed = [pad(a, lengths, 0, longest, f) for a, f in zip(flat, fillers, strict=True)]
    return HMMGLMData._make([*packed, lengths.astype(np.int32), np.zeros(targets), np.ones(targets)])


def refuse_untrainable(taken: Taken, recording: Recording, model: Any, names: list[str]) -> None:
    """Refuse what cannot be learned from; warn of what is doubtful."""
    where = place(recording.title, f"signal {model.signal_of(recording)}")
    bins = int(taken.observed.any(axis=1).sum())
    if bins < 10 * model.n_states:
        raise InputError(
            f"{where}: {bins} observed samples are too few for n_states={model.n_states}: at least 10 for each state. "
            "Choose fewer states."
        )
    length = model.kernel.length
    short = np.flatnonzero(recording.lengths <= length)
    if length and len(short):
        raise InputError(
            f"{where}, sequence {recording.ids[short[0]]}: {recording.lengths[short[0]]} bins, but the history is "
            f"{length} long. Drop the sequence, or shorten the kernel."
        )
    _CHECKS[type(model.family)](taken, recording, where, model)
    _refuse_columns(taken, f"{recording.title}: covariates", names, with_bias=True)


def _refuse_columns(taken: Taken, where: str, names: list[str], *, with_bias: bool) -> None:
    """Refuse covariates that never change; warn where they nearly repeat each other."""
    seen = taken.observed.any(axis=1)
    x = taken.covariates[seen]
    flat = np.flatnonzero(np.ptp(x, axis=0) == 0) if x.size else []
    if len(flat):
        raise InputError(
            f"{where}: {names[flat[0]]!r} never changes ({x[0, flat[0]]:g}). Leave it out: the model has its own bias."
        )
    if not x.size:
        return
    scaled = np.concatenate([x / x.std(axis=0), np.ones((len(x), 1))], axis=1)
    if np.linalg.cond(scaled) > 1e8:
        loads = np.abs(np.linalg.svd(scaled, full_matrices=False)[2][-1])
        worst = [n for n, load in zip([*names, "bias"], loads, strict=True) if load > 0.1]
        message = (
            f"{where}: {', '.join(worst)} depend on each other linearly, so their weights are not determined apart."
        )
        warnings.warn(f"{message} Leave one of them out.", ModelWarning, stacklevel=4)


def _check_counts(taken: Taken, recording: Recording, where: str, model: Any) -> None:
    names = recording.signal(model.signal_of(recording)).names
    total = np.where(taken.observed, taken.y, 0.0).sum(axis=0)
    for label, count, seen in zip(names, total, taken.observed.sum(axis=0), strict=True):
        if seen == 0 or count == 0:
            raise InputError(f"{where}, channel {label}: not a single spike. Leave it out: prepare with DropSilent().")
    few = [f"{n} ({int(c)})" for n, c in zip(names, total, strict=True) if c < FEW_SPIKES]
    mean = total / np.maximum(taken.observed.sum(axis=0), 1)
    if few:
        _warn(f"{where}: fewer than {FEW_SPIKES} spikes in {', '.join(few)}: their weights are those of the prior")
    if (mean < RARE).any() or (mean > FREQUENT).any():
        _warn(f"{where}: mean counts per bin from {mean.min():.2g} to {mean.max():.2g}; choose another bin width")


def _check_choices(taken: Taken, recording: Recording, where: str, model: Any) -> None:
    seen = taken.observed.all(axis=1)
    chosen = taken.y[seen]
    counts = np.concatenate([[(chosen.sum(axis=1) == 0).sum()], chosen.sum(axis=0)])
    if (counts > 0).sum() < 2:
        raise InputError(f"{where}: every choice is {int(np.argmax(counts))}, so there is nothing to learn.")
    if (counts == 0).any():
        raise InputError(f"{where}: class {int(np.argmin(counts))} is never chosen. Take fewer n_classes.")


def _check_values(taken: Taken, recording: Recording, where: str, model: Any) -> None:
    names = recording.signal(model.signal_of(recording)).names
    for channel, label in enumerate(names):
        values = taken.y[taken.observed[:, channel], channel]
        if len(values) == 0 or np.ptp(values) == 0:
            raise InputError(f"{where}, channel {label}: it never changes. Prepare with DropSilent().")


_CHECKS = {Poisson: _check_counts, Bernoulli: _check_choices, Categorical: _check_choices, Gaussian: _check_values}


def _warn(message: str) -> None:
    warnings.warn(message, ModelWarning, stacklevel=5)
