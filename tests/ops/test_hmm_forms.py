"""The linear, the log and the parallel form are one function; padding, length and batching change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent.ops import hmm, hmm_linear, hmm_log, hmm_parallel
from tests.helpers import Chain, assert_trees_close, left_right, random_chain

LENGTHS = [20, 1, 0, 9]


def linear_smoother(initial, transition, log_emission, lengths):
    passed = hmm_linear.forward(initial, transition, log_emission, lengths)
    return hmm_linear.smooth_states(passed, transition, lengths)


def linear_sampler(uniform, initial, transition, log_emission, lengths):
    passed = hmm_linear.forward(initial, transition, log_emission, lengths)
    return hmm_linear.sample_states(uniform, passed, transition, lengths)


SMOOTHERS = {
    "linear": jax.jit(linear_smoother),
    "log": jax.jit(hmm_log.smooth_states),
    "parallel": jax.jit(hmm_parallel.smooth_states),
}
SAMPLERS = {
    "linear": jax.jit(linear_sampler),
    "log": jax.jit(hmm_log.sample_states),
    "parallel": jax.jit(hmm_parallel.sample_states),
}
VITERBIS = {"log": jax.jit(hmm.viterbi), "parallel": jax.jit(hmm_parallel.viterbi)}
smooth = jax.jit(hmm.smooth_states)
slopes = jax.jit(jax.grad(lambda *chain: hmm.log_evidence(*chain).sum(), argnums=(0, 1, 2)))


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize(
    ("states", "zeros"), [(3, 0.0), (3, 0.1), (12, 0.1), (14, 0.1)]
)  # each size has its own product
def test_forms_agree(states, zeros):
    chain = random_chain(states, states, LENGTHS, zeros=zeros).on_device()
    results = [smoother(*chain) for smoother in SMOOTHERS.values()]
    for other in results[1:]:
        assert_trees_close(results[0], other)


@pytest.mark.parametrize("smoother", SMOOTHERS.values(), ids=SMOOTHERS)
def test_a_batch_is_its_sequences_one_by_one(smoother):
    chain = random_chain(1, 3, [7, 4, 1])
    batch = smoother(*chain.on_device())
    for n, length in enumerate(chain.lengths):
        alone = smoother(*chain.single(n).on_device())
        cut = jax.tree.map(lambda x, n=n, t=length: x[n : n + 1, :t] if x.ndim > 1 else x[n : n + 1], batch)
        assert_trees_close(cut._replace(jumps=batch.jumps[n : n + 1]), alone)


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -np.inf, 1e300])
def test_garbage_in_padding_does_not_leak(key, garbage):
    clean = random_chain(2, 3, LENGTHS)
    scores = clean.log_emission.copy()
    for n, length in enumerate(LENGTHS):
        scores[n, length:] = garbage
    dirty, clean = clean._replace(log_emission=scores).on_device(), clean.on_device()
    uniform = jax.random.uniform(key, (20, 4), float)
    for function in (*SMOOTHERS.values(), *VITERBIS.values(), smooth, slopes):
        assert_trees_close(function(*dirty), function(*clean), atol=0, rtol=0)
    for sampler in SAMPLERS.values():
        np.testing.assert_array_equal(sampler(uniform, *dirty), sampler(uniform, *clean))


@pytest.mark.parametrize("zeros", [0.0, 0.2])
def test_best_paths_agree(zeros):
    chain = random_chain(7, 3, LENGTHS, zeros=zeros).on_device()
    a, b = (viterbi(*chain) for viterbi in VITERBIS.values())
    np.testing.assert_array_equal(a.states, b.states)
    np.testing.assert_allclose(a.log_score, b.log_score, rtol=1e-12)


@pytest.mark.parametrize("zeros", [0.0, 0.2])
def test_forms_draw_the_same_path_from_the_same_numbers(key, zeros):
    chain = random_chain(7, 3, LENGTHS, zeros=zeros).on_device()
    uniform = jax.random.uniform(key, (20, 4), float)
    want, *others = (sampler(uniform, *chain) for sampler in SAMPLERS.values())
    for other in others:
        np.testing.assert_array_equal(other, want)


def test_a_long_sequence_of_independent_steps_has_its_evidence_in_closed_form():
    """Equal rows of the transition matrix: the steps are independent draws from a mixture."""
    rng = np.random.default_rng(0)
    share, time = np.array([0.5, 0.3, 0.2]), 100_000
    scores = 5 * rng.normal(size=(1, time, 3))
    chain = Chain(share[None], np.tile(share, (3, 1)), scores, np.array([time]))
    got = smooth(*chain.on_device())
    joint = share * np.exp(scores)
    np.testing.assert_allclose(got.log_evidence, np.log(joint.sum(axis=2)).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(got.smoothed, joint / joint.sum(axis=2, keepdims=True), atol=1e-10)
    np.testing.assert_allclose(got.jumps.sum(), time - 1, rtol=1e-12)


def test_a_long_sequence_agrees_with_the_log_form():
    rng = np.random.default_rng(1)
    time = 100_000
    states = np.minimum(np.arange(time) * 4 // time, 3)
    scores = -0.5 * (np.arange(4) - states[:, None] - 0.5 * rng.normal(size=(time, 1))) ** 2
    chain = Chain(np.eye(4)[:1], left_right(4, 0.9999), scores[None], np.array([time])).on_device()
    assert not jax.jit(hmm.unsafe_sequences)(*chain).any()
    got, want = smooth(*chain), SMOOTHERS["log"](*chain)
    np.testing.assert_allclose(got.log_evidence, want.filtered.log_evidence, rtol=1e-11)
    np.testing.assert_allclose(got.smoothed, want.smoothed, atol=1e-9)
    np.testing.assert_allclose(got.jumps, want.jumps[0], atol=1e-4)


def test_vmap_over_chains_of_parameters_changes_nothing():
    chain = random_chain(3, 3, LENGTHS, zeros=0.2).on_device()
    moves = jnp.stack([chain.transition, chain.transition.T / chain.transition.T.sum(axis=1, keepdims=True)])

    def slope(transition):
        return jax.value_and_grad(lambda a: hmm.log_evidence(chain.initial, a, *chain[2:])[0])(transition)

    together = jax.jit(jax.vmap(slope))(moves)
    looped = jax.jit(lambda m: jax.lax.map(slope, m))(moves)
    assert_trees_close(together, looped)
    assert_trees_close(
        together[1][1], slopes(chain.initial[:1], moves[1], chain.log_emission[:1], chain.lengths[:1])[1]
    )
