"""Remaining life from a library of lives: the training units whose course so far is most alike (read-out R4).

Each training unit brings its own view: a robust regression of health on the sensors of its life alone. A running unit
of age L is seen through every view and compared with that view's unit over their first min(L, T) rows, both cut off
there before their bands are drawn: what a library unit did later, and what the running unit will do, is not looked at.

Reference: Ramasso (2014), RULCLIPPER, IJPHM 5:005. Where a fleet runs in several regimes, the sensors are normalised by
regime first; the original has one view per unit and regime.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from neurolatent.checks import whole_number, within
from neurolatent.ops.envelopes import band, centred_mean, overlap, stays_apart
from neurolatent.preparation import Learned
from neurolatent.preparation.causal import carried
from neurolatent.preparation.channels import moments, pick, silent, text
from neurolatent.preparation.health_indicator import target
from neurolatent.prognostics.readout import Estimate, Lives, weighted_rows
from neurolatent.prognostics.view import View

LEAST_ROWS = 8  # below it a band is all edge: no answer
ENDED = 10.0  # remaining life said by a unit that had failed before this age (authors' code)
SMOOTH, RECENT = 15, 36  # points of the average and of the look-back of the rule that rejects (authors' code)
LEAST_SIMILAR = 0.5  # similarity below which a unit does not count among the extremes (authors' code)


@dataclass(frozen=True)
class Similarity:
    """Lives of the nearest training units.

    Attributes:
        window: Points of the moving average between the envelopes.
        n_first: First rows whose mean is each unit's own zero, a quarter of the rows seen at most.
        nearest: Units in the weighted mean.
        extremes: Units among which the smallest and the largest life are looked for.
        alpha: Weight of the smallest among the extremes.
    """

    signal: str = "sensors"  # the modelled signal where there is none of that name
    channels: tuple[str, ...] = ()  # of the signal; () for all that change
    window: int = 15  # the paper; its code has 23
    n_first: int = 50  # authors' code
    nearest: int = 7  # FD001 rule of the paper: mw_7
    extremes: int = 11  # FD001 rule of the paper
    alpha: float | int = 0.9  # FD001 rule of the paper

    def __post_init__(self) -> None:
        for name in ("window", "n_first", "nearest", "extremes"):
            whole_number(name, getattr(self, name), 1)
        within("alpha", self.alpha, 0.0, 1.0)

    @property
    def name(self) -> str:
        """For figures and tables."""
        return "similarity"

    @property
    def uses_states(self) -> bool:
        """Whether the model's hidden states have a part in the answer."""
        return False

    def learn(self, view: View, lives: Lives, *, seed: int) -> Learned:
        """View, course under it and length of every unit that failed."""
        name = self.signal if self.signal in view.recording.signals else view.fit.facts["signal"]
        signal = view.recording.signal(name)
        channels = text(list(self.channels) or signal.names)
        channels = channels[~silent(pick(view.recording, name, channels))]
        sensors, mean = _sensors(view, name, channels), moments(signal.values, signal.observed).mean
        mean = np.asarray([mean[signal.names.index(str(c))] for c in channels])
        parts = [view.rows.slices[n] for n in np.flatnonzero(lives.failed)]
        lengths = np.array([part.stop - part.start for part in parts])
        views, curves = [], np.full((len(parts), lengths.max()), np.nan)
        for row, part in enumerate(parts):
            x = _with_one(np.where(np.isnan(sensors[part]), mean, sensors[part]))
            views.append(bisquare(x, target(len(x), len(channels))))
            curves[row, : lengths[row]] = weighted_rows(x, views[-1])
        return {
            "views": np.stack(views),
            "curves": curves,
            "lengths": lengths,
            "mean": mean,
            "channels": channels,
            "signal": text([name]),
            "cap": np.asarray(lives.cap),
        }

    def estimate(self, view: View, learned: Learned, asked: np.ndarray) -> Estimate:
        """Half the weighted mean of the nearest, half the mix of the extremes, and the spread of the nearest."""
        mean, sd = np.full(len(asked), np.nan), np.full(len(asked), np.nan)
        sensors = _sensors(view, str(learned["signal"][0]), learned["channels"])
        seen = _with_one(np.where(np.isnan(sensors), learned["mean"], sensors))
        ages, library = view.age[asked], None
        for place in np.argsort(ages, kind="stable"):
            age, row = int(ages[place]), int(asked[place])
            if age < LEAST_ROWS or np.isnan(sensors[row]).all():
                continue
            if library is None or library.age != age:
                library = _library(learned, age, self)
            own = _seen_through(learned["views"], seen[row - age + 1 : row + 1])
            mean[place], sd[place] = self._one(own, library, learned)
        return Estimate(mean, sd)

    def _one(self, own: np.ndarray, library: "Library", learned: Learned) -> tuple[float, float]:
        score = _similarities(own, library, self)
        score[_is_same(own, learned)] = 0.0  # the unit itself must not tell its own future
        left = learned["lengths"] - library.age
        life = np.minimum(np.where(left < 0, ENDED, left), float(learned["cap"]))
        order = np.argsort(-score, kind="stable")
        near, far = order[: self.nearest], order[: self.extremes]
        far = far[score[far] > LEAST_SIMILAR]
        weight = score[near]
        if not weight.sum() > 0:
            return np.nan, np.nan
        centre = float((weight * life[near]).sum() / weight.sum())
        spread = float(np.sqrt((weight * (life[near] - centre) ** 2).sum() / weight.sum()))
        if len(far):
            extreme = self.alpha * life[far].min() + (1 - self.alpha) * life[far].max()
            centre = 0.5 * centre + 0.5 * float(extreme)
        return centre, spread


