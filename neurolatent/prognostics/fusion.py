r"""Read-outs joined into one estimate, and how far they leave it open, from answers on units that were held out.

.. math::
    m = \sum_j w_j m_j, \quad w \ge 0, \quad \sum_j w_j = 1, \qquad
    s = \bar u^{1 - \gamma} u^\gamma + a_3\,\mathrm{share\ lost}, \quad
    u = a_0 + a_1\,\mathrm{disagreement} + a_2\,\mathrm{own\ spread}, \quad a \ge 0,

w by least squares on the capped life, drawn towards weights in proportion to an inverse power of each read-out's mean
square error, so that read-outs that say the same share their weight; a by non-negative least squares on the absolute
errors of m. The disagreement is the weighted standard deviation of the read-outs, their own spread that of their
predictive distributions (of the posterior's draws, where there are some), the share lost that of the sensors that have
stopped speaking. :math:`\bar u` is the mean of u, and :math:`\gamma` says how far rows differ in their spread: the
calibration chooses it, since it knows already that errors depend on m.

Reference: specification of the ARPHMM, section 9 (fusion); stacking by non-negative least squares: Breiman (1996),
Stacked regressions, Machine Learning 24:49-64. Sum to one and pull are ours: chosen on the training units of FD001 and
FD003, where plain non-negative weights were 1 % worse than the best read-out, and these are 1 to 2 % better.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

from neurolatent.prognostics.readout import weighted_rows

PULL, POWER = 0.1, 4  # towards weights in proportion to mse^-4: ours, chosen on training units as above
EXACT = 1e4  # weight of the equation that the weights sum to one
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
    usual: Float[np.ndarray, ""]  # the mean spread, steps
    contrast: Float[np.ndarray, ""]  # gamma: 0, all rows have the usual spread; 1, each its own
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
    weight = np.ones(1) if count == 1 else _weights(filled, target[usable], root)
    largest = float(min(cap, target.max()))
    blank = Fusion(weight, np.zeros(4), np.asarray(1.0), np.asarray(1.0), np.asarray(largest))
    parts, mean = _spread_parts(answers, blank)
    error = np.abs(target - mean)[usable]
    spread = nnls(parts[usable] * root[:, None], error * root)[0]
    usual = np.average(parts[usable][:, :3] @ spread[:3], weights=row_weight[usable])
    return blank._replace(spread=spread, usual=np.asarray(max(usual, LEAST_SPREAD * largest)))


def _weights(
    answers: Float[np.ndarray, "rows readouts"], target: Float[np.ndarray, " rows"], root: Float[np.ndarray, " rows"]
) -> Float[np.ndarray, " readouts"]:
    """Non-negative weights that sum to one; ``root`` is the square root of each row's weight."""
    count = answers.shape[1]
    error = np.average((answers - target[:, None]) ** 2, axis=0, weights=root**2)
    prior = (np.maximum(error, 1e-12) / error.min().clip(1e-12)) ** -POWER
    prior /= prior.sum()
    pull = np.sqrt(PULL * (root**2).sum()) * answers.std(axis=0).mean()
    table = np.vstack([answers * root[:, None], pull * np.eye(count), EXACT * root.sum() * np.ones((1, count))])
    aim = np.concatenate([target * root, pull * prior, [EXACT * root.sum()]])
    weight = nnls(table, aim)[0]
    return weight / weight.sum()


def join(answers: Answers, fusion: Fusion) -> Joined:
    """The joined estimate; read-outs without an answer are replaced by the mean of the others."""
    parts, mean = _spread_parts(answers, fusion)
    least = LEAST_SPREAD * float(fusion.cap)
    own = np.maximum(weighted_rows(parts[:, :3], fusion.spread[:3]), least)
    spread = float(fusion.usual) * (own / float(fusion.usual)) ** float(fusion.contrast)
    spread = spread + fusion.spread[3] * parts[:, 3]
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
