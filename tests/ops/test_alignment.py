"""Alignment against scikit-learn's regression, and against latents whose truth is built in."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from neurolatent.ops.alignment import affine, align


def rows(seed: int, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Estimates of two private and one shared latent, mixed within their groups; and the truths."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(count, 3))
    mixed = np.c_[truth[:, :2] @ [[2.0, 1.0], [-1.0, 0.5]], -3 * truth[:, 2:]] + 4.0
    return mixed + 0.3 * rng.normal(size=mixed.shape), truth


GROUPS = np.array([[True, True, False], [True, True, False], [False, False, True]])


def test_figures_are_those_of_a_regression_on_training_rows():
    train, test = rows(0), rows(1)
    got = align(train, test, np.full((400, 3), 0.3), GROUPS)
    for n in range(3):
        fitted = LinearRegression().fit(train[0][:, GROUPS[n]], train[1][:, n])
        assert got.own[n] == pytest.approx(r2_score(test[1][:, n], fitted.predict(test[0][:, GROUPS[n]])))
        whole = LinearRegression().fit(train[0], train[1][:, n])
        assert got.all[n] == pytest.approx(r2_score(test[1][:, n], whole.predict(test[0])))
        for k in range(3):
            one = LinearRegression().fit(train[0][:, [k]], train[1][:, n])
            assert got.leakage[n, k] == pytest.approx(r2_score(test[1][:, n], one.predict(test[0][:, [k]])))


def test_bands_follow_the_map():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(20_000, 2))
    sd = np.full(truth.shape, 0.1)
    mean = truth + 0.1 * rng.normal(size=truth.shape)
    turned = np.array([[1.0, 2.0], [-0.5, 1.0]])
    found = affine(mean, truth @ turned + 3)
    np.testing.assert_allclose(found.slope, turned, atol=0.03)
    want = np.sqrt([0.01 * (turned[:, k] ** 2).sum() for k in range(2)])
    np.testing.assert_allclose(found.spread(sd)[0], want, rtol=0.03)
    got = align((mean, truth @ turned), (mean, truth @ turned), sd, np.ones((2, 2), bool))
    np.testing.assert_allclose(got.coverage, 0.95, atol=0.01)


def test_a_truth_without_estimates_has_no_own_figure():
    train = rows(0)
    got = align(train, train, np.ones((400, 3)), GROUPS & np.array([[True], [True], [False]]))
    assert np.isnan(got.own[2])
    assert np.isnan(got.coverage[2])
    assert got.all[2] > 0.9
