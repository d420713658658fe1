"""What the model's door makes of a recording: padded arrays of targets and regressors."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float, Int

if TYPE_CHECKING:
    Floats = Any  # NumPy on the host, JAX inside programs: both are meant
else:
    Floats = Array | np.ndarray


class HMMGLMData(NamedTuple):
    """Sequences padded at the end to one length; padding is not observed."""

    y: Float[Floats, "sequences time targets"]  # finite everywhere
    observed: Bool[Floats, "sequences time targets"]
    x: Float[Floats, "sequences time regressors"]  # filtered history, then covariates
    own: Float[Floats, "sequences time targets lags"]  # a target's own past, lag 1 first; no lags where it is not asked
    inputs: Float[Floats, "sequences time inputs"]  # of the transitions into each step; none where they are constant
    log_weights: Float[Floats, "sequences time states"]  # log plausibilities of the states
    lengths: Int[Floats, " sequences"]
    centre: Float[Floats, " targets"]  # where the prior of the bias has its mean
    scale: Float[Floats, " targets"]  # standard deviation of Gaussian targets at training; ones otherwise
