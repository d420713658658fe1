r"""Remaining life by drawing each unit's own course on to the level of failure: what every model has to beat.

A straight line is fitted robustly to the unit's values so far, or to the last of them (for the exponential curve to
their logarithms, so that the curve is :math:`y = A e^{b t}`), with t counted back from the row that is asked. With
:math:`y = a + b t` and the level :math:`\eta` the crossing lies :math:`(\eta - a) / b` steps ahead; the spread is
that of a, b and of the noise at the crossing,

.. math:: sd^2 = (v_{aa} + 2 m v_{ab} + m^2 v_{bb} + \sigma^2) / b^2, \quad m = (\eta - a) / b,

the first-order propagation of the fit's covariance. A course that leads away from the level never reaches it: the
answer is then the cap. Nothing but the level is learned from other units.

Reference: capacity as a sum of exponentials of the cycle: He, Williard, Osterman and Pecht (2011), J. Power Sources
196:10314-10321; the single term is ours, since two do not extrapolate stably from half a course.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float

from neurolatent.checks import one_of, whole_number
from neurolatent.preparation import Learned
from neurolatent.prognostics.failure_level import failure_level
from neurolatent.prognostics.readout import Estimate, Lives
from neurolatent.prognostics.similarity import bisquare
from neurolatent.prognostics.view import View

Curve = Literal["linear", "exponential"]
LEAST_ROWS = 5  # observed rows below which there is no answer: ours, two parameters and a spread of residuals
EXACT = 1e-12  # slope, relative to the level and per step, below which a course counts as flat


@dataclass(frozen=True)
class Extrapolation:
    """Linear or exponential extrapolation of the modelled signal.

    Attributes:
        curve: What the course is taken for.
        window: Latest rows that are fitted; None for all rows so far.
    """

    curve: Curve = "linear"
    window: int | None = None

    def __post_init__(self) -> None:
        one_of("curve", self.curve, get_args(Curve))
        if self.window is not None:
            whole_number("window", self.window, LEAST_ROWS)

    @property
    def name(self) -> str:
        """For figures and tables."""
        return f"{self.curve}_extrapolation"

    @property
    def uses_states(self) -> bool:
        """Whether the model's hidden states have a part in the answer."""
        return False

    def learn(self, view: View, lives: Lives, *, seed: int) -> Learned:
        """The level of failure and the side from which it is reached."""
        level, sign = failure_level(view, lives, self.name)
        return {"level": np.asarray(level), "sign": np.asarray(sign), "cap": np.asarray(lives.cap)}

    def estimate(self, view: View, learned: Learned, asked: np.ndarray) -> Estimate:
        """Steps to the crossing, capped; no answer before five observed rows."""
        values = view.fit.model.modelled_values(view.recording)[:, 0]
        found = [self._one(values[view.rows.start[row] : row + 1], learned) for row in asked]
        return Estimate(np.array([f.mean for f in found]), np.array([f.sd for f in found]))

    def _one(self, past: Float[np.ndarray, " rows"], learned: Learned) -> "Crossed":
        level, cap = float(learned["level"]), float(learned["cap"])
        time = np.arange(1.0 - len(past), 1.0)
        begin = 0 if self.window is None else max(len(past) - self.window, 0)
        seen = np.flatnonzero(~np.isnan(past[begin:])) + begin
        time, past = time[seen], past[seen]
        if len(past) < LEAST_ROWS:
            return Crossed(np.nan, np.nan)
        if self.curve == "exponential":
            side = np.sign(level)  # a decay on one side of zero never comes to the other
            if side == 0 or not (side * past > 0).all():
                return Crossed(np.nan, np.nan)
            fall = float(learned["sign"]) * side
            return crossing(time, np.log(side * past), np.log(side * level), fall, cap)
        return crossing(time, past, level, float(learned["sign"]), cap)


class Crossed(NamedTuple):
    """Steps to the crossing and their spread."""

    mean: float
    sd: float


def crossing(
    time: Float[np.ndarray, " rows"], values: Float[np.ndarray, " rows"], level: float, sign: float, cap: float
) -> Crossed:
    """When a robust line through the values reaches the level, counted from time 0.

    Args:
        sign: 1 where values fall to the level, -1 where they rise to it.
        cap: The answer where the line does not reach it sooner; an infinite one makes that no answer.
    """
    x = np.stack([np.ones_like(time), time], axis=1)
    a, b = bisquare(x, values, ridge=0.0)
    if sign * (a - level) <= 0:
        ahead = 0.0  # the line is there already
    else:
        ahead = (level - a) / b if sign * b < -EXACT * max(abs(level), abs(a)) else np.inf
    never = np.nan if np.isinf(cap) else cap
    if not np.isfinite(ahead):
        return Crossed(never, never)
    residual = values - a - b * time
    noise = float((residual**2).sum()) / (len(time) - 2)
    v = noise * np.linalg.inv(x.T @ x)
    spread = np.sqrt(max(v[0, 0] + 2 * ahead * v[0, 1] + ahead**2 * v[1, 1] + noise, 0.0)) / max(abs(b), 1e-300)
    return Crossed(float(min(ahead, cap)), float(min(spread, cap)))
