"""Weights of read-outs against a general-purpose optimiser, and what the spread is made of."""

import numpy as np
import pytest
from scipy.optimize import minimize, nnls

from neurolatent.prognostics.fusion import LEAST_SPREAD, POWER, PULL, Answers, fuse, join


def answers(seed: int = 0, rows: int = 200) -> tuple[Answers, np.ndarray, np.ndarray]:
    """Three read-outs of different skill, the capped truth, and weights of rows."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 100, rows)
    mean = truth[:, None] + rng.normal(size=(rows, 3)) * [5.0, 10.0, 30.0] + [0.0, 3.0, 0.0]
    sd = np.abs(rng.normal(size=(rows, 3))) * [1.0, 2.0, 3.0]
    return Answers(mean, sd, np.zeros(rows)), truth, rng.uniform(0.5, 1.5, rows)


def test_weights_minimise_the_stated_objective_on_the_simplex():
    given, truth, weight = answers()
    error = np.average((given.mean - truth[:, None]) ** 2, axis=0, weights=weight)
    prior = error**-POWER / (error**-POWER).sum()
    pull = PULL * weight.sum() * given.mean.std(axis=0).mean() ** 2

    def objective(w: np.ndarray) -> float:
        return float((weight * (truth - given.mean @ w) ** 2).sum() + pull * ((w - prior) ** 2).sum())

    simplex = {"type": "eq", "fun": lambda w: w.sum() - 1}
    found = minimize(objective, np.full(3, 1 / 3), bounds=[(0, 1)] * 3, constraints=simplex, tol=1e-12).x
    np.testing.assert_allclose(fuse(given, truth, weight, 100.0).weight, found, atol=1e-4)


def test_read_outs_that_say_the_same_share_their_weight():
    given, truth, weight = answers()
    twice = Answers(given.mean[:, [0, 0, 1]], given.sd[:, [0, 0, 1]], given.lost)
    found = fuse(twice, truth, weight, 100.0).weight
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
    assert found.sum() == pytest.approx(1.0)


def test_one_read_out_is_itself():
    given, truth, weight = answers()
    alone = Answers(given.mean[:, [1]], given.sd[:, [1]], given.lost)
    fusion = fuse(alone, truth, weight, 100.0)
    assert fusion.weight.tolist() == [1.0]
    np.testing.assert_array_equal(join(alone, fusion).mean, np.clip(given.mean[:, 1], 0.0, float(fusion.cap)))


def test_spread_is_the_non_negative_regression_of_errors():
    given, truth, weight = answers()
    given = given._replace(lost=np.random.default_rng(1).choice([0.0, 0.2], 200))
    fusion = fuse(given, truth, weight, 100.0)
    joined = join(given, fusion)
    centre = given.mean @ fusion.weight
    apart = np.sqrt(((given.mean - centre[:, None]) ** 2) @ fusion.weight)
    parts = np.stack([np.ones(200), apart, given.sd @ fusion.weight, given.lost], axis=1)
    error = np.abs(truth - np.clip(centre, 0, fusion.cap))
    want = nnls(parts * np.sqrt(weight)[:, None], error * np.sqrt(weight))[0]
    np.testing.assert_allclose(fusion.spread, want, atol=1e-8)
    own = np.maximum(parts[:, :3] @ want[:3], LEAST_SPREAD * fusion.cap)
    np.testing.assert_allclose(joined.spread, own + parts[:, 3] * want[3])
    usual = np.average(parts[:, :3] @ want[:3], weights=weight)
    np.testing.assert_allclose(fusion.usual, usual)
    half = join(given, fusion._replace(contrast=np.asarray(0.5))).spread
    np.testing.assert_allclose(half, np.sqrt(own * usual) + parts[:, 3] * want[3])
    none = join(given, fusion._replace(contrast=np.asarray(0.0))).spread
    np.testing.assert_allclose(none, usual + parts[:, 3] * want[3])


def test_a_missing_answer_is_replaced_by_the_others():
    given, truth, weight = answers()
    fusion = fuse(given, truth, weight, 100.0)
    holed = given.mean.copy()
    holed[0, 0], holed[1] = np.nan, np.nan
    joined = join(given._replace(mean=holed), fusion)
    w = fusion.weight
    others = (w[1] * given.mean[0, 1] + w[2] * given.mean[0, 2]) / (w[1] + w[2])
    np.testing.assert_allclose(joined.mean[0], np.clip(others, 0, fusion.cap), rtol=1e-6)
    np.testing.assert_allclose(joined.missing[:3], [w[0], 1.0, 0.0], atol=1e-12)
    assert np.isnan(joined.mean[1])
    assert np.isfinite(joined.mean[2:]).all()


def test_rows_do_not_change_with_their_number():
    given, truth, weight = answers()
    fusion = fuse(given, truth, weight, 100.0)
    whole = join(given, fusion)
    part = join(Answers(given.mean[5:6], given.sd[5:6], given.lost[5:6]), fusion)
    for a, b in zip(part, whole, strict=True):
        np.testing.assert_array_equal(a, b[5:6])
