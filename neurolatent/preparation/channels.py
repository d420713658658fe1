"""Channels of a signal by name, what is silent among them, and their moments: shared by the steps."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from neurolatent.checks import InputError, did_you_mean, place
from neurolatent.recording import Recording, Signal

MOST_LISTED = 5


class Moments(NamedTuple):
    """Mean and standard deviation per channel, over what was observed; NaN where nothing was."""

    mean: np.ndarray  # (channels,)
    sd: np.ndarray  # (channels,) exactly 0 where all observed values are equal


def moments(values: np.ndarray, observed: np.ndarray) -> Moments:
    """Mean and standard deviation (divisor n) of observed entries per channel, the last axis."""
    axes = tuple(range(values.ndim - 1))
    count = observed.sum(axis=axes)
    safe = np.maximum(count, 1)
    mean = np.where(observed, values, 0.0).sum(axis=axes) / safe
    sd = np.sqrt((np.where(observed, values - mean, 0.0) ** 2).sum(axis=axes) / safe)
    low = np.where(observed, values, np.inf).min(axis=axes, initial=np.inf)
    high = np.where(observed, values, -np.inf).max(axis=axes, initial=-np.inf)
    mean, sd = np.where(low == high, low, mean), np.where(low == high, 0.0, sd)
    return Moments(np.where(count > 0, mean, np.nan), np.where(count > 0, sd, np.nan))


def silent(signal: Signal) -> np.ndarray:
    """(channels,) True where a channel has no observed value at all, or the same one everywhere."""
    sd = moments(signal.values, signal.observed).sd
    return ~(sd > 0)


def text(names: Sequence[str]) -> np.ndarray:
    """Names as an array of text, as they are saved."""
    return np.array([str(n) for n in names], dtype=np.str_)


def pick(recording: Recording, name: str, wanted: Sequence[str] | np.ndarray) -> Signal:
    """The signal with the ``wanted`` channels only, in that order.

    Raises:
        InputError: A channel that the recording does not have.
    """
    signal = recording.signal(name)
    wanted, known = [str(w) for w in wanted], signal.names
    if wanted == known:
        return signal
    missing = [w for w in wanted if w not in known]
    if missing:
        raise InputError(
            f"{place(recording.name, f'signal {name}')}: no channel {missing[0]!r}, which the training data had. "
            f"{did_you_mean(missing[0], known)} A channel that was not recorded can be given as a column of NaN."
        )
    index = [known.index(w) for w in wanted]
    return replace(
        signal,
        values=signal.values[..., index],
        channels=signal.channels.iloc[index],
        observed=signal.observed[..., index],
    )


def with_values(signal: Signal, values: np.ndarray, units: str) -> Signal:
    """The signal with other values of the same channels; NaN is not observed."""
    observed = signal.observed & ~np.isnan(values)
    values = np.where(observed, values, np.nan)
    for array in (values, observed):
        array.setflags(write=False)
    return replace(signal, values=values, observed=observed, units=units)


def continuous(recording: Recording, signal: str | None, asked_by: str) -> list[str]:
    """The named signal, else every continuous one.

    Raises:
        InputError: An unknown signal, one of another kind, or a recording without any.
    """
    if signal is None:
        names = [name for name, s in recording.signals.items() if s.kind == "continuous"]
        if not names:
            raise InputError(f"{place(recording.name)}: {asked_by} needs a continuous signal, and there is none.")
        return names
    kind = recording.signal(signal).kind
    if kind != "continuous":
        raise InputError(
            f"{place(recording.name, f'signal {signal}')}: {asked_by} works on continuous signals, this one is {kind}."
        )
    return [signal]


def listed(refused: dict[str, str]) -> str:
    """Refused sequences with their reasons, in sentences; five at most."""
    sentences = [f"Sequence {name}: {reason}" for name, reason in list(refused.items())[:MOST_LISTED]]
    rest = len(refused) - MOST_LISTED
    return " ".join([*sentences, f"And {rest} more."] if rest > 0 else sentences)


def without(recording: Recording, refused: dict[str, str], asked_by: str) -> Recording:
    """The recording without the refused sequences; the same object where there are none.

    Raises:
        InputError: No sequence would be left; the message lists the reasons.
    """
    if not refused:
        return recording
    if len(refused) == recording.n_sequences:
        raise InputError(f"{place(recording.name)}: {asked_by} can use none of the sequences. {listed(refused)}")
    kept = recording.take(i for i in recording.ids if i not in refused)
    return kept.noting(f"{asked_by} refused {len(refused)} sequences: {', '.join(list(refused)[:5])}")
