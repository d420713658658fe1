"""Where linear space loses mass: the result is right, and the log form is used only when it has to be."""

import hypothesis.extra.numpy as hnp
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurolatent.ops import hmm, hmm_linear, hmm_log
from tests.helpers import Chain, assert_trees_close, enumerate_paths, left_right, random_chain


def linear_only(initial, transition, log_emission, lengths):
    return hmm_linear.filter_states(hmm_linear.forward(initial, transition, log_emission, lengths), lengths)


ERGODIC = np.array([[0.9, 0.1], [0.2, 0.8]])
smooth, filtered, unsafe = jax.jit(hmm.smooth_states), jax.jit(hmm.filter_states), jax.jit(hmm.unsafe_sequences)
viterbi, sample, log_smooth = jax.jit(hmm.viterbi), jax.jit(hmm.sample_states), jax.jit(hmm_log.smooth_states)
linear_filter, log_forward = jax.jit(linear_only), jax.jit(hmm_log.forward)


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def two_states(transition: np.ndarray, scores: list[list[float]]) -> Chain:
    return Chain(np.array([[0.5, 0.5]]), transition, np.array([scores], float), np.array([len(scores)]))


def assert_right(chain: Chain) -> None:
    truth = enumerate_paths(chain)
    want = (*truth[:4], truth.jumps.sum(axis=0))
    assert_trees_close(smooth(*chain.on_device()), want)
    assert_trees_close(filtered(*chain.on_device()), want[:3])
    in_log = log_smooth(*chain.on_device())
    assert_trees_close((*in_log.filtered, in_log.smoothed, in_log.jumps), (*truth[:4], truth.jumps))
    assert_trees_close(viterbi(*chain.on_device()).log_score, truth.log_score)


def test_the_known_silent_failure():
    """Three steps 300 nats against the first state, then four for it: the linear pass alone says -1200.69."""
    scores = [[-300, 0]] * 3 + [[0, -300]] * 4
    chain = two_states(np.eye(2), scores)
    np.testing.assert_allclose(linear_filter(*chain.on_device()).log_evidence, [-1200.693147], atol=1e-5)
    assert unsafe(*chain.on_device()).all()
    np.testing.assert_allclose(smooth(*chain.on_device()).log_evidence, [-900.693147], atol=1e-5)


@pytest.mark.parametrize("transition", [left_right(2, 0.5), ERGODIC, np.eye(2)], ids=["left-right", "ergodic", "apart"])
@pytest.mark.parametrize("against", [1, 2, 3, 4])
@pytest.mark.parametrize("gap", [300, 700, 1000, 2000])
def test_gaps_that_accumulate_and_recover(transition, against, gap):
    scores = [[-gap, 0]] * against + [[0, -gap]] * (7 - against)
    assert_right(two_states(transition, scores))
    assert_right(two_states(transition, [row[::-1] for row in scores]))


@pytest.mark.parametrize("gap", [650, 720, 1500])
def test_a_state_that_is_lost_in_the_middle_only(gap):
    """Lost, back in the lead, and out again: the evidence would be right, the filter on the way not."""
    half = gap / 2
    scores = [[0, -gap], [-half, 0], [-half, 0], [-half, 0], [0, -half], [0, -half], [0, -half]]
    assert_right(two_states(np.eye(2), scores))


@pytest.mark.parametrize("gap", [10, 300, 800])
def test_excluded_states_in_the_middle(gap):
    chain = random_chain(0, 3, [6, 6, 4, 5])
    chain.log_emission[:, 1, 0] = -np.inf
    chain.log_emission[:, 2, 2] = -1e30
    chain.log_emission[:, 3, 1] -= gap
    chain.log_emission[:, 4, :2] = -5e29
    assert_right(chain)


def test_tiny_transitions_are_not_forbidden_ones():
    moves = np.array([[1 - 1e-200, 1e-200], [0.0, 1.0]])
    chain = two_states(moves, [[0, -400]] + [[-400, 0]] * 6)
    chain.initial[:] = [1.0, 0.0]
    assert_right(chain)


LEVELS = st.sampled_from([0.0, -1.0, -30.0, -200.0, -300.0, -420.0, -700.0, -720.0, -1000.0, -np.inf, -1e30])


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(float, (4, 6, 3), elements=LEVELS),
    hnp.arrays(float, (3, 3), elements=st.sampled_from([0.0, 0.0, 1.0, 1e-3, 1e-150, 1e-300])),
    hnp.arrays(float, (4, 3), elements=st.sampled_from([0.0, 1.0, 1e-200])),
)
def test_any_gaps_and_zeros_match_all_paths(scores, moves, start):
    moves[moves.sum(axis=1) < 1e-3, 1] = 1.0
    start[start.sum(axis=1) < 1e-3, 0] = 1.0
    chain = Chain(
        start / start.sum(axis=1, keepdims=True),
        moves / moves.sum(axis=1, keepdims=True),
        scores,
        np.array([6, 6, 5, 3]),
    )
    assert_right(chain)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 10.0, 60.0, 400.0]), st.sampled_from([0.0, 0.1, 0.4]))
