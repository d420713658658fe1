import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from neurolatent.ops.metrics import adjusted_rand, contingency, matched_accuracy

LABELS = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 4), min_size=n, max_size=n) for _ in range(2)])
)


def table_of(first: list[int], second: list[int]) -> np.ndarray:
    return contingency(np.array(first), np.array(second), 5, 5)


def test_contingency_counts_pairs():
    table = contingency(np.array([0, 0, 1, 1, 1]), np.array([2, 2, 0, 1, 1]), 2, 3)
    np.testing.assert_array_equal(table, [[0, 0, 2], [1, 2, 0]])


@given(LABELS)
def test_adjusted_rand_is_that_of_scikit_learn(labels):
    assert adjusted_rand(table_of(*labels)) == pytest.approx(adjusted_rand_score(*labels), abs=1e-12)


@pytest.mark.parametrize(
    ("first", "second"), [([0], [3]), ([1, 1, 1], [1, 1, 1]), ([0, 1, 2], [2, 0, 1]), ([0, 0, 0], [0, 1, 2])]
)
def test_adjusted_rand_of_trivial_partitions(first, second):
    assert adjusted_rand(table_of(first, second)) == pytest.approx(adjusted_rand_score(first, second))


@given(LABELS)
def test_matched_accuracy_is_the_best_over_all_permutations(labels):
    first, second = np.array(labels[0]), np.array(labels[1])
    best = max(np.mean(np.array(p)[first] == second) for p in itertools.permutations(range(5)))
    assert matched_accuracy(table_of(*labels)) == pytest.approx(best)


def test_matched_accuracy_with_fewer_states_than_labels():
    first, second = np.array([0, 0, 1, 1, 1]), np.array([2, 2, 0, 1, 1])
    assert matched_accuracy(contingency(first, second, 2, 3)) == pytest.approx(4 / 5)


def test_scores_do_not_change_with_the_names_of_the_labels():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    renamed = rng.permutation(5)[first]
    for score in (adjusted_rand, matched_accuracy):
        whole, other = (score(contingency(a, second, 5, 5)) for a in (first, renamed))
        assert whole == pytest.approx(other)
