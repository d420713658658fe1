"""The recursions against the list of all paths, and the laws that any of them must keep."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent.ops import hmm
from tests.helpers import Chain, assert_trees_close, enumerate_paths, list_paths, path_scores, random_chain

LENGTHS = [6, 3, 1, 0, 5, 2, 4]
smooth, filtered, viterbi = jax.jit(hmm.smooth_states), jax.jit(hmm.filter_states), jax.jit(hmm.viterbi)
sample, evidence = jax.jit(hmm.sample_states), jax.jit(hmm.log_evidence)
unsafe = jax.jit(hmm.unsafe_sequences)


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("states", [1, 2, 3])
@pytest.mark.parametrize("zeros", [0.0, 0.3])
def test_smoother_matches_all_paths(states, zeros):
    for seed in range(10):
        chain = random_chain(seed, states, LENGTHS, zeros=zeros)
        truth = enumerate_paths(chain)
        want = (*truth[:4], truth.jumps.sum(axis=0))
        assert_trees_close(smooth(*chain.on_device()), want)
        assert_trees_close(filtered(*chain.on_device()), want[:3])
        assert_trees_close(evidence(*chain.on_device()), truth.log_evidence)


@pytest.mark.parametrize("states", [1, 2, 3])
@pytest.mark.parametrize("zeros", [0.0, 0.3])
def test_best_path_matches_all_paths(states, zeros):
    for seed in range(10):
        chain = random_chain(seed, states, LENGTHS, zeros=zeros)
        truth = enumerate_paths(chain)
        got = viterbi(*chain.on_device())
        np.testing.assert_array_equal(got.states, truth.states)
        np.testing.assert_allclose(got.log_score, truth.log_score, rtol=1e-12)


def test_equal_paths_go_to_the_lowest_state():
    rng = np.random.default_rng(0)
    scores = np.floor(2 * rng.random((1, 6, 3)))  # equal values at many steps
    even = Chain(np.full((1, 3), 1 / 3), np.full((3, 3), 1 / 3), scores, np.array([6]))
    np.testing.assert_array_equal(viterbi(*even.on_device()).states[0], scores[0].argmax(axis=1))
    np.testing.assert_array_equal(enumerate_paths(even).states[0], scores[0].argmax(axis=1))


def test_equal_paths_are_decided_from_the_end():
    swap = Chain(np.full((1, 2), 0.5), np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros((1, 4, 2)), np.array([4]))
    np.testing.assert_array_equal(viterbi(*swap.on_device()).states, [[1, 0, 1, 0]])
    np.testing.assert_array_equal(enumerate_paths(swap).states, [[1, 0, 1, 0]])


@pytest.mark.parametrize("zeros", [0.0, 0.3])
def test_draws_have_the_frequencies_of_the_paths(key, zeros):
    draws, states, time = 20_000, 3, 4
    one = random_chain(3, states, [time], zeros=zeros)
    many = Chain(
        np.repeat(one.initial, draws, 0), one.transition, np.repeat(one.log_emission, draws, 0), np.full(draws, time)
    )
    drawn = np.asarray(sample(key, *many.on_device()))
    score = path_scores(one.initial[0], one.transition, one.log_emission[0])[:, -1]
    want = np.exp(score - enumerate_paths(one).log_evidence)
    got = np.array([(drawn == path).all(axis=1).mean() for path in list_paths(states, time)])
    assert want.max() < 0.9
    assert (got[want == 0] == 0).all()
    common = want * draws >= 20
    want, got = np.append(want[common], want[~common].sum()), np.append(got[common], got[~common].sum())
    assert len(want) >= 4
    assert (np.abs(got - want) <= 4 * np.sqrt(want * (1 - want) / draws)).all()


def test_draws_mark_padding_and_impossible_sequences(key):
    chain = random_chain(0, 2, [4, 0, 3])
    chain.log_emission[2, 1] = -np.inf
    drawn = np.asarray(sample(key, *chain.on_device()))
    assert (drawn[0] >= 0).all()
    assert (drawn[1:] == -1).all()


def test_worked_example_without_weights(worked):
    got = smooth(*worked.on_device())
    np.testing.assert_allclose(got.log_evidence, [-3.6037759302], atol=1e-8)
    want = [[0.85916817, 0.14083183], [0.85562715, 0.14437285], [0.67928631, 0.32071369]]
    np.testing.assert_allclose(got.smoothed[0], want, atol=1e-8)
    np.testing.assert_allclose(got.jumps, [[1.4772704, 0.23752492], [0.05764306, 0.22756162]], atol=1e-7)
    best = viterbi(*worked.on_device())
    np.testing.assert_array_equal(best.states, [[0, 0, 0]])
    np.testing.assert_allclose(best.log_score, [-4.0633622547], atol=1e-8)


def test_worked_example_with_weights(worked):
    weights = np.log([[[1, 0.3], [1, 1], [0.1, 1]]])
    chain = worked._replace(log_emission=worked.log_emission + weights).on_device()
    got = smooth(*chain)
    np.testing.assert_allclose(got.log_evidence, [-4.7512916334], atol=1e-8)
    want = [[0.90384487, 0.09615513], [0.77648988, 0.22351012], [0.20442082, 0.79557918]]
    np.testing.assert_allclose(got.smoothed[0], want, atol=1e-8)
    np.testing.assert_allclose(got.jumps, [[0.96609096, 0.71424378], [0.01481973, 0.30484552]], atol=1e-7)
    best = viterbi(*chain)
    np.testing.assert_array_equal(best.states, [[0, 0, 1]])
    np.testing.assert_allclose(best.log_score, [-5.3224396515], atol=1e-8)


@pytest.fixture
def worked() -> Chain:
    """Worked example of the ARPHMM specification: two states, three modelled steps, given log densities."""
    scores = [[-1.23893853, -2.22579135], [-0.93893853, -2.22579135], [-1.16393853, -0.22579135]]
    return Chain(np.array([[0.6, 0.4]]), np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([scores]), np.array([3]))


def test_relabelling_states_changes_nothing():
    chain, order = random_chain(1, 3, LENGTHS, zeros=0.2), np.array([2, 0, 1])
    moved = Chain(
        chain.initial[:, order], chain.transition[order][:, order], chain.log_emission[..., order], chain.lengths
    )
    a, b = smooth(*chain.on_device()), smooth(*moved.on_device())
    np.testing.assert_allclose(a.log_evidence, b.log_evidence, rtol=1e-12)
    np.testing.assert_allclose(a.smoothed[..., order], b.smoothed, atol=1e-12)
    np.testing.assert_allclose(a.jumps[order][:, order], b.jumps, atol=1e-12)


def test_a_sequence_cut_at_a_start_gives_the_sum():
    """A step that forgets (equal rows of the transition matrix) is a start."""
    chain = random_chain(2, 3, [6])
    start = chain.initial[0]
    forgetful = chain._replace(transition=np.tile(start, (3, 1)))
    parts = Chain(np.tile(start, (2, 1)), forgetful.transition, chain.log_emission.reshape(2, 3, 3), np.array([3, 3]))
    whole, halves = smooth(*forgetful.on_device()), smooth(*parts.on_device())
    np.testing.assert_allclose(whole.log_evidence[0], halves.log_evidence.sum(), rtol=1e-12)
    np.testing.assert_allclose(whole.smoothed.reshape(2, 3, 3), halves.smoothed, atol=1e-12)


def test_a_filter_that_goes_on_from_a_cut_gives_the_sum():
    chain = random_chain(5, 3, [6])
    whole = filtered(*chain.on_device())
    belief = np.asarray(whole.filtered[:, 2] @ chain.on_device().transition)
    first = chain._replace(log_emission=chain.log_emission[:, :3], lengths=np.array([3]))
    second = Chain(belief, chain.transition, chain.log_emission[:, 3:], np.array([3]))
    parts = evidence(*first.on_device()) + evidence(*second.on_device())
    np.testing.assert_allclose(whole.log_evidence, parts, rtol=1e-12)


def test_a_missing_step_is_summed_out():
    chain = random_chain(4, 3, [5])
    chain.log_emission[0, 2] = 0.0
    got = smooth(*chain.on_device())
    np.testing.assert_allclose(got.filtered[0, 2], got.filtered[0, 1] @ chain.on_device().transition, atol=1e-12)


def test_filter_and_smoother_agree_at_the_end():
    got = smooth(*random_chain(6, 3, [5, 5], zeros=0.2).on_device())
    np.testing.assert_allclose(got.filtered[:, -1], got.smoothed[:, -1], atol=1e-12)


def test_impossible_data_are_reported_at_their_step():
    chain = random_chain(0, 2, [6, 6])
    chain.log_emission[0, 3] = [-np.inf, -1e30]
    got = smooth(*chain.on_device())
    np.testing.assert_array_equal(np.isneginf(got.log_increments), [[False] * 3 + [True] * 3, [False] * 6])
    assert np.isneginf(got.log_evidence[0])
    assert (got.filtered[0, 3:] == 0).all()
    assert (got.smoothed[0] == 0).all()
    alone = smooth(*chain.single(1).on_device())
    np.testing.assert_allclose(got.jumps, alone.jumps, atol=1e-12)
    assert viterbi(*chain.on_device()).states[0].tolist() == [-1] * 6


def test_forbidden_transitions_against_knowledge_are_impossible():
    scores = np.array([[[0.0, -np.inf], [-np.inf, 0.0], [0.0, -np.inf]]])  # 0, 1, 0 on a chain that never goes back
    chain = Chain(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5], [0.0, 1.0]]), scores, np.array([3]))
    got = filtered(*chain.on_device())
    np.testing.assert_allclose(got.log_increments, [[0.0, np.log(0.5), -np.inf]])
    assert not unsafe(*chain.on_device()).any()


def test_single_precision_stays_single(key):
    with jax.enable_x64(False):
        chain = random_chain(0, 3, [5, 2]).on_device()
        results = (smooth(*chain), viterbi(*chain).log_score, evidence(*chain))
        assert {leaf.dtype for leaf in jax.tree.leaves(results)} == {jnp.dtype("float32")}
        np.testing.assert_allclose(results[0].smoothed.sum(axis=2)[0], 1.0, atol=1e-5)
