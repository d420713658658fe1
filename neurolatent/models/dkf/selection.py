"""The door of the model: a recording becomes padded rows of inputs and targets; what cannot be used is refused."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from neurolatent.checks import InputError, place
from neurolatent.ops.padding import pad, padded_length
from neurolatent.recording import Recording, Signal

COLLINEAR = 1e12  # condition number of the targets' covariance above which they are refused
LEAST_PAIRS = 10  # training pairs wanted for each output, and one more


class DKFData(NamedTuple):
    """Sequences padded at the end to one length."""

    x: Float[np.ndarray, "sequences time inputs"]  # finite everywhere, 0 where nothing was observed
    z: Float[np.ndarray, "sequences time feature"]  # the same; no column where the recording has no target
    heard: Bool[np.ndarray, "sequences time"]  # all inputs of the bin were observed
    known: Bool[np.ndarray, "sequences time"]  # all targets of the bin were observed
    lengths: Int[np.ndarray, " sequences"]


def make_data(recording: Recording, inputs: Signal, target: Signal | None, window: tuple[int, int]) -> DKFData:
    """Padded arrays of a recording.

    Args:
        target: None where it is not known.
        window: Bins before and after each bin whose inputs count; a bin whose window leaves its sequence or holds a
            missing bin is not heard. Nothing is filled with zeros.
    """
    x, heard = windowed(inputs, recording.lengths, *window)
    z, known = np.zeros((len(x), 0)), np.zeros(len(x), bool)
    if target is not None:
        z, known = target.filled(), target.observed.all(axis=1)
    longest = padded_length(int(recording.lengths.max()))
    rows = [pad(values, recording.lengths, 0, longest, 0.0) for values in (x, z)]
    seen = [pad(np.asarray(values), recording.lengths, 0, longest, False) for values in (heard, known)]
    return DKFData(rows[0], rows[1], seen[0], seen[1], recording.lengths.astype(np.int32))


def windowed(
    inputs: Signal, lengths: np.ndarray, before: int, after: int
) -> tuple[Float[np.ndarray, "samples inputs"], Bool[np.ndarray, " samples"]]:
    """The inputs of each bin and of its neighbours in time, oldest first, and whether all of them were observed."""
    x, heard = inputs.filled(), inputs.observed.all(axis=1)
    within = np.concatenate([np.arange(n) for n in lengths])
    left = np.repeat(lengths, lengths) - 1 - within
    blocks, whole = [], np.full(len(x), True)
    for shift in range(-before, after + 1):
        inside = (within + shift >= 0) & (shift <= left)
        blocks.append(np.where(inside[:, None], np.roll(x, -shift, axis=0), 0.0))
        whole = np.logical_and(whole, inside & np.roll(heard, -shift))
    return np.concatenate(blocks, axis=1), np.asarray(whole)


def signal_in(recording: Recording, name: str, role: str) -> Signal:
    """A signal with channels.

    Raises:
        InputError: No such signal, or an image.
    """
    signal = recording.signal(name)
    if signal.values.ndim != 2:
        raise InputError(
            f"{place(recording.title, f'signal {name}')}: the {role} must have the shape (samples, channels), got "
            f"{signal.values.shape}"
        )
    return signal


def refuse_partly_missing(recording: Recording, name: str) -> None:
    """Refuse bins in which some channels were observed and others not."""
    seen = recording.signal(name).observed
    torn = np.flatnonzero(seen.any(axis=1) & ~seen.all(axis=1))
    if len(torn):
        names = recording.signal(name).names
        raise InputError(
            f"{recording.whereabouts(int(torn[0]))}: channel {names[int(np.argmin(seen[torn[0]]))]} of {name} is "
            f"missing and others are not ({len(torn)} such bins). partly_missing='predict' skips them."
        )


def refuse_untrainable(recording: Recording, name: str, target: str) -> None:
    """Refuse channels that never change and targets that repeat each other."""
    for key in (name, target):
        signal = recording.signal(key)
        for channel, label in enumerate(signal.names):
            values = signal.values[:, channel][signal.observed[:, channel]]
            where = place(recording.title, f"signal {key}", f"channel {label}")
            if values.size == 0:
                raise InputError(f"{where}: no value was observed. Prepare with DropSilent().")
            if np.ptp(values) == 0:
                raise InputError(f"{where}: it never changes ({values.flat[0]:g}). Prepare with DropSilent().")
    signal = recording.signal(target)
    rows = signal.values[signal.observed.all(axis=1)].astype(float)
    spread = np.corrcoef(rows, rowvar=False).reshape(signal.n_channels, signal.n_channels)
    condition = float(np.linalg.cond(spread)) if len(rows) > 1 else np.inf
    if not condition < COLLINEAR:
        raise InputError(
            f"{place(recording.title, f'signal {target}')}: its channels {signal.names} follow from each other "
            f"(condition number {condition:.3g}). Leave some out."
        )


def pairs_of(data: DKFData) -> Bool[np.ndarray, "sequences pairs"]:
    """Where a bin and the one after it are both known; never across sequences."""
    return data.known[:, 1:] & data.known[:, :-1]


def refuse_few_pairs(data: DKFData, where: str) -> None:
    """Refuse too few neighbours in time to learn how the state moves."""
    needed, found = LEAST_PAIRS * data.z.shape[2] + 1, int(pairs_of(data).sum())
    if found < needed:
        raise InputError(
            f"{where}: {found} pairs of neighbouring bins with a known target, but at least {needed} are needed to "
            "learn how it moves. Give longer sequences: pairs never cross from one to the next."
        )
