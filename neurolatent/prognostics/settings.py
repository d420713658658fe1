"""The choices behind a prognosis: read-outs, how they are joined, and how the intervals are calibrated."""

from dataclasses import dataclass

from neurolatent.baselines.regression import BoostedTrees, Constant, Ridge
from neurolatent.checks import InputError, at_least, whole_number, within
from neurolatent.prognostics.absorbing import AbsorptionTime
from neurolatent.prognostics.autoregressive import Autoregressive
from neurolatent.prognostics.crossing import Crossing
from neurolatent.prognostics.extrapolation import Extrapolation
from neurolatent.prognostics.library import ModelLibrary
from neurolatent.prognostics.readout import ReadOut
from neurolatent.prognostics.regression import BASELINES, BOOSTED, FeatureRegression
from neurolatent.prognostics.similarity import Similarity
from neurolatent.prognostics.survivors import Survivors

DEFAULT: tuple[ReadOut, ...] = (
    FeatureRegression(),
    BOOSTED,
    Similarity(),
    Autoregressive(),
    AbsorptionTime(),
    Crossing(),
    ModelLibrary(),
)
BESIDE: tuple[ReadOut, ...] = (*BASELINES, Survivors())
EXTRAPOLATIONS: tuple[ReadOut, ...] = (Extrapolation("linear"), Extrapolation("exponential"))


@dataclass(frozen=True)
class RemainingLife:
    """How remaining life is told and how far it is to be trusted.

    Attributes:
        readouts: Those that are joined.
        baselines: Those that are only measured beside them.
        cap: Life above which estimates do not tell units apart, in clock units; None for the longest seen.
        life_left: Remaining lives, in clock units, for which intervals are calibrated; None for all that occurs.
        folds: Parts in which training units are held out in turn.
        cuts: Random rows of each held-out unit at which it is asked.
        least_seen: Rows that a unit has shown at least when it is asked.
        neighbours: Share of the calibration rows that count as like a given estimate.
    """

    readouts: tuple[ReadOut, ...] = DEFAULT
    baselines: tuple[ReadOut, ...] = BESIDE
    cap: float | int | None = None
    life_left: tuple[float | int, float | int] | None = None
    folds: int = 5
    cuts: int = 12
    least_seen: int = 10
    neighbours: float | int = 0.1

    def __post_init__(self) -> None:
        whole_number("folds", self.folds, 2)
        whole_number("cuts", self.cuts, 1)
        whole_number("least_seen", self.least_seen, 1)
        within("neighbours", self.neighbours, 0.01, 1.0)
        if self.cap is not None:
            at_least("cap", self.cap, 1e-9)
        if self.life_left is not None and not 0 <= self.life_left[0] < self.life_left[1]:
            raise InputError(f"life_left must hold two rising numbers of at least 0, got {self.life_left}")
        names = [r.name for r in self.all]
        if not self.readouts or len(set(names)) < len(names):
            raise InputError(f"read-outs need different names, and at least one must be there, got {names}")

    @property
    def all(self) -> tuple[ReadOut, ...]:
        """The read-outs that are joined, then the baselines."""
        return (*self.readouts, *self.baselines)


# Names that recipes use.
PRESETS: dict[str, ReadOut] = {readout.name: readout for readout in (*DEFAULT, *BESIDE, *EXTRAPOLATIONS)}
# What a saved prognosis may hold besides its fit.
CLASSES: dict[str, type] = {
    kind.__name__: kind
    for kind in (*{type(readout) for readout in PRESETS.values()}, BoostedTrees, Constant, Ridge, RemainingLife)
}
