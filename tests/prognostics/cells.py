"""A few fading cells, whose failure is a threshold of the modelled signal itself, and a prognosis leaving one out."""

import functools

import numpy as np

from neurolatent.fitting import fit
from neurolatent.models.arphmm import ARPHMM
from neurolatent.prognostics.autoregressive import Autoregressive
from neurolatent.prognostics.prognosis import Prognosis, prognose
from neurolatent.prognostics.settings import EXTRAPOLATIONS, RemainingLife
from neurolatent.prognostics.survivors import Survivors
from neurolatent.recording import EndOfLife, Recording
from neurolatent.result import Fit

LEVEL = 1.4


def courses(parts: list[np.ndarray], **options) -> Recording:
    """Given courses of one signal."""
    return Recording.of({"capacity": parts}, channels={"capacity": ["Ah"]}, name="cells", **options)


def cells(units: int = 5, seed: int = 0, *, noise: float = 0.01) -> Recording:
    """Cells that fade from 2 to below 1.4 in 20 to 65 cycles, cut where they do; the last one has not."""
    rng, parts = np.random.default_rng(seed), []
    for _ in range(units):
        rate = 0.6 / rng.uniform(20, 65)
        parts.append((2.0 - rate * np.arange(75) + noise * rng.normal(size=75))[:, None])
    ids = [f"c{seed}-{n}" for n in range(units)]
    parts[-1] = parts[-1][:20]
    return courses(parts, ids=ids, clock_unit="cycle").ending(EndOfLife("capacity", "Ah", below=LEVEL, times=2))


@functools.cache
def fitted() -> Fit:
    """A fit of the cells."""
    return fit(ARPHMM(2), cells(), seed=0)


SETTINGS = RemainingLife(
    (Autoregressive(), *EXTRAPOLATIONS), (Survivors(),), folds=4, cuts=6, least_seen=5, neighbours=0.5
)


@functools.cache
def prognosis() -> Prognosis:
    """As many folds as cells that failed."""
    return prognose(fitted(), cells(), SETTINGS, seed=0)
