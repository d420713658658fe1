"""Statistics of strings against counting by hand."""

import collections
import math

import numpy as np

from neurolatent.ops.symbols import row_divergences, transition_counts, transition_shares, word_divergence


def string(seed: int, length: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).choice(3, length, p=(0.5, 0.3, 0.2))


def test_transitions_are_those_of_pairs():
    s = string(0)
    by_hand = collections.Counter(zip(s[:-1].tolist(), s[1:].tolist(), strict=True))
    counts = transition_counts(s, 4)
    assert all(counts[a, b] == by_hand[a, b] for a in range(4) for b in range(4))
    shares = transition_shares(counts)
    np.testing.assert_allclose(shares[:3].sum(axis=1), 1.0)
    assert np.isnan(shares[3]).all()


def test_words_are_those_counted_by_hand():
    a, b, n = string(1), string(2), 3
    words = [collections.Counter(tuple(s[i : i + n]) for i in range(len(s) - n + 1)) for s in (a, b)]
    union, total = set(words[0]) | set(words[1]), len(a) - n + 1
    want = sum(
        c / total * math.log(c / total / ((words[1][w] + 0.5) / (total + len(union) / 2))) for w, c in words[0].items()
    )
    np.testing.assert_allclose(word_divergence(a, b, n), want)


def test_the_same_source_differs_little_and_another_more():
    own, other = word_divergence(string(3, 20_000), string(4, 20_000), 4), np.sort(string(4, 20_000))
    assert 0 <= own < 0.01 < word_divergence(string(3, 20_000), other, 4)


def test_rows_diverge_by_their_definition():
    truth = np.array([[0.0, 1.0], [0.7, 0.3]])
    counts = np.array([[0, 9], [6, 3]])
    want = [math.log(1 / (9.5 / 10)), 0.7 * math.log(0.7 / 0.65) + 0.3 * math.log(0.3 / 0.35)]
    np.testing.assert_allclose(row_divergences(truth, counts), want)
