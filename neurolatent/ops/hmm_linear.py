r"""The recursions in linear space, one step after the other: the fast form on a CPU, with a proof of when it is right.

With :math:`e_t(j) = \exp(l_t(j) - \max_k l_t(k))` for log-emissions :math:`l` and the normalised filter
:math:`\alpha_t`,

.. math::
    a_t(j) = e_t(j) \sum_i \alpha_{t-1}(i) A_{ij}, \quad c_t = \sum_j a_t(j), \quad \alpha_t = a_t / c_t, \quad
    \beta_t(i) = \sum_j A_{ij} e_t(j) \beta_{t+1}(j) / c_{t+1},

so that the smoother is :math:`\alpha_t \beta_t` and the log evidence :math:`\sum_t \log c_t + \max_k l_t(k)`. The loop
carries :math:`a` and computes :math:`a_t(j) = (e_t(j) / c_{t-1}) \sum_i a_{t-1}(i) A_{ij}`: the same numbers, but the
division does not have to wait for the sum over i, nor the sum for the division.

**When it is right.** All terms are positive, so rounding does no harm; only underflow does. Underflow takes away from
:math:`a_t(j)` a mass of at most :math:`1 + e_t(j) / c_{t-1}` times ``lost_mass`` (a few times the smallest normal
number): once in the last product, and once in the sum, which is then multiplied. The recursion is linear:
if :math:`Z` is the true and :math:`\tilde Z` the computed evidence of :math:`y_{1:s}`, then
:math:`Z / \tilde Z - 1 = \sum_{t \le s} \sum_j \delta_t(j) W_{t,s}(j)`, where :math:`\delta` is the loss and :math:`W`
carries it from (t, j) to s with the *computed* normalisers. The sum is what the same recursion gives when it starts
with nothing and receives, at each step, that mass in every state that can be reached
(:func:`worst_loss`). If it stays below the rounding error at every s, filter, increments and evidence are right; and as
the loss at t weighted by :math:`\beta_t` is a part of the loss at the end, so are smoother and jumps. A state that has
faded and stays faded costs nothing; one that fades below the smallest number and then recovers is found.
If all transitions are possible, the same sum is bounded without a pass: :math:`\beta_t(i) \le 1 / \min A`, and as
:math:`\beta_{t-1}(i) \ge \min A \sum_j e_t(j) \beta_t(j) / c_t`, the part that carries :math:`e_t / c_{t-1}` is at most
:math:`1 / (c_{t-1} \min A^2)`.

Arrays are laid out (time, states, sequences): the innermost loop runs over sequences.

Reference: Rabiner (1989), Proc. IEEE 77(2):257-286 (the recursions and their scaling).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from neurolatent.ops.hmm_common import EXCLUDED, Filtered, Posterior, as_filtered, as_posterior, is_within, pick

SMALL = 512  # products in one step below which XLA makes one native loop of a multiply-and-sum; ours: JAX 0.10, 2 cores
UNROLLED = 12  # states up to which, on a batch, a sum written out beats a matrix product; ours: as above


class Forward(NamedTuple):
    """The forward pass, kept for the backward pass."""

    emission: Float[Array, "time states sequences"]  # e, in [0, 1]; 0 only where excluded; 1 on padding
    shift: Float[Array, "time sequences"]  # what was taken from the log-emissions, nats
    filtered: Float[Array, "time states sequences"]  # alpha
    total: Float[Array, "time sequences"]  # c
    scale: Float[Array, "time sequences"]  # 1 / c, finite


def over_states(
    join: Callable[[Array, Array], Array], x: Float[Array, "time states sequences"]
) -> Float[Array, "time sequences"]:
    """The sum or maximum over states, written out: XLA would do a reduction anew for each state that reads it."""
    return functools.reduce(join, (x[:, k] for k in range(x.shape[1])))


def mix(weights: Float[Array, "to from"], x: Float[Array, "from sequences"]) -> Float[Array, "to sequences"]:
    """The product ``weights @ x``, in the form that runs fastest for its size inside a loop."""
    if weights.size * x.shape[1] <= SMALL:
        return (weights[:, :, None] * x).sum(axis=1)
    if len(weights) <= UNROLLED:
        return functools.reduce(jnp.add, (weights[:, i, None] * x[i] for i in range(len(x))))
    return weights @ x


def representable(probability: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Positive values raised to a number that no product with a value of one or more can lose."""
    least = 4 * jnp.finfo(probability.dtype).tiny
    return jnp.where(probability > 0, jnp.maximum(probability, least), 0.0)


