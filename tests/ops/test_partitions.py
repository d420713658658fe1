"""Partitions against listing all of them, and against the numbers of the specification."""

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp
from sklearn.metrics import adjusted_rand_score

from neurolatent.ops import partitions


def all_partitions(items: int) -> list[np.ndarray]:
    """Every partition once, blocks numbered in the order of their first item."""
    found = [(0,)]
    for _ in range(items - 1):
        found = [(*p, block) for p in found for block in range(max(p) + 2)]
    return [np.array(p) for p in found]


def test_coefficients_have_the_published_values():
    logs = partitions.log_mixture_coefficients(30, 1.0, partitions.geometric_log_prior(0.2, 500))
    np.testing.assert_allclose(logs[:5], [-76.2133, -79.0696, -80.8068, -81.8305, -82.3232], atol=1e-4)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("most", [3, 400])
def test_coefficients_keep_their_recursion_and_the_partitions_sum_to_one(gamma, most):
    prior = partitions.geometric_log_prior(0.3, most)
    now, following = (partitions.log_mixture_coefficients(n, gamma, prior) for n in (5, 6))
    for t in range(1, 3):
        right = np.logaddexp(np.log(5 + gamma * t) + following[t - 1], np.log(gamma) + following[t])
        np.testing.assert_allclose(now[t - 1], right, rtol=1e-10)
    np.testing.assert_allclose(partitions.log_mixture_coefficients(1, gamma, prior)[0], -np.log(gamma), atol=1e-12)
    total = [
        now[p.max()] + sum(gammaln(gamma + n) - gammaln(gamma) for n in np.bincount(p))
        for p in all_partitions(5)
        if p.max() < most
    ]
    np.testing.assert_allclose(logsumexp(total), 0.0, atol=1e-10)


def test_information_is_a_distance_and_counts_bits():
    rng = np.random.default_rng(0)
    first, second, third = rng.integers(0, 3, (3, 40))
    distance = partitions.variation_of_information
    assert distance(first, (first + 1) % 3) == pytest.approx(0.0)
    assert distance(first, second) == pytest.approx(distance(second, first))
    assert distance(first, third) <= distance(first, second) + distance(second, third)
    assert distance(np.zeros(8, int), np.repeat([0, 1], 4)) == pytest.approx(np.log(2))


def draws_around(seed: int, items: int, count: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    draws = np.tile(np.arange(items) * 3 // items, (count, 1))
    flip = rng.random(draws.shape) < 0.2
    return np.where(flip, rng.integers(0, 4, draws.shape), draws)


@pytest.mark.parametrize("seed", range(4))
def test_point_partition_is_the_best_of_all(seed):
    draws = draws_around(seed, 7)
    together = partitions.similarity(draws)
    listed = all_partitions(7)
    for score in (partitions.expected_information, partitions.expected_rand):
        found = partitions.point_partition(draws, score=score)
        best = min(score(p, together) for p in listed)
        assert score(found, together) <= best + (1e-9 if score is partitions.expected_information else 0.05)


def test_expected_rand_is_near_the_mean_over_draws():
    draws = draws_around(1, 12, 400)
    together, labels = partitions.similarity(draws), draws[0]
    mean = np.mean([adjusted_rand_score(labels, row) for row in draws])
    np.testing.assert_allclose(-partitions.expected_rand(labels, together), mean, atol=0.03)


def test_a_clear_partition_is_found_whatever_the_labels():
    rng = np.random.default_rng(2)
    truth = np.repeat([0, 1, 2], 5)
    draws = np.stack([rng.permutation(4)[truth] for _ in range(30)])
    np.testing.assert_array_equal(partitions.point_partition(draws), truth)
    np.testing.assert_array_equal(partitions.similarity(draws), truth[:, None] == truth[None, :])
    np.testing.assert_array_equal(partitions.relabelled(np.array([3, 3, 1, 3])), [0, 0, 1, 0])
