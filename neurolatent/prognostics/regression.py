"""Remaining life by a regression on features of the row, with or without the model's states among them."""

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from neurolatent.baselines.regression import BoostedTrees, Constant, Regressor, Ridge
from neurolatent.checks import one_of
from neurolatent.preparation import Learned
from neurolatent.preparation.causal import carried
from neurolatent.preparation.channels import pick, silent, text
from neurolatent.prognostics.autoregressive import state_belief
from neurolatent.prognostics.features import rich
from neurolatent.prognostics.readout import Estimate, Lives
from neurolatent.prognostics.view import View

Columns = Literal["last", "rich"]


@dataclass(frozen=True)
class FeatureRegression:
    """Boosted trees, or another regression, on features of each row.

    Attributes:
        name: For figures and tables.
        regressor: ``BoostedTrees()``, ``Ridge()`` or ``Constant()``.
        columns: ``rich``: the row's past in many lengths; ``last``: its sensors as they stand.
        with_states: Whether the filter's state probabilities are among the features.
        signal: The sensors; the modelled signal where there are none of that name.
    """

    name: str = "features"
    regressor: BoostedTrees | Ridge | Constant = field(default_factory=BoostedTrees)
    columns: Columns = "rich"
    with_states: bool = True
    signal: str = "sensors"

    def __post_init__(self) -> None:
        one_of("columns", self.columns, get_args(Columns))

    def learn(self, view: View, lives: Lives, *, seed: int) -> Learned:
        """What the regressor learns from the rows of all units that failed."""
        known, name = lives.known, self._signal_of(view)
        signal = view.recording.signal(name)
        channels = text(signal.names)[~silent(signal)]
        learner: Regressor = self.regressor
        found = learner.learn(self._table(view, name, channels)[known], lives.target[known], seed=seed)
        return {**found, "cap": np.asarray(lives.cap), "signal": text([name]), "channels": channels}

    def estimate(self, view: View, learned: Learned, asked: np.ndarray) -> Estimate:
        """The prediction, between zero and the cap; it has no spread of its own."""
        table = self._table(view, str(learned["signal"][0]), learned["channels"])
        found = self.regressor.predict(table[asked], learned)
        return Estimate(np.clip(found, 0.0, float(learned["cap"])), np.zeros(len(asked)))

    @property
    def uses_states(self) -> bool:
        """Whether the model's states have a part in the answer."""
        return self.with_states

    def _signal_of(self, view: View) -> str:
        return self.signal if self.signal in view.recording.signals else view.fit.facts["signal"]

    def _table(self, view: View, name: str, channels: np.ndarray) -> Float[np.ndarray, "rows features"]:
        signal = pick(view.recording, name, channels)
        values = np.where(signal.observed, signal.values, np.nan).astype(float)
        table = rich(view, values) if self.columns == "rich" else carried(values, view.rows)
        return np.concatenate([table, state_belief(view)], axis=1) if self.with_states else table


BOOSTED = FeatureRegression("boosted_trees", BoostedTrees(), "rich", with_states=False)
BASELINES = (
    FeatureRegression("constant", Constant(), "last", with_states=False),
    FeatureRegression("linear_last", Ridge(), "last", with_states=False),
    FeatureRegression("linear_rich", Ridge(), "rich", with_states=False),
)