def forward(
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    log_emission: Float[Array, "sequences time states"],
    lengths: Int[Array, " sequences"],
) -> Forward:
    """The normalised forward pass; it runs on after the end of a sequence, where emissions are one."""
    emission, shift = shifted_emission(log_emission, lengths)
    tiny = jnp.finfo(emission.dtype).tiny
    first, into = representable(initial).T, representable(transition).T

    def step(
        carry: tuple[Array, Array], inputs: tuple[Array, Array]
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        mass, scale = carry
        e, is_first = inputs
        mass = jnp.where(is_first, first, mix(into, mass)) * (e * scale)
        total = mass.sum(axis=0)
        scale = 1 / jnp.maximum(total, tiny)
        return (mass, scale), (mass * scale, total)

    start = (jnp.zeros_like(emission[0]), jnp.ones_like(shift[0]))
    _, (filtered, total) = jax.lax.scan(step, start, (emission, jnp.arange(len(emission)) == 0))
    return Forward(emission, shift, filtered, total, 1 / jnp.maximum(total, tiny))


def shifted_emission(
    log_emission: Float[Array, "sequences time states"], lengths: Int[Array, " sequences"]
) -> tuple[Float[Array, "time states sequences"], Float[Array, "time sequences"]]:
    """The emissions divided by their maximum over states, and the logarithm of that maximum.

    Padding is recognised by a limit, which is a number per step: with truth values XLA takes twice as long.
    """
    scores = jnp.transpose(log_emission, (1, 2, 0))
    within = is_within(lengths, len(scores)).T
    top = over_states(jnp.maximum, scores)
    limit, padding = jnp.where(within, EXCLUDED, jnp.inf), jnp.where(within, 0.0, 1.0)
    shift = jnp.where(within & ~(top <= EXCLUDED), top, 0.0)
    emission = jnp.maximum(jnp.exp(scores - shift[:, None]), 4 * jnp.finfo(scores.dtype).tiny)
    return jnp.where(scores > limit[:, None], emission, padding[:, None]), shift


def filter_states(passed: Forward, lengths: Int[Array, " sequences"]) -> Filtered:
    """The filter, from a forward pass."""
    increments = jnp.log(passed.total) + passed.shift
    return as_filtered(increments.T, jnp.transpose(passed.filtered, (2, 0, 1)), lengths)


def smooth_states(
    passed: Forward, transition: Float[Array, "states states"], lengths: Int[Array, " sequences"]
) -> Posterior:
    """The smoother, from a forward pass.

    States without mass are left out of the backward pass: they add nothing, and their weights could overflow.
    """
    tiny = jnp.finfo(transition.dtype).tiny
    within = is_within(lengths, len(passed.total)).T
    goes_on = jnp.concatenate([within[1:], jnp.zeros_like(within[:1])])
    ends = jnp.where(goes_on, 0.0, 1.0).astype(transition.dtype)
    scale = jnp.where(within, passed.scale, 0.0)

    def step(ahead: Array, inputs: tuple[Array, ...]) -> tuple[Array, tuple[Array, Array]]:
        filtered, e, normaliser, end = inputs
        beta = mix(transition, ahead) + end
        return jnp.where(filtered >= tiny, beta * (e * normaliser), 0.0), (filtered * beta, ahead)

    inputs = (passed.filtered, passed.emission, scale, ends)
    _, (product, ahead) = jax.lax.scan(step, jnp.zeros_like(passed.filtered[0]), inputs, reverse=True)
    smoothed = product * (1 / jnp.maximum(over_states(jnp.add, product), tiny))[:, None]
    pairs = jnp.einsum("tin,tjn->nij", passed.filtered, ahead) * transition
    return as_posterior(filter_states(passed, lengths), jnp.transpose(smoothed, (2, 0, 1)), pairs, lengths)


def sample_states(
    uniform: Float[Array, "time sequences"],
    passed: Forward,
    transition: Float[Array, "states states"],
    lengths: Int[Array, " sequences"],
) -> Int[Array, "sequences time"]:
    """A draw of all states given the data, from the last step back to the first."""
    inside = is_within(lengths, len(passed.total)).T
    follows = jnp.concatenate([inside[1:], jnp.zeros_like(inside[:1])])

    def step(state: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        belief, within_next, u = inputs
        into = jnp.where(within_next[:, None], transition.T[state], 1.0)
        state = pick(belief * into, u)
        return state, state

    start = jnp.zeros(lengths.shape, jnp.int32)
    beliefs = jnp.swapaxes(passed.filtered, 1, 2)
    _, states = jax.lax.scan(step, start, (beliefs, follows, uniform), reverse=True)
    possible = ~((passed.total == 0) & inside).any(axis=0)
    return jnp.where(inside & possible, states, -1).T


def is_unsafe(
    passed: Forward,
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    lengths: Int[Array, " sequences"],
) -> Bool[Array, " sequences"]:
    """True where underflow may have changed a result by more than the tolerance, or a number is not finite."""
    limit = 100 * jnp.finfo(transition.dtype).eps / lost_mass(passed)
    within = is_within(lengths, len(passed.total)).T
    least = jnp.min(transition)
    bound = jnp.where(within, passed.scale, 0.0).sum(axis=0) * (len(transition) + 1 / least) / least
    return jax.lax.cond(
        (bound <= limit).all(),
        lambda: jnp.zeros(bound.shape, bool),
        lambda: ~(worst_loss(passed, initial, transition, lengths) <= limit),
    )


def worst_loss(
    passed: Forward,
    initial: Float[Array, "sequences states"],
    transition: Float[Array, "states states"],
    lengths: Int[Array, " sequences"],
) -> Float[Array, " sequences"]:
    """Largest share of the mass that can have been lost at any step, in units of :func:`lost_mass`.

    Zero marks a state that cannot be reached; all others hold one or more.
    """
    within = is_within(lengths, len(passed.total)).T
    emission, scale = passed.emission, jnp.where(within, passed.scale, 0.0)
    into = representable(transition).T

    def step(t: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        lost, worst = carry
        before = mix(into, lost)
        loss = before * emission[t] + (1.0 + emission[t] * scale[t - 1])
        lost = jnp.where((before > 0) & (emission[t] > 0), loss, 0.0) * scale[t]
        return lost, jnp.maximum(worst, lost)

    first = jnp.where((initial.T > 0) & (emission[0] > 0), 1.0, 0.0).astype(scale.dtype) * scale[0]
    _, worst = jax.lax.fori_loop(1, len(emission), step, (first, first))
    return worst.sum(axis=0)


def lost_mass(passed: Forward) -> float:
    """Bound on what underflow takes from one state in one step: each product and sum, and what was raised."""
    return 8 * passed.filtered.shape[1] * float(jnp.finfo(passed.filtered.dtype).tiny)
