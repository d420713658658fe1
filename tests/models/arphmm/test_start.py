"""Starting points: within the knowledge, within the structure, the same for the same key."""

import jax
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.models.arphmm import ARPHMM
from neurolatent.models.arphmm.start import spread_over_substates, starting_responsibilities, tells_states_apart
from tests.models.arphmm import twin
from tests.models.arphmm.recordings import recording_of


def selected(model: ARPHMM, case: twin.Case):
    return model.select(recording_of(case), for_training=True, use_knowledge=True).data


@pytest.mark.parametrize("start", ["auto", "knowledge", "segments", "kmeans", "random"])
@pytest.mark.parametrize("restart", [0, 1])
def test_guesses_are_probabilities_within_the_knowledge(start, restart):
    model = ARPHMM(3, transitions="ergodic")
    case = twin.random_case(0, model, [33, 21], 2, missing=0.1, zeros=0.3)
    data = selected(model, case)

    def draw() -> np.ndarray:
        generator = np.random.default_rng(7)
        return starting_responsibilities(start, data, model.allowed, restart=restart, generator=generator)

    guess = draw()
    inside = np.arange(guess.shape[1]) < data.lengths[:, None]
    np.testing.assert_allclose(guess.sum(axis=-1), inside, atol=1e-12)
    assert (guess[np.isneginf(data.log_weights)] == 0).all()
    np.testing.assert_array_equal(guess, draw())


def test_segments_are_equal_pieces():
    model = ARPHMM(3, order=1)
    case = twin.random_case(1, model, [10, 7], 1)
    case = case._replace(weights=[np.ones_like(w) for w in case.weights])
    guess = starting_responsibilities(
        "auto", selected(model, case), model.allowed, restart=0, generator=np.random.default_rng(0)
    )
    np.testing.assert_array_equal(guess[0, :9].argmax(axis=1), [0, 0, 0, 1, 1, 1, 2, 2, 2])
    np.testing.assert_array_equal(guess[1, :6].argmax(axis=1), [0, 0, 1, 1, 2, 2])


def test_more_states_than_distinct_rows_still_start():
    model = ARPHMM(4, order=0, transitions="ergodic")
    case = twin.Case([np.tile([[1.0], [2.0]], (6, 1))], [np.ones((12, 4))])
    with precision.double():
        params = model.init(jax.random.key(0), selected(model, case), start="kmeans")
    assert all(np.isfinite(leaf).all() for leaf in params)


def test_knowledge_tells_states_apart_only_if_it_speaks_of_each():
    model = ARPHMM(3, transitions="ergodic")
    case = twin.random_case(2, model, [9], 1)
    for weights, want in (
        (np.ones((9, 3)), False),
        (np.tile([1.0, 0.0, 0.0], (9, 1)), False),
        (np.eye(3)[np.arange(9) % 3], True),
    ):
        assert tells_states_apart(selected(model, case._replace(weights=[weights]))) == want


def test_substates_keep_the_mean_stay():
    transition = np.array([[0.99, 0.01], [0.0, 1.0]])
    spread, advance = spread_over_substates(transition, 4, longest=200)
    np.testing.assert_allclose(4 / (1 - spread[0, 0]), 1 / 0.01)
    np.testing.assert_allclose(advance[0], 1 - spread[0, 0])
    np.testing.assert_array_equal(spread[1], [0, 1])
    assert 0 < advance[1] < 1


@pytest.mark.parametrize("start", ["segments", "kmeans", "random"])
def test_a_start_respects_the_structure(start):
    model = ARPHMM(3, transitions="left_right_skip", skip=1, n_substates=2, covariance="tied")
    case = twin.random_case(3, model, [30, 25], 2)
    with precision.double():
        data = selected(model, case)
        params = model.init(jax.random.key(1), data, start=start)
        again = model.init(jax.random.key(1), data, start=start)
    jax.tree.map(np.testing.assert_array_equal, params, again)
    assert (params.transition[~model.allowed] == 0).all()
    np.testing.assert_allclose(params.transition.sum(axis=1), 1.0)
    np.testing.assert_array_equal(params.covariance[0], params.covariance[2])
