"""Two stages: a regression on one part of the training rows, its noise on another; no loop, so nothing to resume."""

import time
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from neurolatent.choices import TwoStage
from neurolatent.engines.trained import Trained
from neurolatent.models.protocols import Data, HasTwoStages


def run(settings: TwoStage, model: HasTwoStages, data: Data, key: PRNGKeyArray) -> Trained:
    """What the model learns; the statistics of a calibration stand in the trace."""
    begin = time.perf_counter()
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())
    learned: Any = model.two_stage(settings, data, generator)
    trace = {name: np.asarray(value) for name, value in learned.statistics.items()}
    seconds = time.perf_counter() - begin
    return Trained(learned.params, learned.draws, trace, True, False, (), 0.0, seconds)
