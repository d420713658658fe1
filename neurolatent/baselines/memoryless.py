"""Regressions without a filter after them, behind the same fit and predict as the model that they are compared with."""

from typing import Any

from neurolatent.models.dkf import DKF
from neurolatent.models.regressors import LSTM


def unfiltered(target: str, inputs: str | None = None, **choices: Any) -> DKF:
    """A regression alone, with the noise that held-out rows show; no bin tells anything of the next.

    Args:
        target: Signal that is decoded.
        inputs: Signal it is decoded from; None takes the only other signal.
        choices: Other fields of :class:`neurolatent.models.dkf.DKF`, above all ``regressor``.
    """
    return DKF(target, inputs, memory=False, **choices)


def lstm(target: str, inputs: str | None = None, *, bins: int = 3, **choices: Any) -> DKF:
    """A small recurrent network over the last bins, without a filter (the extra ``networks``).

    Its windows overlap, so that its noise is honest only with the engine ``TwoStage(split="blocks")``.
    """
    return unfiltered(target, inputs, regressor=LSTM(bins), bins_before=bins - 1, **choices)
