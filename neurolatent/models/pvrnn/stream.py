"""One observation at a time: error regression in a window of fixed size, by one compiled program."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from neurolatent.checks import InputError
from neurolatent.compiling import key_of, on_device
from neurolatent.models.pvrnn.params import PVRNNParams
from neurolatent.models.pvrnn.programs import SEED, observed
from neurolatent.models.pvrnn.regression import first_window
from neurolatent.precision import in_double


class Told(NamedTuple):
    """What is known after an observation; symbols have probabilities (symbols) in the place of channels."""

    mean: Float[np.ndarray, "horizon channels"]  # of the coming steps
    low: Float[np.ndarray, "horizon channels"]  # 5 % quantile of the draws
    high: Float[np.ndarray, "horizon channels"]  # 95 %
    now: Float[np.ndarray, " channels"]  # the observation, as the window reconstructs it


class PatternStream:
    """A running error regression: ``update`` with each observation, ``reset`` between sequences.

    Nothing is kept of the past but the window and the state before it. It tells the same as the fit's figures of the
    whole sequence.

    Attributes:
        told: What the last ``update`` returned; None before the first.
    """

    @in_double
    def __init__(self, model: Any, params: PVRNNParams) -> None:
        """Nothing seen yet; the program is compiled."""
        self._model, self._channels = model, len(params.output_bias) // model.likelihood.per_channel
        self._params = on_device(params._replace(adaptive=None))
        self._key, self.told = key_of(SEED), None
        self.reset()
        self.update(None)
        self.reset()

    @in_double
    def reset(self) -> None:
        """Nothing seen yet: the next observation is the first of a sequence."""
        self._window = first_window(self._model, self._params, 1, self._channels)
        self.told = None

    @in_double
    def update(self, x: Any) -> Told:
        """What is told after one more observation (channels,); None or NaN where nothing was observed.

        Raises:
            InputError: Another number of channels, or a value that the likelihood cannot tell.
        """
        row = np.full(self._channels, np.nan) if x is None else np.atleast_1d(np.asarray(x, float))
        if row.shape != (self._channels,):
            raise InputError(f"an observation of this stream has {self._channels} channels, got the shape {row.shape}")
        seen = np.isfinite(row)
        known = row[seen][0] if seen.any() else _within(self._model)
        safe = np.where(seen, row, known)[None]
        refusal = self._model.likelihood.refusal(safe) if seen.any() else ""
        if refusal or np.isinf(row).any():
            raise InputError(f"an observation of this stream: {refusal or 'infinite values are refused'}")
        target = self._model.likelihood.coded(safe)
        new: Any = (target, self._model.likelihood.floor(target), seen[None].astype(float))
        self._window, told = observed(self._model, self._params, self._window, new, self._key)
        mean, low, high, now = (np.asarray(part)[0] for part in jax.device_get(told))
        if self._model.is_symbolic:
            mean, low, high, now = mean[:, 0], low[:, 0], high[:, 0], now[0]
        self.told = Told(mean, low, high, now)
        return self.told


def _within(model: Any) -> float:
    """A value that can be coded."""
    return float(np.min(getattr(model.likelihood, "low", 0.0)))
