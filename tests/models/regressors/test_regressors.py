"""Each regressor against scikit-learn, its equation or a brute-force loop."""

import numpy as np
import pytest
from sklearn import gaussian_process, linear_model, neighbors
from sklearn.gaussian_process.kernels import RBF

from neurolatent.models.regressors import GaussianProcess, MultipleKernel, NadarayaWatson, Neighbours, RidgeRegression
from neurolatent.models.regressors.distances import squared_distances
from neurolatent.models.regressors.gaussian_process import Process
from neurolatent.models.regressors.multiple_kernel import mean_kernel
from neurolatent.models.regressors.nadaraya_watson import best_bandwidth, leave_one_out_error

RNG = np.random.default_rng(0)
X, Z, NEW = RNG.normal(size=(80, 3)), RNG.normal(size=(80, 2)), RNG.normal(size=(7, 3))


def generator() -> np.random.Generator:
    return np.random.default_rng(1)


def test_ridge_is_that_of_scikit_learn():
    for intercept in (True, False):
        ours = RidgeRegression(0.1, intercept)
        want = linear_model.Ridge(alpha=8.0, fit_intercept=intercept).fit(X, Z).predict(NEW)
        np.testing.assert_allclose(ours.predict(ours.learn(X, Z, generator()), NEW), want, rtol=1e-10)


def test_neighbours_are_those_of_scikit_learn():
    ours = Neighbours(5)
    want = neighbors.KNeighborsRegressor(5).fit(X, Z).predict(NEW)
    np.testing.assert_allclose(ours.predict(ours.learn(X, Z, generator()), NEW), want)


def test_gaussian_process_is_that_of_scikit_learn():
    scales = Process(X[:0], Z[:0], *(np.asarray(v) for v in (1.3, 1.0, 0.2)))
    peer = gaussian_process.GaussianProcessRegressor(RBF(1.3), alpha=0.2, optimizer=None).fit(X, Z)
    ours = GaussianProcess()
    np.testing.assert_allclose(ours.predict(ours.learn(X, Z, generator(), scales), NEW), peer.predict(NEW), atol=1e-6)
    all_points = GaussianProcess(most_points=79, inducing_points=80)
    got = all_points.predict(all_points.learn(X, Z, generator(), scales), NEW)
    np.testing.assert_allclose(got, peer.predict(NEW), atol=1e-4)


def test_nadaraya_watson_is_its_loop_and_its_bandwidth_is_the_best():
    distances = squared_distances(X, X)
    for bandwidth in (0.05, 1.0):
        errors = []
        for i in range(len(X)):
            others = np.delete(np.arange(len(X)), i)
            weights = np.exp(-np.sum((X[others] - X[i]) ** 2, axis=1) / (2 * bandwidth))
            errors.append(np.mean((weights @ Z[others] / weights.sum() - Z[i]) ** 2))
        assert leave_one_out_error(distances, Z, bandwidth) == pytest.approx(np.mean(errors), rel=1e-10)
    smooth = np.sin(X[:, :2])
    found = best_bandwidth(X, smooth)
    best = leave_one_out_error(distances, smooth, found)
    assert all(best <= leave_one_out_error(distances, smooth, h) + 1e-9 for h in np.geomspace(0.01, 10, 60))


def test_nadaraya_watson_far_from_all_points_is_the_nearest():
    ours = NadarayaWatson(0.1)
    told = ours.predict(ours.learn(X, Z, generator()), np.array([[1e4, 0.0, 0.0]]))
    np.testing.assert_allclose(told[0], Z[np.argmax(X[:, 0])])


def test_one_wild_channel_cannot_change_the_mean_kernel_by_more_than_its_share():
    one = RNG.normal(size=(1, 40))
    for wild in (5.0, 1e9):
        other = one.copy()
        other[0, 3] += wild
        assert mean_kernel(other, one, 1.0)[0, 0] >= 39 / 40


def test_multiple_kernel_tells_directions():
    turn = RNG.uniform(0, 2 * np.pi, 2000)
    z = np.stack([np.cos(turn), np.sin(turn)], axis=1) * RNG.uniform(0.5, 1.5, (2000, 1))
    x = z @ RNG.normal(size=(2, 20)) + 0.5 * RNG.normal(size=(2000, 20))
    ours = MultipleKernel()
    learned = ours.learn(x, z, generator())
    assert learned.inputs.shape == (8, 20)
    told = ours.predict(learned, x)
    assert np.sum(told * z) / np.sum(told**2) == pytest.approx(1.0)
    assert np.corrcoef(told[:, 0], z[:, 0])[0, 1] > 0.9
