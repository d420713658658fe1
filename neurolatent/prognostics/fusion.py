r"""Read-outs joined into one estimate, and how far they leave it open, from answers on units that were held out.

.. math:: m = \sum_j w_j m_j, \quad w \ge 0, \qquad s = a_0 + a_1\,\mathrm{disagreement} + a_2\,\mathrm{own\ spread} +
    a_3\,\mathrm{share\ missing}, \quad a \ge 0,

w by non-negative least squares on the capped life, a by non-negative least squares on the absolute errors of m. The
disagreement is the weighted standard deviation of the read-outs, their own spread that of their predictive
distributions (of the posterior's draws, where there are some).

Reference: specification of the ARPHMM, section 9 (fusion); stacking by non-negative least squares: Breiman (1996),
Stacked regressions, Machine Learning 24:49-64.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

from neurolatent.prognostics.readout import weighted_rows

LEAST_SPREAD = 0.02  # of the cap: ours, no estimate is taken for exact


class Answers(NamedTuple):
    """What read-outs said at some rows; NaN where one had no answer."""

    mean: Float[np.ndarray, "rows readouts"]
    sd: Float[np.ndarray, "rows readouts"]
    lost: Float[np.ndarray, " rows"]  # share of the sensors that have stopped speaking


class Fusion(NamedTuple):
    """How read-outs are joined."""

    weight: Float[np.ndarray, " readouts"]
    spread: Float[np.ndarray, " four"]
    cap: Float[np.ndarray, ""]  # steps


class Joined(NamedTuple):
    """One estimate a row."""

    mean: Float[np.ndarray, " rows"]  # steps, between 0 and the cap; NaN where no read-out had an answer
    spread: Float[np.ndarray, " rows"]  # steps, before calibration
    missing: Float[np.ndarray, " rows"]  # share of the weight whose read-outs had no answer


def fuse(
    answers: Answers, target: Float[np.ndarray, " rows"], row_weight: Float[np.ndarray, " rows"], cap: float
) -> Fusion:
    """The weights that suit held-out units best.

    Args:
        target: Capped remaining life, steps.
        row_weight: Of each row; rows of one unit share its weight.
    """
    count = answers.mean.shape[1]
    usable = np.isfinite(answers.mean).any(axis=1)
    filled, _ = _filled(answers.mean[usable], np.ones(count))
    root = np.sqrt(row_weight[usable])
    weight = np.ones(1) if count == 1 else nnls(filled * root[:, None], target[usable] * root)[0]
    if not weight.sum() > 0:
        weight = np.full(count, 1 / count)
    largest = float(min(cap, target.max()))
    blank = Fusion(weight, np.zeros(4), np.asarray(largest))
    parts, mean = _spread_parts(answers, blank)
    error = np.abs(target - mean)[usable]
    spread = nnls(parts[usable] * root[:, None], error * root)[0]
    return blank._replace(spread=spread)


def join(answers: Answers, fusion: Fusion) -> Joined:
    """The joined estimate; read-outs without an answer are replaced by the mean of the others."""
    parts, mean = _spread_parts(answers, fusion)
    spread = np.maximum(weighted_rows(parts, fusion.spread), LEAST_SPREAD * float(fusion.cap))
    gone = np.isnan(answers.mean) * fusion.weight
    return Joined(mean, spread, gone.sum(axis=1) / fusion.weight.sum())


def _spread_parts(answers: Answers, fusion: Fusion) -> tuple[np.ndarray, np.ndarray]:
    """What the spread is made of (rows, 4), and the joined mean."""
    filled, seen = _filled(answers.mean, fusion.weight)
    share = fusion.weight / fusion.weight.sum()
    centre = weighted_rows(filled, share)
    apart = np.sqrt(weighted_rows((filled - centre[:, None]) ** 2, share))
    own = weighted_rows(np.where(np.isnan(answers.sd), 0.0, answers.sd), share)
    mean = np.clip(weighted_rows(filled, fusion.weight), 0.0, float(fusion.cap))
    mean = np.where(seen.any(axis=1), mean, np.nan)
    return np.stack([np.ones_like(apart), apart, own, answers.lost], axis=1), mean


def _filled(mean: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Missing answers replaced by the weighted mean of the others, and which were there."""
    seen = ~np.isnan(mean)
    trust = np.maximum(weight, 1e-9)  # so that read-outs without weight still stand in where all others are missing
    total = weighted_rows(seen.astype(float), trust)
    middle = weighted_rows(np.where(seen, mean, 0.0), trust) / np.where(total > 0, total, 1.0)
    return np.where(seen, mean, middle[:, None]), seen
