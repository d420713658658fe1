"""Channels that say nothing in the training data are left out."""

import warnings
from dataclasses import dataclass

import numpy as np

from neurolatent.checks import InputError, place, whole_number
from neurolatent.preparation.channels import pick, silent, text
from neurolatent.preparation.protocol import Applied, Learned, PreparationWarning
from neurolatent.recording import Recording
from neurolatent.recording.spikes import spikes_of

NUMBERS = ("continuous", "counts")
WHY = "is constant or was never observed"


@dataclass(frozen=True)
class DropSilent:
    """Drop channels that have no value at all, or the same one everywhere, in the training data.

    A new recording loses the same channels, whatever they hold there.

    Attributes:
        signal: Which signal; None takes every signal of continuous values or counts.
        min_spikes: Channels of counts with fewer observed events in the training data are dropped too.
    """

    signal: str | None = None
    min_spikes: int = 0

    def __post_init__(self) -> None:
        whole_number("min_spikes", self.min_spikes, 0)

    def learn(self, recording: Recording) -> Learned:
        """Names of the channels that stay; a PreparationWarning names those that go.

        Raises:
            InputError: A signal of which nothing would stay.
        """
        names = [n for n, s in recording.signals.items() if s.kind in NUMBERS] if self.signal is None else [self.signal]
        learned: Learned = {}
        for name in names:
            signal = recording.signal(name)
            few = signal.kind == "counts" and self.min_spikes > 0
            gone = silent(signal) | (spikes_of(signal) < self.min_spikes) if few else silent(signal)
            where = place(recording.name, f"signal {name}")
            if gone.all():
                why = f"is constant, was never observed or has fewer than {self.min_spikes} spikes" if few else WHY
                raise InputError(f"{where}: every channel {why}. Leave the signal out with select(...).")
            if gone.any():
                dropped = ", ".join(text(signal.names)[gone])
                also = f", or fewer than {self.min_spikes} spikes," if few else ""
                message = f"{where}: dropped {dropped}: constant or never observed{also} in the training data"
                warnings.warn(message, PreparationWarning, stacklevel=2)
            learned[name] = text(signal.names)[~gone]
        return learned

    def apply(self, recording: Recording, learned: Learned) -> Applied:
        """The recording with the channels that stayed at training; no sequence is refused."""
        for name, kept in learned.items():
            before, after = recording.signal(name), pick(recording, name, kept)
            dropped = [n for n in before.names if n not in after.names]
            if dropped:
                recording = recording.with_signal(name, after)
                recording = recording.noting(f"dropped {', '.join(dropped)} of {name}: silent in the training data")
        return Applied(recording, {})

    def restore(self, signal: str, values: np.ndarray, learned: Learned, *, is_spread: bool = False) -> np.ndarray:
        """The values as they are: the channels that stay keep their units."""
        return values