class Library(NamedTuple):
    """Library units cut at one age."""

    age: int
    curves: Float[np.ndarray, "units time"]  # offset so that each starts at one
    lengths: Int[np.ndarray, " units"]  # of the cut curves
    is_young: Bool[np.ndarray, " units"]  # lived on for as long again, at least


def _library(learned: Learned, age: int, settings: Similarity) -> Library:
    lengths = np.minimum(learned["lengths"], age)
    curves = np.full((len(lengths), age), np.nan)
    known = learned["curves"][:, :age]
    curves[:, : known.shape[1]] = known
    return Library(age, _offset(curves, lengths, settings.n_first), lengths, age <= learned["lengths"] / 2)


def _similarities(own: np.ndarray, library: Library, settings: Similarity) -> Float[np.ndarray, " units"]:
    lengths = library.lengths
    copies = _offset(own, lengths, settings.n_first)
    mine, theirs = band(copies, lengths, settings.window), band(library.curves, lengths, settings.window)
    score = overlap(mine, theirs, lengths)
    recent = slice(max(library.age - RECENT, 0), None)
    smooth = [centred_mean(c, lengths, SMOOTH)[:, recent] for c in (copies, library.curves)]
    return np.where(library.is_young & stays_apart(*smooth), 0.0, score)


def _offset(curves: np.ndarray, lengths: np.ndarray, n_first: int) -> np.ndarray:
    """Curves moved so that their first values have mean one; what stands after the end becomes zero."""
    place = np.arange(curves.shape[1])
    inside = place < lengths[:, None]
    count = np.maximum(np.minimum(n_first, np.round(lengths / 4)), 1)[:, None]
    begin = np.where(inside & (place < count) & ~np.isnan(curves), curves, 0.0).sum(axis=1, keepdims=True) / count
    return np.where(inside, curves + 1.0 - begin, 0.0)


def _is_same(own: np.ndarray, learned: Learned) -> Bool[np.ndarray, " units"]:
    """Library units whose course under their own view is exactly this one: the unit itself."""
    size = min(own.shape[1], learned["curves"].shape[1])
    return (learned["curves"][:, :size] == own[:, :size]).all(axis=1)


def _sensors(view: View, name: str, channels: np.ndarray) -> Float[np.ndarray, "rows channels"]:
    """Values of the chosen channels; a missing one keeps the last, and is NaN before the first."""
    signal = pick(view.recording, name, channels)
    return carried(np.where(signal.observed, signal.values, np.nan).astype(float), view.rows)


def _with_one(x: Float[np.ndarray, "rows channels"]) -> Float[np.ndarray, "rows regressors"]:
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def _seen_through(
    views: Float[np.ndarray, "units regressors"], x: Float[np.ndarray, "time regressors"]
) -> Float[np.ndarray, "units time"]:
    """One unit's course under every view, column by column, so that no row changes with the number of the others."""
    out = np.zeros((len(views), len(x)))
    for column in range(x.shape[1]):
        out += views[:, column, None] * x[:, column]
    return out


def bisquare(
    x: Float[np.ndarray, "rows regressors"],
    y: Float[np.ndarray, " rows"],
    *,
    tuning: float = 4.685,
    steps: int = 20,
    ridge: float = 1e-6,
) -> Float[np.ndarray, " regressors"]:
    r"""Robust regression by iterated weighted least squares with Tukey's bisquare weights.

    Residuals are scaled by the median absolute deviation / 0.6745; the weight is :math:`(1 - (u / 4.685)^2)^2` within.

    Args:
        ridge: Penalty relative to the mean square of each regressor, for sensors that say the same; 0 for none.

    Reference: the usual defaults of robust regression, named by Ramasso (2014), IJPHM 5:005.
    """
    size = ridge * np.maximum((x**2).mean(axis=0), 1e-12) * np.eye(x.shape[1])
    found = np.linalg.solve(x.T @ x / len(y) + size, x.T @ y / len(y))
    for _ in range(steps):
        residual = np.abs(y - weighted_rows(x, found))
        scale = max(float(np.median(residual)) / 0.6745, 1e-9)
        weight = np.where(residual < tuning * scale, (1 - (residual / (tuning * scale)) ** 2) ** 2, 0.0)
        weighted = x * weight[:, None]
        found = np.linalg.solve(weighted.T @ x / len(y) + size, weighted.T @ y / len(y))
    return found
