"""What a read-out of remaining life is: settings that learn from units that ran to failure, and answer at any row."""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from neurolatent.checks import InputError
from neurolatent.preparation import Learned
from neurolatent.prognostics.view import View


class Lives(NamedTuple):
    """What is known of the ends of training units."""

    left: Float[np.ndarray, " rows"]  # steps left after each row, uncapped; NaN in units that did not fail
    failed: Bool[np.ndarray, " units"]
    cap: float  # steps; read-outs estimate min(left, cap), infinite for no cap

    @property
    def target(self) -> Float[np.ndarray, " rows"]:
        """What read-outs estimate: the steps left, capped."""
        return np.minimum(self.left, self.cap)

    @property
    def known(self) -> Int[np.ndarray, " known"]:
        """Rows whose remaining life is known."""
        return np.flatnonzero(np.isfinite(self.left))


class Estimate(NamedTuple):
    """Remaining life at some rows, in steps and capped; NaN where the read-out has no answer."""

    mean: Float[np.ndarray, " asked"]
    sd: Float[np.ndarray, " asked"]  # of its own predictive distribution; 0 where it has none


@runtime_checkable
class ReadOut(Protocol):
    """A frozen dataclass of plain values."""

    @property
    def name(self) -> str:
        """For figures and tables."""
        ...

    @property
    def uses_states(self) -> bool:
        """Whether the model's hidden states have a part in the answer."""
        ...

    def learn(self, view: View, lives: Lives, *, seed: int) -> Learned:
        """What must be known of training units: arrays that are saved as they are."""
        ...

    def estimate(self, view: View, learned: Learned, asked: Int[np.ndarray, " asked"]) -> Estimate:
        """Remaining life at the rows asked for.

        What stands in later rows never changes an answer, bit for bit, nor do other units.
        """
        ...


def lives_of(view: View, cap: float) -> Lives:
    """Steps left at each row of units that ran to failure."""
    failed = view.recording.failed(True, "remaining life")
    left = np.full(len(view.rows.position), np.nan)
    for part, has_failed in zip(view.rows.slices, failed, strict=True):
        if has_failed:
            left[part] = np.arange(part.stop - part.start - 1, -1, -1)
    return Lives(left, failed, cap)


def longest_life(view: View) -> float:
    """Steps that the unit which lived longest had left at its first row.

    Raises:
        InputError: No unit failed.
    """
    failed = view.recording.failed(True, "a prognosis")
    if not failed.any():
        raise InputError(f"{view.recording.title}: no unit ran to failure, so there is no life to learn from.")
    return float(view.recording.lengths[failed].max() - 1)


def weighted_rows(
    matrix: Float[np.ndarray, "rows columns"], weight: Float[np.ndarray, " columns"]
) -> Float[np.ndarray, " rows"]:
    """The product ``matrix @ weight``, column by column, so that no row changes with the number of its neighbours."""
    out = np.zeros(len(matrix))
    for column, factor in enumerate(weight):
        out += matrix[:, column] * factor
    return out
