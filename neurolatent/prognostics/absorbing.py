"""Remaining life by the time to absorption, at any row (read-out R2): see :mod:`neurolatent.prognostics.absorption`."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from neurolatent.checks import one_of
from neurolatent.precision import in_double
from neurolatent.preparation import Learned
from neurolatent.prognostics.absorption import HORIZON, Absorption, life_by_place
from neurolatent.prognostics.readout import Estimate, Lives
from neurolatent.prognostics.view import View

Exits = Literal["last", "every"]


@dataclass(frozen=True)
class AbsorptionTime:
    """The chain alone: units fail from the places where training units ended.

    Attributes:
        exits: ``last``: from the last state only; ``every``: from wherever training units ended.
    """

    exits: Exits = "last"

    def __post_init__(self) -> None:
        one_of("exits", self.exits, get_args(Exits))

    @property
    def name(self) -> str:
        """For figures and tables."""
        return "absorption"

    @property
    def uses_states(self) -> bool:
        """Whether the model's hidden states have a part in the answer."""
        return True

    @in_double
    def learn(self, view: View, lives: Lives, *, seed: int) -> Learned:
        """Mean and mean square of the capped life from each place, per parameter set of the fit."""
        leaving = Absorption.of(view.fit, exits=self.exits).leaving
        capped = np.minimum(np.arange(HORIZON + 1.0), lives.cap)
        first, second = [], []
        for params in view.sets:
            inside = life_by_place(leaving, view.fit.model.chain_transition(params))
            mass = np.concatenate([inside, 1 - inside.sum(axis=1, keepdims=True)], axis=1)
            first.append(mass @ capped)
            second.append(mass @ capped**2)
        return {"mean": np.stack(first), "square": np.stack(second)}

    def estimate(self, view: View, learned: Learned, asked: np.ndarray) -> Estimate:
        """Mean and spread of the capped time to absorption, averaged over the belief and the parameter sets."""
        return moments_over_places(view.beliefs[:, asked], learned["mean"], learned["square"])


def moments_over_places(beliefs: np.ndarray, mean: np.ndarray, square: np.ndarray) -> Estimate:
    """Moments of a mixture, from beliefs (sets, rows, places) and moments (sets, places)."""
    places, sets = beliefs.shape[2], len(beliefs)
    first = sum(beliefs[s, :, p] * mean[s, p] for s in range(sets) for p in range(places))
    second = sum(beliefs[s, :, p] * square[s, p] for s in range(sets) for p in range(places))
    found = np.asarray(first) / sets
    return Estimate(found, np.sqrt(np.maximum(np.asarray(second) / sets - found**2, 0.0)))
