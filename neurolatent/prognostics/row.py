"""One line of the comparison: some read-outs joined, with their weights and their calibrated distribution."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from neurolatent.prognostics.calibration import LEVELS, Calibration, Past, alone, calibrated, quantiles, score
from neurolatent.prognostics.fusion import Answers, Fusion, Joined, fuse, join
from neurolatent.prognostics.out_of_fold import HeldOut, OutOfFold

CONTRASTS = (1.0, 0.5, 0.0)  # from a spread of its own for every row to one for all; of equal ones the first


class Row(NamedTuple):
    """Read-outs by their columns among all answers, how they are joined, and how their errors lie."""

    columns: list[int]
    fusion: Fusion
    calibration: Calibration


class Told(NamedTuple):
    """What a row says, in steps."""

    mean: Float[np.ndarray, " asked"]
    spread: Float[np.ndarray, " asked"]
    quantile: Float[np.ndarray, "asked levels"]  # at LEVELS
    missing: Float[np.ndarray, " asked"]  # share of the weight that had no answer


def learn_row(held: HeldOut, columns: list[int], cap: float, neighbours: float) -> Row:
    """Weights, spread and calibration from held-out units.

    The weights and the errors come from the units as they are; what a lost sensor costs comes from the damaged copies
    too.
    """
    whole, both = held.whole, _joined_rows(held)
    plain = fuse(_columns(whole.answers, columns), np.minimum(whole.left, cap), whole.weight, cap)
    spread = fuse(_columns(both.answers, columns), np.minimum(both.left, cap), both.weight, cap).spread
    kinds = [plain._replace(spread=spread, contrast=np.asarray(gamma)) for gamma in CONTRASTS]
    told = [join(_columns(whole.answers, columns), kind) for kind in kinds]
    known = np.isfinite(told[0].mean)
    truth = (whole.left[known], whole.weight[known], whole.unit[known])
    pasts = [Past(t.mean[known], t.spread[known], *truth) for t in told]
    found = alone(pasts, neighbours=neighbours)
    best = int(np.argmin([score(past, one) for past, one in zip(pasts, found, strict=True)]))
    return Row(columns, kinds[best], calibrated(pasts[best], found[best], neighbours=neighbours))


def tell(row: Row, answers: Answers) -> Told:
    """What a row says of new answers; NaN where none of its read-outs had one."""
    joined: Joined = join(_columns(answers, row.columns), row.fusion)
    found = np.full((len(joined.mean), len(LEVELS)), np.nan)
    known = np.isfinite(joined.mean)
    found[known] = quantiles(row.calibration, joined.mean[known], joined.spread[known])
    return Told(joined.mean, joined.spread, found, joined.missing)


def cross_told(held: HeldOut, columns: list[int], cap: float, neighbours: float, *, folds: int, seed: int) -> Told:
    """What a row says of the held-out units, its weights and calibration learned from the other units each time.

    The read-outs behind the other units' answers have seen the unit that is asked, as in any stacking; its own answers
    come from read-outs that have not.
    """
    whole = held.whole
    size = len(whole.left)
    told = Told(np.full(size, np.nan), np.full(size, np.nan), np.full((size, len(LEVELS)), np.nan), np.zeros(size))
    order = np.random.default_rng(seed).permutation(np.unique(whole.unit))
    for part in np.array_split(order, min(folds, len(order))):
        others = HeldOut(*(h.take(np.flatnonzero(~np.isin(h.unit, part))) for h in held))
        mine = np.flatnonzero(np.isin(whole.unit, part))
        found = tell(learn_row(others, columns, cap, neighbours), whole.take(mine).answers)
        for leaf, new in zip(told, found, strict=True):
            leaf[mine] = new
    return told


def _columns(answers: Answers, columns: list[int]) -> Answers:
    return Answers(answers.mean[:, columns], answers.sd[:, columns], answers.lost)


def _joined_rows(held: HeldOut) -> OutOfFold:
    a, b = held.whole, held.damaged
    answers = Answers(*(np.concatenate(leaves) for leaves in zip(a.answers, b.answers, strict=True)))
    unit, position, left = (np.concatenate([x, y]) for x, y in zip(a[:3], b[:3], strict=True))
    return OutOfFold(unit, position, left, answers)
