"""One line of the comparison: how far rows differ in their spread is chosen by what units say of one another."""

import numpy as np
import pytest

from neurolatent.prognostics.calibration import LEVELS, Past, alone, score
from neurolatent.prognostics.fusion import Answers, join
from neurolatent.prognostics.out_of_fold import HeldOut, OutOfFold
from neurolatent.prognostics.row import CONTRASTS, cross_told, learn_row, tell
from neurolatent.prognostics.scores import pinball_crps


def held(*, informative: bool, seed: int = 0) -> HeldOut:
    """One read-out whose own spread is that of its errors, or says nothing."""
    rng = np.random.default_rng(seed)
    unit, left = np.repeat(np.arange(60), 5), rng.uniform(0, 100, 300)
    sd = rng.choice([1.0, 20.0], 300)
    mean = np.clip(left + sd * rng.normal(size=300), 0, 120)
    told = sd if informative else rng.choice([1.0, 20.0], 300)
    whole = OutOfFold(unit, np.zeros(300, int), left, Answers(mean[:, None], told[:, None], np.zeros(300)))
    return HeldOut(whole, whole.take(np.arange(20)))


def test_spread_that_tells_is_kept_and_spread_that_does_not_is_dropped():
    kept = learn_row(held(informative=True), [0], 100.0, 1.0)
    assert float(kept.fusion.contrast) == 1.0
    dropped = held(informative=False)
    fusion = learn_row(dropped, [0], 100.0, 1.0).fusion
    spread = join(dropped.whole.answers, fusion).spread
    assert np.ptp(spread) < 0.35 * spread.mean()


def test_the_chosen_contrast_has_the_least_score_of_the_others():
    given = held(informative=True)
    row = learn_row(given, [0], 100.0, 0.5)
    whole, scores = given.whole, []
    for gamma in CONTRASTS:
        told = join(whole.answers, row.fusion._replace(contrast=np.asarray(gamma)))
        past = Past(told.mean, told.spread, whole.left, whole.weight, whole.unit)
        scores.append(score(past, alone([past], neighbours=0.5)[0]))
    assert CONTRASTS[int(np.argmin(scores))] == float(row.fusion.contrast)


@pytest.mark.slow
def test_a_held_out_unit_has_no_say_in_what_is_told_of_it():
    given = held(informative=True)
    mine = given.whole.unit == 7
    moved = given.whole._replace(left=np.where(mine, 100 - given.whole.left, given.whole.left))
    a, b = (
        cross_told(HeldOut(whole, given.damaged), [0], 100.0, 0.5, folds=60, seed=0) for whole in (given.whole, moved)
    )
    np.testing.assert_array_equal(a.quantile[mine], b.quantile[mine])
    assert not np.array_equal(a.quantile[~mine], b.quantile[~mine])


def test_told_distributions_beat_one_that_ignores_the_estimate():
    given, new = held(informative=True), held(informative=True, seed=1)
    told = tell(learn_row(given, [0], 100.0, 0.5), new.whole.answers)
    ignorant = np.tile(np.quantile(given.whole.left, LEVELS), (300, 1))
    own, other = (pinball_crps(q, LEVELS, new.whole.left).mean() for q in (told.quantile, ignorant))
    assert own < 0.4 * other
