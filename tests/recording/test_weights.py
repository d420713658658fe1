import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurolatent.recording import weights
from neurolatent.recording.weights import Span
from tests.recording.refusals import refuses


def same(array, rows):
    np.testing.assert_allclose(array, rows, rtol=1e-12)


def test_unknown_is_ones():
    same(weights.unknown(2, 3), [[1, 1, 1], [1, 1, 1]])


def test_labels():
    same(weights.labels([0, np.nan, 2, -1], 3), [[1, 0, 0], [1, 1, 1], [0, 0, 1], [1, 1, 1]])
    same(weights.labels([1, 0], 2, nu=0.25), [[0.25, 1], [1, 0.25]])
    same(weights.labels([1, 0], 2, nu=np.array([0.25, 1.0])), [[0.25, 1], [1, 1]])


@pytest.mark.parametrize("kind", [np.uint8, np.int32, float])
def test_labels_of_any_number_type(kind):
    same(weights.labels(np.array([0, 1], kind), 2), [[1, 0], [0, 1]])


def test_noisy_is_the_posterior_of_the_true_state():
    same(weights.noisy([0, np.nan], 0.3, 3), [[0.8, 0.1, 0.1], [1, 1, 1]])
    same(weights.noisy([0, 1], np.array([0.0, 1.0]), 2), [[1, 0], [0.5, 0.5]])


def test_start_end():
    same(weights.start_end(4, 3, 1, 2), [[1, 0, 0], [1, 1, 1], [0, 0, 1], [0, 0, 1]])
    same(weights.start_end(2, 2, 0, 0), np.ones((2, 2)))


def test_intervals_multiply_where_they_overlap():
    spans = [Span(0, 1, frozenset({0}), 0.5), Span(1, 2, frozenset({0, 1}), 0.8)]
    same(weights.intervals(spans, 4, 3), [[1, 0.5, 0.5], [1, 0.5, 0.1], [1, 1, 0.2], [1, 1, 1]])


def test_interval_beyond_the_ends_is_clipped():
    same(weights.intervals([Span(-5, 0, frozenset({0})), Span(2, 99, frozenset({1}))], 3, 2), [[1, 0], [1, 1], [0, 1]])
    same(weights.intervals([Span(-5, -3, frozenset({0}))], 3, 2), np.ones((3, 2)))


def test_life_fraction():
    same(weights.life_fraction(5, [0, 0.5, 1]), [[1, 0], [1, 0], [1, 1], [0, 1], [0, 1]])
    same(
        weights.life_fraction(5, [0, 0.5, 1], overlap=0.25, off=0.05),
        [[1, 0.05], [1, 1], [1, 1], [1, 1], [0.05, 1]],
    )
    same(weights.life_fraction(1, [0, 0.5, 1]), [[1, 0]])


def test_changepoints():
    same(weights.changepoints(4, [2]), [[1, 0], [1, 0], [0, 1], [0, 1]])
    same(weights.changepoints(5, [2], half_width=1), [[1, 0], [1, 1], [1, 1], [1, 1], [0, 1]])
    same(
        weights.changepoints(6, [2, 4], half_width=1, neighbours_only=True),
        [[1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 1, 1], [0, 1, 1], [0, 1, 1]],
    )


def test_from_probabilities():
    same(weights.from_probabilities(np.array([[0.2, 0.8], [0.5, 0.5]])), [[0.25, 1], [1, 1]])


REFUSED = {
    "label too high": (lambda: weights.labels([0, 3], 3), ["row 1", "3", "0 to 2"]),
    "label infinite": (lambda: weights.labels([np.inf], 3), ["row 0", "inf"]),
    "label fraction": (lambda: weights.labels([0.5], 3), ["row 0", "0.5", "whole"]),
    "nu": (lambda: weights.labels([0], 2, nu=1.5), ["nu", "[0, 1]", "1.5"]),
    "error": (lambda: weights.noisy([0], -0.1, 2), ["error", "[0, 1]", "-0.1"]),
    "start_end": (lambda: weights.start_end(3, 2, 2, 2), ["n_start + n_end is 4", "3 steps"]),
    "confidence": (lambda: weights.intervals([Span(0, 1, frozenset({0}), 2.0)], 3, 2), ["span 0", "confidence", "2.0"]),
    "states": (lambda: weights.intervals([Span(0, 1, frozenset({2}))], 3, 2), ["span 0", "state 2", "0 to 1"]),
    "span": (lambda: weights.intervals([Span(2, 1, frozenset({1}))], 3, 2), ["span 0", "step 2", "step 1"]),
    "edges": (lambda: weights.life_fraction(3, [0, 0.5, 0.5]), ["edges", "rising", "0.5"]),
    "edges nan": (lambda: weights.life_fraction(3, [0, np.nan, 1]), ["edges", "rising"]),
    "off": (lambda: weights.life_fraction(3, [0, 1], off=2.0), ["off", "2.0"]),
    "changes": (lambda: weights.changepoints(5, [3, 2]), ["changes", "1..4", "[3, 2]"]),
    "changes outside": (lambda: weights.changepoints(5, [5]), ["1..4", "[5]"]),
    "probabilities": (lambda: weights.from_probabilities(np.array([[0.5, 1], [0, 0]])), ["row 1", "zero", "ones"]),
    "probabilities nan": (lambda: weights.from_probabilities(np.array([[np.nan, 1]])), ["finite"]),
    "shape": (lambda: weights.validated(np.ones((2, 3)), 3, 2), ["(3, 2)", "(2, 3)"]),
    "above one": (lambda: weights.validated(np.array([[1, 1], [0, 2]]), 2, 2), ["row 1, state 1", "2.0", "maximum"]),
    "not finite": (lambda: weights.validated(np.array([[np.nan, 1]]), 1, 2), ["row 0, state 0", "nan"]),
    "excluded": (lambda: weights.validated(np.array([[1, 0], [0, 0]]), 2, 2, "unit 3"), ["unit 3, row 1", "ones"]),
}


@pytest.mark.parametrize(("build", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(build, words):
    with refuses(*words):
        build()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-1, 3), min_size=1, max_size=8), st.floats(0, 1))
def test_labels_and_noise_stay_plausible(states, doubt):
    for array in (weights.labels(states, 4, nu=doubt), weights.noisy(states, doubt, 4)):
        weights.validated(array, len(states), 4)
        labelled = np.asarray(states) >= 0
        assert (array[~labelled] == 1).all()
        assert (array[labelled, np.asarray(states)[labelled]] == array[labelled].max(axis=1)).all()
