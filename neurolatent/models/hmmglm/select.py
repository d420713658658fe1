"""Targets and regressors as padded arrays."""

from typing import NamedTuple

import numpy as np

from neurolatent.checks import InputError, place
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.families import AnyFamily, Bernoulli, Categorical
from neurolatent.models.hmmglm.history import Kernel, filtered_history
from neurolatent.ops.padding import pad, padded_length
from neurolatent.recording import Recording, Signal


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
