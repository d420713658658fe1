"""Measures of decoding against scikit-learn, NumPy, hand-made cases and simulated beliefs."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from neurolatent.ops import decoding

RNG = np.random.default_rng(0)
TRUTH, TOLD = RNG.normal(size=(500, 2)), RNG.normal(size=(500, 2))


def test_shares_and_correlations_are_those_of_the_libraries():
    np.testing.assert_allclose(decoding.r_squared(TRUTH, TOLD), r2_score(TRUTH, TOLD, multioutput="raw_values"))
    want = [np.corrcoef(TRUTH[:, i], TOLD[:, i])[0, 1] for i in range(2)]
    np.testing.assert_allclose(decoding.correlation(TRUTH, TOLD), want)


def test_errors_of_known_cases():
    assert decoding.nrmse(TRUTH, np.zeros_like(TRUTH)) == pytest.approx(1.0)
    assert decoding.nrmse(TRUTH, 1.5 * TRUTH) == pytest.approx(0.5)
    truth = np.array([[1.0, 0.0], [-1.0, 0.01], [0.001, 0.0]])
    told = np.array([[1.0, 1.0], [-1.0, -0.01], [-1.0, 0.0]])
    assert decoding.angle_error(truth[:1], told[:1]) == pytest.approx(np.pi / 4)
    assert decoding.angle_error(truth[1:2], told[1:2]) == pytest.approx(2 * np.arctan(0.01))
    assert decoding.angle_error(truth, told, slowest=0.5) == pytest.approx((np.pi / 4 + 2 * np.arctan(0.01)) / 2)
    with pytest.raises(ValueError, match="two outputs"):
        decoding.angle_error(np.zeros((3, 3)), np.zeros((3, 3)))


def test_honest_beliefs_are_called_honest():
    root = np.array([[1.0, 0.0], [0.7, 0.5]])
    cov = np.tile(root @ root.T, (20_000, 1, 1))
    mean = RNG.normal(size=(20_000, 2))
    truth = mean + RNG.normal(size=(20_000, 2)) @ root.T
    sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    for level in (0.5, 0.95):
        assert decoding.ellipse_coverage(truth, mean, cov, level) == pytest.approx(level, abs=0.012)
        np.testing.assert_allclose(decoding.interval_coverage(truth, mean, sd, level), level, atol=0.012)
    counts = np.histogram(decoding.integral_transform(truth, mean, sd), 10, (0, 1))[0]
    np.testing.assert_allclose(counts / counts.sum(), 0.1, atol=0.01)
    assert decoding.ellipse_coverage(truth, mean, 0.25 * cov, 0.95) < 0.6
