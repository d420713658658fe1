"""Small recordings with gaps and unequal lengths, and fits to them."""

import functools
from typing import Any

import numpy as np

import neurolatent as nl
from neurolatent.choices import MinibatchVI
from neurolatent.models.pvrnn import PVRNN, VRNN, ErrorRegression, Layer, Symbols

ENGINE = MinibatchVI(6, None, 1e-2, 1e-2, clip=None, validation=0.0)


def recording(model: Any, lengths: tuple[int, ...]) -> nl.Recording:
    """Waves, or symbols, of which some were not observed."""
    rng, parts = np.random.default_rng(0), []
    for length in lengths:
        wave = 0.8 * np.sin(np.arange(length)[:, None] / (2.0, 3.0) + rng.uniform(0, 6))
        values = rng.integers(0, 3, (length, 1)) if isinstance(model.likelihood, Symbols) else wave
        parts.append(np.ma.array(values, mask=rng.random(values.shape) < 0.1))
    kind = model.likelihood.kinds[0]
    return nl.Recording.of({"signal": parts}, kinds={"signal": kind}, clock_unit="step", name="waves")


@functools.cache
def fitted(**choices: Any) -> nl.Fit:
    if "width" in choices:
        model: Any = VRNN(**choices)
    else:
        model = PVRNN((Layer(5, 2, 2.0), Layer(3, 1, 4.0)), recognition=ErrorRegression(whole=20), **choices)
    return nl.fit(model, recording(model, (12, 9, 11)), engine=ENGINE)
