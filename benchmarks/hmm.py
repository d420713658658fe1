"""How fast is smoothing with neurolatent.ops.hmm beside dynamax and hmmlearn, in double precision on a CPU?

Filter, smoother and expected transitions: from given log-likelihoods (one long sequence: ergodic, and left-right, where
the linear form has to look for underflow; a batch of short left-right sequences, which the others take one by one or
by vmap), and from data with Gaussian emissions of full covariance. All contenders run in turn in one process, after
compilation and after their numbers have been compared; times are medians, ratios are theirs divided by ours.

Run: python benchmarks/hmm.py [--repeats 60] [--json]. Needs the extras bench and dev.
"""

import argparse
import json
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from dynamax.hidden_markov_model import GaussianHMM
from dynamax.hidden_markov_model.inference import hmm_smoother
from hmmlearn import _hmmc

from neurolatent.models.arphmm.emission import log_emission
from neurolatent.ops import hmm, hmm_log

Contender = Callable[[], object]
IN_A_ROW = 5  # calls of a contender in one turn


def chain(states: int, lengths: np.ndarray, *, left_right: bool, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Start, transitions and log-likelihoods of noisy levels that rise once (left-right) or jump (ergodic)."""
    rng = np.random.default_rng(seed)
    time_steps, sequences = max(lengths), len(lengths)
    if left_right:
        stay = 1 - states / time_steps
        moves = stay * np.eye(states) + (1 - stay) * np.eye(states, k=1)
        moves[-1, -1] = 1
        start = np.tile(np.eye(states)[0], (sequences, 1))
        level = np.minimum(np.arange(time_steps) * states // lengths[:, None], states - 1)
    else:
        moves = 0.9 * np.eye(states) + 0.1 / states
        start = np.full((sequences, states), 1 / states)
        level = rng.integers(0, states, (sequences, time_steps // 20 + 1)).repeat(20, axis=1)[:, :time_steps]
    y = level + 0.7 * rng.normal(size=level.shape)
    return start, moves, -0.5 * ((y[..., None] - np.arange(states)) / 0.7) ** 2, lengths


def hmmlearn_log(start: np.ndarray, moves: np.ndarray, scores: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """What hmmlearn does in one E-step by default, from its compiled parts."""
    evidence, forward = _hmmc.forward_log(start, moves, scores)
    backward = _hmmc.backward_log(start, moves, scores)
    joint = forward + backward
    posterior = np.exp(joint - joint.max(axis=1, keepdims=True))
    pairs = np.exp(_hmmc.compute_log_xi_sum(forward, moves, backward, scores))
    return evidence, posterior / posterior.sum(axis=1, keepdims=True), pairs


def hmmlearn_scaling(start: np.ndarray, moves: np.ndarray, scores: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The same with implementation="scaling"."""
    emission = np.exp(scores)
    evidence, forward, scale = _hmmc.forward_scaling(start, moves, emission)
    backward = _hmmc.backward_scaling(start, moves, emission, scale)
    posterior = forward * backward
    pairs = _hmmc.compute_scaling_xi_sum(forward, moves, backward, emission)
    return evidence, posterior / posterior.sum(axis=1, keepdims=True), pairs


def long_sequence(*, left_right: bool) -> dict[str, Contender]:
    """One sequence, 5 states, 10,000 steps, log-likelihoods given."""
    start, moves, scores, lengths = chain(5, np.array([10_000]), left_right=left_right)
    ours = tuple(map(jnp.asarray, (start, moves, scores, lengths)))
    smooth, log_form, dynamax = jax.jit(hmm.smooth_states), jax.jit(hmm_log.smooth_states), jax.jit(hmm_smoother)
    got, want = smooth(*ours), hmmlearn_log(start[0], moves, scores[0])
    agree(got.log_evidence[0], got.smoothed[0], got.jumps, want)
    other = dynamax(ours[0][0], ours[1], ours[2][0])
    agree(other.marginal_loglik, other.smoothed_probs, other.trans_probs, want)
    scaled = hmmlearn_scaling(start[0], moves, scores[0])
    agree(*scaled, want)
    return {
        "ours": lambda: smooth(*ours),
        "dynamax": lambda: dynamax(ours[0][0], ours[1], ours[2][0]),
        "hmmlearn_log": lambda: hmmlearn_log(start[0], moves, scores[0]),
        "hmmlearn_scaling": lambda: hmmlearn_scaling(start[0], moves, scores[0]),
        "our_log_form": lambda: log_form(*ours),
    }


def batch(states: int) -> dict[str, Contender]:
    """100 left-right sequences of 120 to 384 steps, padded to 384, log-likelihoods given."""
    lengths = np.random.default_rng(1).integers(120, 385, 100)
    lengths[0] = 384
    start, moves, scores, lengths = chain(states, lengths, left_right=True)
    ours = tuple(map(jnp.asarray, (start, moves, scores, lengths)))
    padded = jnp.asarray(np.where((np.arange(384) < lengths[:, None])[..., None], scores, 0.0))
    smooth, dynamax = jax.jit(hmm.smooth_states), jax.jit(jax.vmap(hmm_smoother, (0, None, 0)))
    one_by_one = [(start[n], moves, np.ascontiguousarray(scores[n, :t])) for n, t in enumerate(lengths)]
    got, want = smooth(*ours), [hmmlearn_log(*one) for one in one_by_one]
    np.testing.assert_allclose(got.log_evidence, [w[0] for w in want], rtol=1e-9)
    np.testing.assert_allclose(got.jumps, sum(w[2] for w in want), atol=1e-8)
    return {
        "ours": lambda: smooth(*ours),
        "dynamax": lambda: dynamax(ours[0], ours[1], padded),  # no masks: it takes padding for missing data
        "hmmlearn_log": lambda: [hmmlearn_log(*one) for one in one_by_one],
        "hmmlearn_scaling": lambda: [hmmlearn_scaling(*one) for one in one_by_one],
    }


def gaussian(features: int = 10, states: int = 5, steps: int = 10_000) -> dict[str, Contender]:
    """One sequence, emissions and smoothing: full covariances, 10 features, 5 states, 10,000 steps."""
    rng = np.random.default_rng(2)
    start, moves, _, lengths = chain(states, np.array([steps]), left_right=False)
    factor = np.tril(0.2 * rng.normal(size=(states, features, features))) + np.eye(features)
    mean = rng.normal(size=(states, features))
    level = rng.integers(0, states, steps // 20).repeat(20)
    y = mean[level] + np.einsum("tij,tj->ti", factor[level], rng.normal(size=(steps, features)))
    covariance = jnp.asarray(factor @ factor.swapaxes(1, 2))
    start, moves, mean, y, lengths = map(jnp.asarray, (start, moves, mean, y, lengths))

    rows = (y[None], jnp.ones((1, steps, 1)), jnp.ones((1, steps), bool))  # no lags: the constant is the regressor

    @jax.jit
    def ours(rows: tuple[jax.Array, ...], mean: jax.Array, covariance: jax.Array) -> hmm.Smoothed:
        return hmm.smooth_states(start, moves, log_emission(*rows, mean[:, :, None], covariance), lengths)

    peer = GaussianHMM(states, features)
    params, _ = peer.initialize(
        initial_probs=start[0], transition_matrix=moves, emission_means=mean, emission_covariances=covariance
    )
    dynamax = jax.jit(peer.smoother)
    got, want = ours(rows, mean, covariance), dynamax(params, y)
    agree(
        got.log_evidence[0], got.smoothed[0], got.jumps, (want.marginal_loglik, want.smoothed_probs, want.trans_probs)
    )
    return {"ours": lambda: ours(rows, mean, covariance), "dynamax": lambda: dynamax(params, y)}


def agree(evidence: object, smoothed: object, jumps: object, want: tuple) -> None:
    """Stop if the contenders do not compute the same numbers."""
    np.testing.assert_allclose(evidence, want[0], rtol=1e-9)
    np.testing.assert_allclose(smoothed, want[1], atol=1e-7)
    np.testing.assert_allclose(jumps, want[2], atol=1e-4)


def medians(contenders: dict[str, Contender], repeats: int) -> dict[str, float]:
    """Median time of each contender in ms; all take their turn in each round, so that a busy machine hits all.

    A turn is one call that is not counted and then IN_A_ROW that are: what a fit does, which calls again and again.
    """
    times = {name: [] for name in contenders}
    for _ in range(repeats // IN_A_ROW):
        for name, run in contenders.items():
            for number in range(IN_A_ROW + 1):
                begin = time.perf_counter()
                jax.block_until_ready(run())
                times[name] += [1e3 * (time.perf_counter() - begin)] if number else []
    return {name: float(np.median(values)) for name, values in times.items()}


def compile_seconds() -> float:
    """Tracing and compilation of the smoother for one shape."""
    args = tuple(map(jnp.asarray, chain(6, np.array([1_000]), left_right=True)))
    begin = time.perf_counter()
    jax.jit(hmm.smooth_states).lower(*args).compile()
    return time.perf_counter() - begin


def main() -> None:
    """Run all cases and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    cases = {
        "long": lambda: long_sequence(left_right=False),
        "long_left_right": lambda: long_sequence(left_right=True),
        "batch_4": lambda: batch(4),
        "batch_8": lambda: batch(8),
        "gaussian": gaussian,
    }
    figures = {"compile.smooth.seconds": compile_seconds()}
    for case, contenders in cases.items():
        taken = medians(contenders(), options.repeats)
        for name, milliseconds in taken.items():
            figures[f"{case}.{name}.ms"] = milliseconds
            if name != "ours":
                figures[f"{case}.{name}.ratio"] = milliseconds / taken["ours"]
    if options.json:
        print(json.dumps({"figures": figures}))
        return
    for name, value in figures.items():
        print(f"{name:40} {value:10.3f}")


if __name__ == "__main__":
    main()
