"""What a preparation step is: settings that learn from training data once and are replayed on every new recording."""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from neurolatent.recording import Recording

Learned = dict[str, np.ndarray]  # what a step learned: arrays of numbers or text, saved as they are


class PreparationWarning(UserWarning):
    """Something that a step did with the data and that the analyst should know; collected into the Fit."""


class Applied(NamedTuple):
    """A prepared recording and what could not be prepared."""

    recording: Recording
    refused: dict[str, str]  # sequence id -> reason; these sequences are not in the recording any more


@runtime_checkable
class Step(Protocol):
    """The settings of one step: a frozen dataclass of plain values, so that it can be hashed and written as JSON."""

    def learn(self, recording: Recording) -> Learned:
        """What must be known from training data; raises InputError where it cannot be learned."""
        ...

    def apply(self, recording: Recording, learned: Learned) -> Applied:
        """The recording after this step, by what was learned; nothing is learned here."""
        ...

    def restore(self, signal: str, values: np.ndarray, learned: Learned, *, is_spread: bool = False) -> np.ndarray:
        """Values of a signal (last axis channels) in the units before this step.

        Args:
            signal: Name of the signal after this step.
            values: Numbers in the units after this step.
            learned: What :meth:`learn` gave.
            is_spread: The values are standard deviations: they are scaled, and not shifted.
        """
        ...
