"""What the model's door makes of a recording: padded arrays of targets, regressors and knowledge."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from neurolatent.recording import Signal

if TYPE_CHECKING:
    Floats = Any  # NumPy on the host, JAX inside programs: both are meant
else:
    Floats = Array | np.ndarray


class Scale(NamedTuple):
    """Spread of the training data, from which the default priors take their units."""

    residual: Float[Floats, " features"]  # variance left by one pooled autoregression
    spread: Float[Floats, " features"]  # standard deviation of the targets


class ARPHMMData(NamedTuple):
    """Sequences padded at the end to one length; the first ``order`` samples are conditioned on, not modelled."""

    y: Float[Floats, "sequences time features"]  # finite everywhere; units of the signal
    z: Float[Floats, "sequences time regressors"]  # [y_t-1; ...; y_t-p; 1]
    usable: Bool[Floats, "sequences time"]  # y and all its lags were observed
    predictable: Bool[Floats, "sequences time"]  # all lags were observed: the step can be predicted
    continuable: Bool[Floats, "sequences time"]  # y and all but the oldest lag were observed: the next step can be
    log_weights: Float[Floats, "sequences time states"]  # log plausibilities; -inf where a state is excluded
    lengths: Int[Floats, " sequences"]  # modelled steps of each sequence
    belief: Float[Floats, "sequences states"]  # state at the first step where it is known, else NaN
    scale: Scale


class Lagged(NamedTuple):
    """Targets and regressors of every sample, sequences end to end, and what of them was observed."""

    y: np.ndarray
    z: np.ndarray
    usable: np.ndarray
    predictable: np.ndarray
    continuable: np.ndarray


def lagged(signal: Signal, lengths: np.ndarray, order: int, *, pads_start: bool) -> Lagged:
    """Targets, regressors and usability of every sample; lags never cross sequences.

    Args:
        pads_start: Lags before the start are zeros and usable; else they are missing.
    """
    y = signal.filled().reshape(len(signal.values), -1)
    seen = signal.observed.reshape(len(y), -1).all(axis=1)
    within = np.concatenate([np.arange(n) for n in lengths])
    blocks, known = [], [np.ones(len(y), bool)]
    for lag in range(1, order + 1):
        shifted, before = np.roll(y, lag, axis=0), within < lag
        shifted[before] = 0.0
        blocks.append(shifted)
        known.append(known[-1] & np.where(before, pads_start, np.roll(seen, lag)))
    continuable = seen & known[order - 1] if order else known[0]
    z = np.concatenate([*blocks, np.ones((len(y), 1))], axis=1)
    return Lagged(y, z, seen & known[order], known[order], continuable)


def data_scale(y: np.ndarray, z: np.ndarray, usable: np.ndarray) -> Scale:
    """Residual variance of one pooled autoregression, and spread of the targets."""
    y, z = y[usable], z[usable]
    spread = y.std(axis=0)
    coefficients = np.linalg.lstsq(z, y, rcond=None)[0]
    residual = np.mean((y - z @ coefficients) ** 2, axis=0)
    return Scale(np.maximum(residual, 1e-8 * spread**2), spread)
