"""Each channel with mean 0 and standard deviation 1 over the training data."""

from dataclasses import dataclass

import numpy as np

from neurolatent.checks import InputError, place
from neurolatent.preparation.channels import continuous, moments, pick, text, with_values
from neurolatent.preparation.protocol import Applied, Learned
from neurolatent.recording import Recording


@dataclass(frozen=True)
class Standardise:
    """Subtract the mean and divide by the standard deviation that each channel had in the training data.

    Attributes:
        signal: Which signal; None takes every continuous signal.
    """

    signal: str | None = None

    def learn(self, recording: Recording) -> Learned:
        """Mean and standard deviation of the observed entries per channel.

        Raises:
            InputError: A channel that is constant or never observed.
        """
        learned: Learned = {}
        for name in continuous(recording, self.signal, "Standardise"):
            signal = recording.signal(name)
            mean, sd = moments(signal.values, signal.observed)
            flat = np.flatnonzero(~(sd > 0))
            if len(flat):
                what = "was never observed" if np.isnan(sd[flat[0]]) else f"is {mean[flat[0]]:g} everywhere"
                raise InputError(
                    f"{place(recording.name, f'signal {name}', f'channel {signal.names[flat[0]]}')}: it {what} in the "
                    "training data, so it has no scale. Put DropSilent() before Standardise()."
                )
            learned |= {f"{name}.channels": text(signal.names), f"{name}.mean": mean, f"{name}.sd": sd}
        return learned

    def apply(self, recording: Recording, learned: Learned) -> Applied:
        """The recording in units of training standard deviations; no sequence is refused."""
        names = [key.removesuffix(".mean") for key in learned if key.endswith(".mean")]
        for name in names:
            signal = pick(recording, name, learned[f"{name}.channels"])
            values = (signal.values - learned[f"{name}.mean"]) / learned[f"{name}.sd"]
            recording = recording.with_signal(name, with_values(signal, values, "sd"))
        return Applied(recording.noting(f"standardised {', '.join(names)} by the training data"), {})

    def restore(self, signal: str, values: np.ndarray, learned: Learned, *, is_spread: bool = False) -> np.ndarray:
        """Values times the standard deviation, plus the mean unless they are spreads."""
        if f"{signal}.sd" not in learned:
            return values
        scaled = values * learned[f"{signal}.sd"]
        return scaled if is_spread else scaled + learned[f"{signal}.mean"]
