r"""Remaining life from a library of models, one per training unit (read-out R5).

Each library unit has an ARPHMM of its own: the pooled one, moved by a few steps of MAP-EM on that unit alone. A running
unit of age t is told by how well each of them explains its rows so far,

.. math:: r_t = \sum_{j: T_j \ge t} w_j (T_j - t), \qquad
    w_j \propto \exp\{(\log p_j(y_{1:t}) - \max_i \log p_i(y_{1:t})) / (\tau t)\}.

Units that had failed before this age say nothing of it; where none lived so long there is no answer.

Reference: specification of the ARPHMM, section 9, R5 (ours, no published counterpart).
"""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from neurolatent.checks import InputError, at_least, whole_number
from neurolatent.compiling import compiled, on_device
from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.precision import in_double
from neurolatent.preparation import Learned
from neurolatent.prognostics.readout import Estimate, Lives
from neurolatent.prognostics.view import View, padded


@dataclass(frozen=True)
class ModelLibrary:
    """Lives of the training units whose own models explain the running unit best.

    Attributes:
        most: Units in the library, spread evenly over the lives of all.
        steps: Steps of MAP-EM that move the pooled model to a unit.
        temperature: tau; smaller trusts the likeliest model more.
    """

    most: int = 40  # ours: the cost of an answer grows with it
    steps: int = 10  # ours: from the pooled model few are needed
    temperature: float | int = 0.05  # ours, chosen by cross-validation on training units of FD001

    def __post_init__(self) -> None:
        whole_number("most", self.most, 2)
        whole_number("steps", self.steps, 1)
        at_least("temperature", self.temperature, 1e-6)

    @property
    def name(self) -> str:
        """For figures and tables."""
        return "library"

    @property
    def uses_states(self) -> bool:
        """Whether the model's hidden states have a part in the answer."""
        return True

    @in_double
    def learn(self, view: View, lives: Lives, *, seed: int) -> Learned:
        """Parameters of each library unit (leading axis) and its life.

        Raises:
            InputError: Too few units are long enough for a model of their own.
        """
        model: ARPHMM = view.fit.model
        lengths = np.array([part.stop - part.start for part in view.rows.slices])
        features = view.level.shape[1]
        shortest = 5 * (features * model.order + 1) * model.n_states  # specification, section 9, R5
        able = np.flatnonzero(lives.failed & (lengths >= shortest))
        if len(able) < 2:
            raise InputError(
                f"the read-out {self.name!r} needs two or more units of at least {shortest} rows that failed, "
                f"there are {len(able)}. Leave it out, or lower n_states or order."
            )
        ranked = able[np.argsort(lengths[able], kind="stable")]
        chosen = ranked[np.unique(np.linspace(0, len(ranked) - 1, self.most).round().astype(int))]
        found = _own_models(model, view, chosen, self.steps)
        return {**found._asdict(), "life": lengths[chosen] - 1.0, "cap": np.asarray(lives.cap)}

    def estimate(self, view: View, learned: Learned, asked: np.ndarray) -> Estimate:
        """Mean and spread over the library."""
        params = ARPHMMParams(*(learned[name] for name in ARPHMMParams._fields))
        lengths = view.recording.lengths
        rows = view.fit.model.evidence_rows(params, padded(view.level, view.rows), lengths)
        evidence = np.concatenate([rows[:, n, :length] for n, length in enumerate(lengths)], axis=1)[:, asked]
        age = view.age[asked]
        left = learned["life"][:, None] - view.rows.position[asked]
        lived, left = left >= 0, np.clip(left, 0.0, float(learned["cap"]))
        best = np.where(lived, evidence, -np.inf).max(axis=0)
        score = np.where(lived, evidence - np.where(np.isfinite(best), best, 0.0), -np.inf)
        weight = np.exp(score / (float(self.temperature) * age))
        total = np.where(lived.any(axis=0), weight.sum(axis=0), np.nan)
        mean = (weight * left).sum(axis=0) / total
        sd = np.sqrt((weight * (left - mean) ** 2).sum(axis=0) / total)
        is_known = (age > view.fit.model.skipped) & ~np.isnan(view.level[asked]).any(axis=1)
        return Estimate(np.where(is_known, mean, np.nan), np.where(is_known, sd, np.nan))


def _own_models(model: ARPHMM, view: View, chosen: np.ndarray, steps: int) -> ARPHMMParams:
    """Parameters of each chosen unit, leading axis units; the priors keep the units of the whole fleet."""
    ids = np.asarray(view.recording.ids)
    units = view.recording.take(ids[chosen])
    selected = model.select(units, for_training=True, use_knowledge=False)
    data: Any = on_device(selected.data)
    start = on_device(ARPHMMParams(*view.fit.params))
    return ARPHMMParams(*(np.asarray(leaf) for leaf in _adapted(model, start, data, steps)))


@compiled(static=(0, 3))
def _adapted(model: ARPHMM, start: ARPHMMParams, data: Any, steps: int) -> ARPHMMParams:
    shared = {"scale": data.scale}
    along = data._replace(scale=None)

    def one(own: Any) -> ARPHMMParams:
        alone = jax.tree.map(lambda leaf: leaf[None], own)._replace(**shared)
        move = lambda params, _: (model.em_step(params, alone, use_prior=True).params, None)  # noqa: E731
        return jax.lax.scan(move, start, None, length=steps)[0]

    return jax.lax.map(one, along)
