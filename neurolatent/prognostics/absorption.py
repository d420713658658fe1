r"""Remaining life as the time to absorption in a failure state: the read-out that the chain alone allows.

From the last state(s) a unit fails with probability :math:`a` per step; with :math:`Q = \mathrm{diag}(1 - a) A` and the
filtered belief :math:`q`, failure comes with step m with probability :math:`q Q^{m-1} a`. The last row of a unit has no
step left, so the remaining life is :math:`m - 1`.

It is the weakest read-out of remaining life: stays in a state are close to geometric, whatever the signal does inside
the state. More sub-states make them less dispersed; read-outs that look at the signal do better.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from jaxtyping import Float

from neurolatent.checks import InputError
from neurolatent.precision import in_double
from neurolatent.result import Fit

HORIZON = 2000  # steps beyond which a life is called open


@dataclass(frozen=True)
class Absorption:
    """The read-out, learned from where training units ended.

    Attributes:
        leaving: (places,) probability to fail at a step, in each place of the chain.
    """

    leaving: np.ndarray

    @classmethod
    def of(cls, fit: Fit, *, exits: Literal["last", "every"] = "last") -> "Absorption":
        """The read-out of a fit: expected ends of failed training units over expected steps, per place.

        Args:
            exits: ``last``: units fail from the last state only, from any of its sub-states, since those that end in
                its first ones would be forgotten else and lives come out too long; ``every``: from wherever training
                units ended.

        Raises:
            InputError: No training unit ran to failure.
        """
        failed = fit.facts.get("failed")
        if failed is None or not any(failed):
            raise InputError(
                "remaining life needs training units that ran to failure, and none is known to have. "
                "Load the training data with failed=True."
            )
        latents: Any = fit.idata["latents"]
        ends = latents["ends"].values[np.asarray(failed, bool)].sum(axis=0)
        steps = np.maximum(latents["occupancy"].values.sum(axis=0), 1e-12)
        leaving = np.clip(ends / steps, 0.0, 1.0)
        if exits == "last":
            leaving[: -fit.model.n_substates] = 0.0
        return cls(leaving)

    @in_double
    def distribution(self, fit: Fit, belief: Float[np.ndarray, "units places"]) -> Float[np.ndarray, "units steps"]:
        """P(remaining life = r) for r = 0, 1, ..., averaged over the fit's parameter sets; the rest lies beyond."""
        parts = [life_by_place(self.leaving, fit.model.chain_transition(params)) for params in fit.parameter_sets()]
        return np.asarray(belief, float) @ np.mean(parts, axis=0)

    @in_double
    def expected(self, fit: Fit, belief: Float[np.ndarray, "units places"]) -> Float[np.ndarray, " units"]:
        r"""Mean remaining life in steps, :math:`q (I - Q)^{-1} 1 - 1`, at the fit's point estimate.

        Infinite for every unit where some place of the chain may be kept forever.
        """
        stay = (1 - self.leaving)[:, None] * fit.model.chain_transition(fit.params)
        if np.abs(np.linalg.eigvals(stay)).max() >= 1:
            return np.full(len(belief), np.inf)
        return np.asarray(belief) @ np.linalg.solve(np.eye(len(stay)) - stay, np.ones(len(stay))) - 1


def life_by_place(
    leaving: Float[np.ndarray, " places"], transition: Float[np.ndarray, "places places"]
) -> Float[np.ndarray, "places steps"]:
    """P(remaining life = r | place now) for r = 0, 1, ...; what is missing to one lies beyond the horizon."""
    stay = (1 - leaving)[:, None] * transition
    out, alive = np.empty((len(leaving), HORIZON)), leaving.astype(float)
    for step in range(HORIZON):
        out[:, step] = alive
        alive = stay @ alive
    return out


def quantiles(distribution: Float[np.ndarray, "units steps"], levels: tuple[float, ...]) -> np.ndarray:
    """(levels, units) remaining life in steps; infinite where the level lies beyond the horizon."""
    cumulative = np.cumsum(distribution, axis=1)
    out = np.full((len(levels), len(distribution)), np.inf)
    for row, level in enumerate(levels):
        reached = cumulative >= level - 1e-12
        found = reached.any(axis=1)
        out[row, found] = np.argmax(reached[found], axis=1)
    return out


def remaining_life(fit: Fit, latents: xr.Dataset, levels: tuple[float, ...] = (0.05, 0.5, 0.95)) -> np.ndarray:
    """(levels, units) quantiles of the remaining life of units, in steps of the clock.

    Args:
        latents: What ``fit.predict`` returned for the units.
    """
    return quantiles(Absorption.of(fit).distribution(fit, latents["belief"].values), levels)
