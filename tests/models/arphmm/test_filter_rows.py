"""The filter over many rows: the same numbers as the batch filter, the same bits whatever follows."""

import numpy as np
import pytest

from neurolatent import precision
from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.recording import Recording


def params(order: int, states: int, features: int, seed: int = 0) -> ARPHMMParams:
    rng = np.random.default_rng(seed)
    moves = 0.9 * np.eye(states) + 0.1 * np.eye(states, k=1)
    moves[-1, -1] = 1.0
    roots = 0.3 * rng.normal(size=(states, features, features)) + np.eye(features)
    coefficients = 0.3 * rng.normal(size=(states, features, features * order + 1))
    return ARPHMMParams(
        np.full(states, 1 / states), moves, np.full(states, 0.2), coefficients, roots @ roots.swapaxes(1, 2)
    )


def series(lengths: list[int], features: int, seed: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, features)).cumsum(axis=0) * 0.3 for n in lengths]


def padded(parts: list[np.ndarray]) -> np.ndarray:
    out = np.full((len(parts), max(map(len, parts)), parts[0].shape[1]), np.nan)
    for n, part in enumerate(parts):
        out[n, : len(part)] = part
    return out


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("first", ["condition", "pad"])
@pytest.mark.parametrize("substates", [1, 2])
def test_rows_equal_the_batch_filter(order, first, substates):
    model = ARPHMM(3, order=order, first=first, n_substates=substates)
    own, parts = params(order, 3, 2), series([20, 7, 90], 2)
    parts[0][5] = np.nan
    parts[2][40:44] = np.nan
    rows = model.filter_rows(own, padded(parts))
    with precision.double():
        selected = model.select(Recording.of({"signal": parts}), for_training=False, use_knowledge=False)
        latents = model.posterior(own, selected.data)
        evidence = np.asarray(model.log_likelihood(own, selected.data))
        filtered = np.asarray(latents.along_time["filtered"])
    for n, part in enumerate(parts):
        skip = model.skipped
        got = rows.belief[n, skip : len(part)].reshape(len(part) - skip, 3, substates).sum(axis=2)
        np.testing.assert_allclose(got, filtered[n, : len(part) - skip], atol=1e-9)
        np.testing.assert_allclose(rows.log_evidence[n, len(part) - 1], evidence[n], rtol=1e-9)


def test_later_rows_and_other_sequences_change_no_bit():
    model, own = ARPHMM(3, order=1), params(1, 3, 2)
    whole = padded(series([130] * 40, 2))
    every = model.filter_rows(own, whole)
    for length in (1, 63, 64, 65, 100):
        part = model.filter_rows(own, whole[5:7, :length])
        np.testing.assert_array_equal(part.belief, every.belief[5:7, :length])
        np.testing.assert_array_equal(part.log_evidence, every.log_evidence[5:7, :length])


def test_before_the_first_modelled_row_the_belief_is_the_initial_one():
    model, own = ARPHMM(3, order=2), params(2, 3, 1)
    rows = model.filter_rows(own, padded(series([5], 1)))
    np.testing.assert_allclose(rows.belief[0, :2], np.full((2, 3), 1 / 3), atol=1e-12)
    assert rows.log_evidence[0, :2].tolist() == [0.0, 0.0]


def test_rows_beyond_a_length_change_no_bit_before_it():
    model, own = ARPHMM(3, order=1, n_substates=2), params(1, 3, 2)
    lengths = [5, 130, 64, 1, 200] * 10
    whole = padded(series([200] * 50, 2))
    every, known = model.filter_rows(own, whole), model.filter_rows(own, whole, lengths)
    for n, length in enumerate(lengths):
        np.testing.assert_array_equal(known.belief[n, :length], every.belief[n, :length])
        np.testing.assert_array_equal(known.log_evidence[n, :length], every.log_evidence[n, :length])


def test_the_evidence_under_many_models_is_that_of_each():
    model, each = ARPHMM(3, order=1, n_substates=2), [params(1, 3, 2, seed) for seed in range(4)]
    lengths = [90, 7, 64] * 12
    whole = padded(series(lengths, 2))
    stacked = ARPHMMParams(*(np.stack(leaves) for leaves in zip(*each, strict=True)))
    together = model.evidence_rows(stacked, whole, lengths)
    for number, own in enumerate(each):
        alone = model.filter_rows(own, whole).log_evidence
        for n, length in enumerate(lengths):
            np.testing.assert_allclose(together[number, n, :length], alone[n, :length], rtol=1e-10)
    cut = model.evidence_rows(stacked, whole[3:5, :50], [50, 7])  # later rows, other sequences: no bit
    np.testing.assert_array_equal(cut[:, 0, :50], together[:, 3, :50])
