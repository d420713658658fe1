"""Hidden Markov models with discrete states: filter, smoother, Viterbi path, draws and evidence of given emissions.

The one place that chooses between three forms of the same recursions: linear space
(:mod:`~neurolatent.ops.hmm_linear`, fast on a CPU), log domain (:mod:`~neurolatent.ops.hmm_log`, several times slower,
always right) and parallel in time (:mod:`~neurolatent.ops.hmm_parallel`, for accelerators). On a CPU the linear pass
runs first and the whole batch is done again in the log domain if underflow can have touched any of its sequences; the
rule, and why it is right, stands in :mod:`~neurolatent.ops.hmm_linear`. Under ``vmap`` that choice becomes "do both,
then select": pass sequences on the batch axis instead, or loop with ``jax.lax.map``.

Arguments, the same everywhere:
    initial: probabilities of the first state, one row per sequence; exact zeros are impossible states.
    transition: probabilities [from, to]; exact zeros are forbidden transitions.
    log_emission: log p(y_t | s_t), nats, plus the log weight of the state where there is knowledge; -inf or anything up
        to -1e29 excludes the state at that step; a step without observation holds zeros.
    lengths: valid steps of each sequence; what stands after them is never read. A length of 0 adds nothing.

References: Rabiner (1989), Proc. IEEE 77(2):257-286; weights as evidence: Ramasso and Denoeux (2014), IEEE Trans. Fuzzy
Systems 22(2):395-405.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from neurolatent.ops import hmm_linear, hmm_log, hmm_parallel
from neurolatent.ops.hmm_common import Filtered, Path, Posterior, Smoothed

__all__ = [
    "Filtered",
    "Path",
    "Smoothed",
    "filter_states",
    "log_evidence",
    "sample_states",
    "smooth_states",
    "unsafe_sequences",
    "viterbi",
]

LONG = 2000  # steps from which an accelerator works in parallel over time: design decision, not measured on one


def filter_states(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Filtered:
    """Probability of each state given the past and the present, and the log evidence step by step."""
    chain = (initial, transition, log_emission, lengths)
    if _in_parallel(log_emission.shape[1]):
        return hmm_parallel.filter_states(*chain)
    passed = hmm_linear.forward(*chain)
    return jax.lax.cond(
        hmm_linear.is_unsafe(passed, initial, transition, lengths).any(),
        lambda: hmm_log.filter_states(*chain),
        lambda: hmm_linear.filter_states(passed, lengths),
    )


def smooth_states(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Smoothed:
    """Probability of each state given the whole sequence, and the expected number of each transition."""
    filtered, smoothed, jumps = _posterior(initial, transition, log_emission, lengths)
    return Smoothed(*filtered, smoothed, jumps.sum(axis=0))


def try_smooth_states(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> tuple[Smoothed, Bool[Array, ""]]:
    """The smoother in its fast form alone, and whether that form was right for every sequence.

    Half the program of :func:`smooth_states`, so half the time to compile it: for callers that can come back with the
    other one where the answer is no.
    """
    chain = (initial, transition, log_emission, lengths)
    if _in_parallel(log_emission.shape[1]):
        return smooth_states(*chain), jnp.ones((), bool)
    passed = hmm_linear.forward(*chain)
    filtered, smoothed, jumps = hmm_linear.smooth_states(passed, transition, lengths)
    is_right = ~hmm_linear.is_unsafe(passed, initial, transition, lengths).any()
    return Smoothed(*filtered, smoothed, jumps.sum(axis=0)), is_right


def viterbi(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Path:
    """The most probable path; of equal paths the one whose last state is lowest, then the one before it, and so on."""
    form = hmm_parallel if _in_parallel(log_emission.shape[1]) else hmm_log
    return form.viterbi(initial, transition, log_emission, lengths)


def sample_states(
    key: PRNGKeyArray,
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Int[Array, "sequences time"]:
    """A draw of the paths from their posterior (forward filtering, backward sampling).

    Padding and impossible sequences hold -1. All forms turn the same key into the same path, up to rounding.
    """
    chain = (initial, transition, log_emission, lengths)
    sequences, time, _ = log_emission.shape
    uniform = jax.random.uniform(key, (time, sequences), log_emission.dtype)
    if _in_parallel(time):
        return hmm_parallel.sample_states(uniform, *chain)
    passed = hmm_linear.forward(*chain)
    return jax.lax.cond(
        hmm_linear.is_unsafe(passed, initial, transition, lengths).any(),
        lambda: hmm_log.sample_states(uniform, *chain),
        lambda: hmm_linear.sample_states(uniform, passed, transition, lengths),
    )


@jax.custom_vjp
def log_evidence(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Float[Array, " sequences"]:
    r"""Log probability of each sequence, nats; its reverse-mode gradient is made of expected counts.

    .. math::
        \frac{\partial \log p(y)}{\partial l_t(k)} = p(s_t = k | y), \quad
        \frac{\partial \log p(y)}{\partial A_{ij}} = \frac{E[n_{ij} | y]}{A_{ij}}, \quad
        \frac{\partial \log p(y)}{\partial \pi_k} = \frac{p(s_1 = k | y)}{\pi_k}.

    A probability of exactly zero is a statement of structure, not a value to be moved: its gradient is zero. A sequence
    whose data are impossible has a gradient of zero. So the gradient is never NaN. First derivatives only, and reverse
    mode only.
    """
    return filter_states(initial, transition, log_emission, lengths).log_evidence


def unsafe_sequences(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Bool[Array, " sequences"]:
    """True for the sequences that would make the linear form give way to the log form."""
    chain = (initial, transition, log_emission, lengths)
    return hmm_linear.is_unsafe(hmm_linear.forward(*chain), initial, transition, lengths)


def _posterior(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Posterior:
    chain = (initial, transition, log_emission, lengths)
    if _in_parallel(log_emission.shape[1]):
        return hmm_parallel.smooth_states(*chain)
    passed = hmm_linear.forward(*chain)
    return jax.lax.cond(
        hmm_linear.is_unsafe(passed, initial, transition, lengths).any(),
        lambda: hmm_log.smooth_states(*chain),
        lambda: hmm_linear.smooth_states(passed, transition, lengths),
    )


def _in_parallel(time: int) -> bool:
    return time > LONG and jax.default_backend() != "cpu"


def _log_evidence_forward(initial: Array, transition: Array, log_emission: Array, lengths: Array) -> tuple:
    posterior = _posterior(initial, transition, log_emission, lengths)
    first = posterior.smoothed[:, 0]
    return posterior.filtered.log_evidence, (
        _per_probability(first, initial),
        _per_probability(posterior.jumps, transition),
        posterior.smoothed,
    )


def _log_evidence_backward(slopes: tuple[Array, Array, Array], upstream: Array) -> tuple:
    initial, transition, log_emission = slopes
    return (
        upstream[:, None] * initial,
        (upstream[:, None, None] * transition).sum(axis=0),
        upstream[:, None, None] * log_emission,
        None,
    )


def _per_probability(counts: Float[Array, "*shape"], probability: Float[Array, "*any"]) -> Float[Array, "*shape"]:
    """Counts divided by probabilities; zero where the probability is zero."""
    positive = probability > 0
    least = jnp.finfo(probability.dtype).tiny
    return jnp.where(positive, counts / jnp.maximum(probability, least), 0.0)


log_evidence.defvjp(_log_evidence_forward, _log_evidence_backward)
