"""Remaining life from age alone: that of the training units which lived longer. Always has an answer."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from neurolatent.preparation import Learned
from neurolatent.prognostics.readout import Estimate, Lives
from neurolatent.prognostics.view import View


@dataclass(frozen=True)
class Survivors:
    """Mean and spread of the lives that training units had left at this age; beyond all of them, none."""

    @property
    def name(self) -> str:
        """For figures and tables."""
        return "survivors"

    @property
    def uses_states(self) -> bool:
        """Whether the model's hidden states have a part in the answer."""
        return False

    def learn(self, view: View, lives: Lives, *, seed: int) -> Learned:
        """Lives of the units that failed, sorted."""
        lengths = np.array([part.stop - part.start for part in view.rows.slices])[lives.failed]
        return {"life": np.sort(lengths) - 1.0, "cap": np.asarray(lives.cap)}

    def estimate(self, view: View, learned: Learned, asked: np.ndarray) -> Estimate:
        """Over the units that lived on."""
        left = [np.minimum(lives_left(learned, int(p)), float(learned["cap"])) for p in view.rows.position[asked]]
        return Estimate(np.array([v.mean() for v in left]), np.array([v.std() for v in left]))


def lives_left(learned: Learned, position: int) -> Float[np.ndarray, " survivors"]:
    """Steps that training units had left at this position in their life; one zero where none got so far."""
    left = learned["life"] - position
    return left[left >= 0] if (left >= 0).any() else np.zeros(1)