def test_what_is_called_safe_agrees_with_the_log_form(seed, spread, zeros):
    """Longer sequences, with stretches that favour one state: losses and recoveries over many steps."""
    chain = random_chain(seed, 3, [120, 100, 60], zeros=zeros, spread=1.0)
    favoured = np.random.default_rng(seed).integers(0, 3, (3, 6)).repeat(20, axis=1)
    chain.log_emission[:] -= spread * (favoured[..., None] != np.arange(3))
    got, want = smooth(*chain.on_device()), log_smooth(*chain.on_device())
    want = (*want.filtered, want.smoothed, want.jumps.sum(axis=0))
    assert_trees_close(got, want, atol=1e-8, rtol=1e-10)


def worn(states: int, time: int, *, noise: float, seed: int = 0) -> Chain:
    """Emissions of a machine that wears down a left-right chain; early states fade far below the smallest number."""
    rng = np.random.default_rng(seed)
    level = np.arange(time) * states // time
    y = level + noise * rng.normal(size=time)
    scores = -0.5 * ((y[:, None] - np.arange(states)) / noise) ** 2 - np.log(noise)
    return Chain(np.eye(states)[:1], left_right(states, 1 - states / time), scores[None], np.array([time]))


@pytest.mark.parametrize("noise", [0.5, 0.2, 0.05])
def test_states_that_fade_for_good_do_not_call_the_log_form(noise):
    chain = worn(4, 300, noise=noise).on_device()
    assert log_forward(*chain).belief[-1, 0, 0] < -745  # its probability has no number
    assert not unsafe(*chain).any()
    want = log_smooth(*chain)
    assert_trees_close(smooth(*chain), (*want.filtered, want.smoothed, want.jumps[0]), atol=1e-9)


def test_all_transitions_possible_needs_no_second_look():
    chain = two_states(ERGODIC, [[-5000, 0], [0, -5000]] * 3 + [[0, -5000]])
    assert not unsafe(*chain.on_device()).any()
    assert_right(chain)


@pytest.mark.parametrize("gap", [50, 300, 633])
def test_a_better_state_out_of_reach_does_not_call_the_log_form(gap):
    """Step after step every state that can be reached is far below the best: the totals are tiny, nothing is lost."""
    chain = Chain(np.eye(3)[:1], np.array([[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]), np.zeros((1, 7, 3)), np.array([7]))
    chain.log_emission[0] = [[-gap, -gap - t, 0] for t in range(7)]
    assert not unsafe(*chain.on_device()).any()
    assert_right(chain)


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(float, (4, 6, 3), elements=LEVELS),
    hnp.arrays(float, (3, 3), elements=st.sampled_from([1.0, 1e-3, 1e-20, 1e-80, 1e-150])),
    hnp.arrays(float, (4, 3), elements=st.sampled_from([0.0, 1.0, 1e-200])),
)
def test_any_gaps_on_chains_without_zeros_match_all_paths(scores, moves, start):
    """Where the bound decides that needs no pass."""
    start[start.sum(axis=1) < 1e-3, 0] = 1.0
    start, moves = (x / x.sum(axis=1, keepdims=True) for x in (start, moves))
    assert_right(Chain(start, moves, scores, np.array([6, 6, 5, 3])))


def test_the_bound_without_a_pass_is_above_what_the_pass_finds():
    loss = jax.jit(lambda *chain: hmm_linear.worst_loss(hmm_linear.forward(*chain), chain[0], chain[1], chain[3]))
    scale = jax.jit(lambda *chain: hmm_linear.forward(*chain).scale)
    for seed in range(20):
        chain = random_chain(seed, 3, [30, 20], spread=20.0)
        within = np.arange(30)[:, None] < chain.lengths
        least = chain.transition.min()
        bound = (np.asarray(scale(*chain.on_device())) * within).sum(axis=0) * (3 + 1 / least) / least
        assert (loss(*chain.on_device()) <= 3 * bound).all()  # a sum over states, each of them at most the bound


def test_what_is_not_a_number_stays_visible():
    chain = random_chain(0, 3, [6, 5])
    chain.log_emission[0, 2, 1] = np.nan
    np.testing.assert_array_equal(np.isnan(filtered(*chain.on_device()).log_evidence), [True, False])


def test_draws_follow_the_path_that_linear_space_has_lost(key):
    """The filter as a number is zero where the path must go; the log form knows it."""
    chain = two_states(left_right(2, 0.5), [[-300, 0]] * 3 + [[0, -300]] * 4)
    assert np.asarray(filtered(*chain.on_device()).filtered)[0, 2, 0] == 0
    np.testing.assert_array_equal(sample(key, *chain.on_device()), [[0] * 7])


def test_single_precision_gives_way_earlier():
    with jax.enable_x64(False):
        chain = two_states(np.eye(2), [[-40, 0]] * 3 + [[0, -40]] * 4)
        assert unsafe(*chain.on_device()).all()
        np.testing.assert_allclose(smooth(*chain.on_device()).log_evidence, [-120.693147], rtol=1e-6)
    assert not unsafe(*chain.on_device()).any()
