"""Small recordings with a known state: an autoregression in the plane, seen by bent channels."""

import functools

import numpy as np

import neurolatent as nl
from neurolatent.choices import TwoStage
from neurolatent.models.dkf import DKF
from neurolatent.models.regressors import RidgeRegression
from neurolatent.recording import Recording

LENGTHS = (150, 90, 120)
TRANSITION = np.array([[0.9, 0.1], [-0.1, 0.85]])


def simulated(seed: int = 0, lengths: tuple[int, ...] = LENGTHS, channels: int = 6, level: float = 3.0) -> Recording:
    """Counts-like inputs ``neural`` and a state ``velocity`` of mean ``level``."""
    rng = np.random.default_rng(seed)
    tuning = np.random.default_rng(99).normal(size=(2, channels))
    z, x = [], []
    for length in lengths:
        state = np.zeros((length, 2))
        for t in range(length):
            state[t] = (TRANSITION @ state[t - 1] if t else 0.0) + 0.4 * rng.normal(size=2)
        z.append(state + level)
        x.append(np.tanh(state @ tuning) * 5 + 10 + rng.normal(size=(length, channels)))
    return Recording.of(
        {"neural": x, "velocity": z}, channels={"velocity": ["vx", "vy"]}, bin_width=0.05, name="simulated"
    )


def with_gaps(recording: Recording, seed: int = 1) -> Recording:
    """A tenth of the bins without inputs, some of them only in one channel."""
    rng = np.random.default_rng(seed)
    whole = recording.signal("neural")
    keep = np.ones(whole.values.shape, bool)
    keep[rng.random(len(keep)) < 0.1] = False
    keep[20, 1] = False
    return recording.with_signal("neural", whole.masked(keep))


@functools.cache
def fitted(**choices) -> nl.Fit:
    """A quick fit of the simulated recording."""
    model = DKF("velocity", **{"regressor": RidgeRegression(), **choices})
    return nl.fit(model, simulated(), engine=TwoStage())
