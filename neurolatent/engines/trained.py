"""What every engine returns."""

from typing import Any, NamedTuple

import numpy as np


class Trained(NamedTuple):
    """The product of an engine, as NumPy arrays."""

    params: Any  # one set of parameters: the best restart, or the mean of the draws
    draws: Any  # the same tuple with leading axes (chain, draw); None where there are none
    trace: dict[str, np.ndarray]  # objective per restart and step; statistics per chain and draw where there are draws
    converged: bool
    interrupted: bool
    warnings: tuple[str, ...]
    compile_seconds: float
    run_seconds: float
