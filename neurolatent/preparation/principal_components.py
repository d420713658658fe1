"""A few weighted sums of all channels that vary most in the training data."""

from dataclasses import dataclass

import numpy as np

from neurolatent.checks import InputError, place, whole_number
from neurolatent.preparation.channels import continuous, moments, pick, silent, text, without
from neurolatent.preparation.protocol import Applied, Learned
from neurolatent.recording import Recording, make_signal


@dataclass(frozen=True)
class PrincipalComponents:
    """Add the signal ``components``: scores of the leading principal components of the standardised channels.

    Silent channels are left out. A row with a missing entry has no score.

    Attributes:
        n_components: How many.
        signal: Of which signal.
    """

    n_components: int = 1
    signal: str = "sensors"

    def __post_init__(self) -> None:
        whole_number("n_components", self.n_components, 1)

    def learn(self, recording: Recording) -> Learned:
        """Scales, weights (n_components, channels) of length 1, and the share of variance of each component.

        The weight of largest size in each component is positive.

        Raises:
            InputError: Fewer channels than components, or fewer complete rows than channels.
        """
        continuous(recording, self.signal, "PrincipalComponents")
        signal = recording.signal(self.signal)
        speaks = ~silent(signal)
        complete = signal.observed[:, speaks].all(axis=1)
        where, n_channels = place(recording.name, f"signal {self.signal}"), int(speaks.sum())
        if n_channels < self.n_components:
            raise InputError(f"{where}: {n_channels} channels vary, n_components is {self.n_components}. Lower it.")
        if complete.sum() <= n_channels:
            raise InputError(
                f"{where}: {int(complete.sum())} rows have all {n_channels} channels, which is too few to learn from. "
                "Leave out the channels that are mostly missing with split_channels(...)."
            )
        mean, sd = moments(signal.values[:, speaks], signal.observed[:, speaks])
        rows = (signal.values[complete][:, speaks] - mean) / sd
        variance, vectors = np.linalg.eigh(np.cov(rows, rowvar=False).reshape(n_channels, n_channels))
        weights = vectors.T[::-1][: self.n_components]
        largest = np.take_along_axis(weights, np.abs(weights).argmax(axis=1)[:, None], axis=1)
        share = variance[::-1][: self.n_components] / variance.sum()
        learned = {"channels": text(signal.names)[speaks], "mean": mean, "sd": sd}
        return learned | {"weights": weights * np.sign(largest), "share": share}

    def apply(self, recording: Recording, learned: Learned) -> Applied:
        """The recording with the signal ``components``; a sequence without a single complete row is refused."""
        signal = pick(recording, self.signal, learned["channels"])
        rows = (np.where(signal.observed, signal.values, np.nan) - learned["mean"]) / learned["sd"]
        scores = np.zeros((len(rows), len(learned["weights"])))
        for channel, weight in enumerate(learned["weights"].T):  # elementwise: rows do not depend on their number
            scores += rows[:, channel, None] * weight
        refused = {}
        for name, part in zip(recording.ids, recording.slices(), strict=True):
            if np.isnan(scores[part, 0]).all():
                rarest = signal.names[int(signal.observed[part].sum(axis=0).argmin())]
                refused[name] = f"no row has all channels of {self.signal!r}; {rarest} is missing most often."
        names = [f"component {n + 1}" for n in range(scores.shape[1])]
        made = recording.with_signal("components", make_signal(scores, channels=names, where=recording.name))
        made = made.noting(f"{len(names)} principal components of {self.signal}")
        return Applied(without(made, refused, "PrincipalComponents"), refused)

    def restore(self, signal: str, values: np.ndarray, learned: Learned, *, is_spread: bool = False) -> np.ndarray:
        """The values as they are: the components are in their own units, the other signals were not touched."""
        return values
