r"""Predictive distributions of remaining life, calibrated on units that were held out.

The errors of held-out units, scaled by the spread that was announced, :math:`e_i = (r_i - m_i) / s_i`, are the
distribution: at a new estimate m with spread s remaining life is :math:`m + s e_i`, with more weight for rows whose
estimate was like m (a Gaussian kernel that reaches a fixed share of the rows, so that early and late life have errors
of their own). Every unit has the same weight in all. Then the distances from the median are stretched by a factor that
depends on m and on the level, chosen so that intervals cover in each third of the true remaining life too: given the
estimate they do without it, given the truth they do not, because estimates of far and of near lives are drawn inwards.

That is conformal in its idea, without the guarantee of the theory: rows of one unit are not exchangeable with those of
others, models of fewer units made the errors, and the stretch is fitted. So coverage is measured, by units held out of
the calibration too.

References: conformal predictive systems, Vovk, Shen, Manokhin and Xie (2019), Machine Learning 108:445-474; localised:
Guan (2023), Biometrika 110:33-50. The stretch is ours.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize

from neurolatent.prognostics.scores import at_level, interval_of, pinball_crps

LEVELS = np.arange(1, 100) / 100  # of the quantiles
CHECKED = (0.5, 0.8, 0.9)  # intervals that the stretch is chosen for
BLOCK = 2000  # rows of one matrix of weights
STIFFNESS = 1e-4  # holds the stretch near one where coverage hardly depends on it: ours
OF_ESTIMATE = 0.3  # weight of the thirds of the estimate beside those of the truth: ours
SOFT = (
    0.1  # steps over which the edge of an interval is softened while the stretch is chosen: ours; half a step counted
)
# lives at the edges of narrow intervals as outside, so that these came out too wide


class Past(NamedTuple):
    """What was told of held-out rows, and what came."""

    estimate: Float[np.ndarray, " rows"]  # steps
    spread: Float[np.ndarray, " rows"]  # steps
    life: Float[np.ndarray, " rows"]  # true remaining life, steps, not capped
    weight: Float[np.ndarray, " rows"]
    unit: Int[np.ndarray, " rows"]  # number of each row's unit


class Calibration(NamedTuple):
    """Held-out rows, sorted by their scaled error."""

    error: Float[np.ndarray, " rows"]  # (life - estimate) / spread
    estimate: Float[np.ndarray, " rows"]  # steps
    weight: Float[np.ndarray, " rows"]
    unit: Int[np.ndarray, " rows"]
    neighbours: Float[np.ndarray, ""]  # share of the rows that the kernel reaches
    knots: Float[np.ndarray, " knots"]  # estimates at which the stretch is given
    stretch: Float[np.ndarray, "checked knots"]  # one row for each interval of CHECKED


def calibrate(past: Past, *, neighbours: float) -> Calibration:
    """What held-out rows say of the errors.

    Args:
        neighbours: Share of the rows that the kernel reaches.
    """
    return calibrated(past, alone([past], neighbours=neighbours)[0], neighbours=neighbours)


def calibrated(past: Past, found: Float[np.ndarray, "rows levels"], *, neighbours: float) -> Calibration:
    """The same, where it is known what :func:`alone` says of the rows."""
    error = (past.life - past.estimate) / past.spread
    order = np.argsort(error, kind="stable")
    knots = np.unique(np.quantile(past.estimate, [1 / 6, 0.5, 5 / 6]))
    rows = (error[order], past.estimate[order], past.weight[order], past.unit[order])
    return Calibration(*rows, np.asarray(neighbours), knots, _stretch(found, past, knots))


def alone(pasts: Sequence[Past], *, neighbours: float) -> list[Float[np.ndarray, "rows levels"]]:
    """Quantiles that the other units' errors give each row, in steps, without the stretch; they may lie below zero.

    Args:
        pasts: The same rows, which differ in the spread that was told alone.
    """
    first, found = pasts[0], [np.empty((len(past.estimate), len(LEVELS))) for past in pasts]
    errors = [(past.life - past.estimate) / past.spread for past in pasts]
    orders = [np.argsort(error, kind="stable") for error in errors]
    for part in _blocks(len(first.estimate)):
        kernel = _kernel(first, neighbours, first.estimate[part], first.unit[part])
        for past, error, order, out in zip(pasts, errors, orders, found, strict=True):
            scaled = _scaled(kernel[:, order], error[order], LEVELS)
            out[part] = past.estimate[part, None] + past.spread[part, None] * scaled
    return found


def score(past: Past, found: Float[np.ndarray, "rows levels"]) -> float:
    """CRPS of what :func:`alone` found, steps."""
    return float(np.average(pinball_crps(np.maximum(found, 0.0), LEVELS, past.life), weights=past.weight))


def quantiles(
    calibration: Calibration,
    estimate: Float[np.ndarray, " asked"],
    spread: Float[np.ndarray, " asked"],
    *,
    unit: Int[np.ndarray, " asked"] | None = None,
    levels: Float[np.ndarray, " levels"] = LEVELS,
) -> Float[np.ndarray, "asked levels"]:
    """Quantiles of remaining life, steps, not below zero.

    Args:
        unit: Units whose own rows must not speak for them: rows that the calibration was made of.
    """
    out = np.empty((len(estimate), len(levels)))
    share = np.stack([np.interp(np.abs(2 * levels - 1), CHECKED, row) for row in np.eye(len(CHECKED))])
    for part in _blocks(len(estimate)):
        own = None if unit is None else unit[part]
        found = _scaled(
            _kernel(calibration, calibration.neighbours, estimate[part], own), calibration.error, np.append(levels, 0.5)
        )
        scaled, middle = found[:, :-1], found[:, -1:]
        here = [np.interp(estimate[part], calibration.knots, stretch)[:, None] for stretch in calibration.stretch]
        factor = sum(h * row for h, row in zip(here, share, strict=True))
        out[part] = estimate[part, None] + spread[part, None] * (middle + factor * (scaled - middle))
    return np.maximum(np.maximum.accumulate(out, axis=1), 0.0)


def _blocks(rows: int) -> list[slice]:
    """Parts of the rows whose matrices of weights fit in memory."""
    return [slice(begin, begin + BLOCK) for begin in range(0, rows, BLOCK)]


def _kernel(
    known: Past | Calibration, neighbours: float | np.ndarray, estimate: np.ndarray, unit: np.ndarray | None
) -> Float[np.ndarray, "asked rows"]:
    """Weight of each known row for each estimate.

    The kernel reaches the given share of the rows, among those that may speak: so some of them always do.
    """
    distance = np.abs(estimate[:, None] - known.estimate)
    speaks = np.ones(distance.shape, bool) if unit is None else unit[:, None] != known.unit
    far = np.where(speaks, distance, np.inf)
    reach = max(int(np.ceil(float(neighbours) * far.shape[1])), 1)
    width = np.partition(far, reach - 1, axis=1)[:, reach - 1]
    furthest = np.where(speaks, distance, 0.0).max(axis=1)
    width = np.maximum(np.minimum(width, furthest), 1e-9)
    return np.where(speaks, np.exp(-0.5 * (distance / width[:, None]) ** 2) * known.weight, 0.0)


def _scaled(
    kernel: Float[np.ndarray, "asked rows"], error: Float[np.ndarray, " rows"], levels: Float[np.ndarray, " levels"]
) -> Float[np.ndarray, "asked levels"]:
    """Weighted quantiles of the sorted errors, each of which stands at the middle of its weight."""
    sums = np.cumsum(kernel, axis=1)
    place = (sums - 0.5 * kernel) / sums[:, -1:]
    return np.stack([np.interp(levels, row, error) for row in place])


def _stretch(found: np.ndarray, past: Past, knots: Float[np.ndarray, " knots"]) -> Float[np.ndarray, "checked knots"]:
    """Factors at the knots under which coverage is nearest to what is promised, overall and in every third.

    Distances are stretched before they are cut at zero, and no life lies below a lower end that is cut there.
    """
    estimate, life = past.estimate, past.life
    groups = [(np.ones(len(life), bool), 1.0), *((g, 1.0) for g in thirds(life))]
    groups += [(g, OF_ESTIMATE) for g in thirds(estimate)]
    groups = [(g * past.weight, share) for g, share in groups if g.any()]
    means, shares = np.stack([g / g.sum() for g, _ in groups]), np.array([share for _, share in groups])
    middle = at_level(found, LEVELS, 0.5)
    side = np.where(life >= middle, 1.0, -1.0)

    def best(level: float) -> np.ndarray:
        low, high = interval_of(found, LEVELS, level)
        reach = np.where(side > 0, high, low) - middle

        def loss(log_factor: np.ndarray) -> float:
            end = middle + np.interp(estimate, knots, np.exp(log_factor)) * reach
            beyond = np.where((side < 0) & (end <= 0), -np.inf, side * (life - np.maximum(end, 0.0)))
            inside = 1 / (1 + np.exp(np.clip(beyond / SOFT, -50, 50)))  # a step, softened so that it can be descended
            return float(shares @ (means @ inside - level) ** 2) + STIFFNESS * float((log_factor**2).sum())

        options = {"xatol": 1e-3, "fatol": 1e-8, "initial_simplex": _simplex(len(knots))}
        return np.exp(minimize(loss, np.zeros(len(knots)), method="Nelder-Mead", options=options).x)

    return np.stack([best(level) for level in CHECKED])


def _simplex(size: int) -> Float[np.ndarray, "corners knots"]:
    """Starting points a tenth apart: a search from zero would begin with steps that change nothing."""
    return np.concatenate([np.zeros((1, size)), 0.1 * np.eye(size)])


def thirds(values: Float[np.ndarray, " rows"]) -> list[np.ndarray]:
    """Masks of the lower, middle and upper third of the range between the smallest and the largest value."""
    edges = np.linspace(values.min(), values.max(), 4)
    place = np.clip(np.searchsorted(edges[1:3], values, side="right"), 0, 2)
    return [place == k for k in range(3)]


def chance_below(
    found: Float[np.ndarray, "asked levels"], steps: float, levels: Float[np.ndarray, " levels"] = LEVELS
) -> Float[np.ndarray, " asked"]:
    """P(remaining life <= steps) from quantiles; at most the outermost levels."""
    return np.array([np.interp(steps, row, levels, left=0.0) if np.isfinite(row).all() else np.nan for row in found])
