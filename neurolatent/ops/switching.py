r"""States of a switching linear Gaussian chain, bin by bin, with all trajectories integrated out.

.. math::
    x_1 \sim N(0, I), \quad x_t \mid x_{t-1}, \xi_t = l \sim N(A_l x_{t-1} + b_l, Q_l), \quad
    g(x) = \prod_t \exp(-\tfrac12 x_t^T J_t x_t + h_t^T x_t).

Given a trajectory a state hardly moves: the trajectory was drawn under it. Here a backward pass keeps what later bins
say of :math:`x_t` under the states as they are, :math:`\exp(-\tfrac12 x^T \Omega_t x + \mu_t^T x)`; a forward pass
draws each :math:`\xi_t` given all others, by the mean of :math:`g` under each law, and takes the filter one bin on.
Several independent chains (axis ``cluster``) share the states.

Reference: Gerlach, Carter and Kohn (2000), JASA 95(451):819-828; the messages are those of an information filter.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from neurolatent.ops.kalman import Information
from neurolatent.ops.kalman_draw import Filtered, updated
from neurolatent.ops.small import applied, cholesky, lower_inverse, product, transposed


class Laws(NamedTuple):
    """One law of motion for each state and cluster."""

    transition: Float[Array, "state cluster latent latent_from"]
    shift: Float[Array, "state cluster latent"]
    innovation: Float[Array, "state cluster latent latent"]  # a covariance


class _Bin(NamedTuple):
    """What the forward pass reads at a step into bin t."""

    seen: Information  # J_t, h_t
    later: Information  # Omega_t, mu_t
    onward: Float[Array, " state"]  # log probability of the next state from each state
    noise: Float[Array, " state"]  # standard Gumbel


def draw_bin_by_bin(
    noise: Float[Array, "steps state"],
    laws: Laws,
    seen: Information,
    state: Int[Array, " steps"],
    log_initial: Float[Array, " state"],
    log_jumps: Float[Array, "state state_to"],
) -> Int[Array, " steps"]:
    """The states of all steps into bins 2, 3, ..., each drawn given those before it, anew, and after it, as they were.

    Args:
        noise: Standard Gumbel numbers.
        seen: Of all bins, (time, cluster, ...): one bin more than steps.
    """
    states, later = len(log_initial), _later(laws, seen, state)
    onward = jnp.concatenate([log_jumps[:, state[1:]].T, jnp.zeros((1, states), log_jumps.dtype)])
    first = Information(seen.precision[0], seen.shift[0])
    one = jnp.broadcast_to(jnp.eye(first.shift.shape[-1], dtype=noise.dtype), first.precision.shape)
    begin = updated(jnp.zeros_like(first.shift), one, first)

    def step(carry: tuple[Filtered, Array], bin_: _Bin) -> tuple[tuple[Filtered, Array], Array]:
        before, into = carry
        root, centre = _for_each(before.root, states), _for_each(before.mean, states)
        moved = product(laws.transition, root)
        cov = product(moved, transposed(moved)) + laws.innovation
        mean = applied(laws.transition, centre) + laws.shift
        whole = jax.tree.map(lambda now, later: _for_each(now + later, states), bin_.seen, bin_.later)
        score = updated(mean, cov, whole).log_gain.sum(axis=1) + into + bin_.onward
        drawn = (score + bin_.noise).argmax()
        after = updated(mean[drawn], cov[drawn], bin_.seen)
        return (after, log_jumps[drawn]), drawn.astype(state.dtype)

    rest = Information(seen.precision[1:], seen.shift[1:])
    return jax.lax.scan(step, (begin, log_initial), _Bin(rest, later, onward, noise))[1]


def _for_each(value: Float[Array, "..."], states: int) -> Float[Array, "state ..."]:
    return jnp.broadcast_to(value, (states, *value.shape))


def _later(laws: Laws, seen: Information, state: Int[Array, " steps"]) -> Information:
    """What the bins after 2, 3, ... say of them."""
    root = transposed(lower_inverse(cholesky(laws.innovation)))
    weight = product(root, transposed(root))

    def step(message: Information, bin_: tuple[Information, Array]) -> tuple[Information, Information]:
        said, at = bin_
        whole = message.precision + said.precision
        inverse = lower_inverse(cholesky(weight[at] + whole))
        gain = product(weight[at], product(transposed(inverse), inverse))
        back = transposed(laws.transition[at])
        held = product(gain, whole)
        held = 0.5 * (held + transposed(held))
        precision = product(product(back, held), laws.transition[at])
        shift = applied(back, applied(gain, message.shift + said.shift) - applied(held, laws.shift[at]))
        return Information(precision, shift), message

    nothing = Information(jnp.zeros_like(seen.precision[0]), jnp.zeros_like(seen.shift[0]))
    rest = Information(seen.precision[1:], seen.shift[1:])
    return jax.lax.scan(step, nothing, (rest, state), reverse=True)[1]
