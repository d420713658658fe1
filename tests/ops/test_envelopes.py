"""Bands and their overlap against plain loops."""

import numpy as np
import pytest
import statsmodels.api as sm

from neurolatent.ops.envelopes import Band, band, centred_mean, overlap, stays_apart
from neurolatent.prognostics.similarity import bisquare


def curves(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three padded curves; what stands after the end is rubbish."""
    rng = np.random.default_rng(seed)
    lengths = np.array([40, 25, 60])
    y = np.cumsum(0.2 * rng.normal(size=(3, 60)), axis=1) + rng.normal(size=(3, 60))
    return np.where(np.arange(60) < lengths[:, None], y, 1e6), lengths


def mean_twin(y: np.ndarray, window: int) -> np.ndarray:
    half = window // 2
    return np.array([y[max(t - half, 0) : t + half + 1].mean() for t in range(len(y))])


def band_twin(y: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    middle, ends = mean_twin(y, window), []
    for sign in (1, -1):
        chosen = [t for t in range(len(y)) if sign * (y[t] - middle[t]) > 0]
        edge = []
        for t in range(len(y)):
            before, after = [c for c in chosen if c <= t], [c for c in chosen if c >= t]
            near = [y[before[-1]]] if before else []
            near += [y[after[0]]] if after else []
            value = np.mean(near) if len(near) == 2 else near[0]
            if t < 4 or t >= len(y) - 4:
                value = sign * max(sign * middle[t], sign * y[t])
            edge.append(value)
        ends.append(np.array(edge))
    return np.maximum(*ends), np.minimum(*ends)


@pytest.mark.parametrize("window", [5, 15])
def test_bands_match_plain_loops_whatever_stands_after_the_end(window):
    y, lengths = curves()
    middle, got = centred_mean(y, lengths, window), band(y, lengths, window)
    for n, length in enumerate(lengths):
        np.testing.assert_allclose(middle[n, :length], mean_twin(y[n, :length], window), atol=1e-9)
        upper, lower = band_twin(y[n, :length], window)
        np.testing.assert_allclose(got.upper[n, :length], upper, atol=1e-9)
        np.testing.assert_allclose(got.lower[n, :length], lower, atol=1e-9)


def test_overlap_matches_plain_loops():
    (y, lengths), (other, _) = curves(0), curves(1)
    a, b = band(y, lengths, 15), band(other, lengths, 15)
    got = overlap(a, b, lengths)
    for n, length in enumerate(lengths):
        k = max(length // 15, 3)
        score = []
        for part in (range(k), range(k, length - k), range(length - k, length)):
            shared = sum(max(0.0, min(a.upper[n, t], b.upper[n, t]) - max(a.lower[n, t], b.lower[n, t])) for t in part)
            areas = [sum(x.upper[n, t] - x.lower[n, t] for t in part) for x in (a, b)]
            recall, precision = shared / areas[1], shared / areas[0]
            score.append(2 * recall * precision / (recall + precision) if shared else 0.0)
        assert got[n] == pytest.approx((score[0] + 2 * score[1] + 2 * score[2]) / 5)


def test_equal_bands_overlap_wholly_and_distant_ones_not_at_all():
    y, lengths = curves()
    one = band(y, lengths, 15)
    np.testing.assert_allclose(overlap(one, one, lengths), 1.0)
    far = Band(one.upper + 100, one.lower + 100)
    np.testing.assert_array_equal(overlap(one, far, lengths), 0.0)


def test_curves_that_stay_on_one_side_are_apart():
    up = np.ones((1, 36))
    assert stays_apart(up, 0 * up).tolist() == [True]
    sides = np.where(np.arange(36) % 2, 1.0, -1.0)[None]
    assert stays_apart(sides, 0 * up).tolist() == [False]
    late = np.concatenate([-np.ones((1, 18)), np.ones((1, 18))], axis=1)  # 18 * 0.8 + 18 = 31.4, and 25 is reached
    assert stays_apart(late, 0 * up).tolist() == [True]


def test_bisquare_is_the_robust_regression_of_statsmodels():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(150, 2)), np.ones((150, 1))], axis=1)
    y = x @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=150)
    y[:20] += 5.0
    model = sm.RLM(y, x, M=sm.robust.norms.TukeyBiweight(c=4.685))
    want = model.fit(maxiter=200, tol=1e-10).params
    np.testing.assert_allclose(bisquare(x, y, steps=200), want, atol=2e-3)
