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
from jaxtyping import Array, Bool, Float, Int

from neurolatent.ops import small
from neurolatent.ops.kalman import Information
from neurolatent.ops.kalman_draw import Filtered, filtered, moved, updated


class Laws(NamedTuple):
    """One law of motion for each state and cluster."""

    transition: Float[Array, "state cluster latent latent_from"]
    shift: Float[Array, "state cluster latent"]
    innovation: Float[Array, "state cluster latent latent"]  # a covariance


_Carry = tuple[Array, Array, Array]  # mean and root of the belief before the step, log probability of its states


class _Bin(NamedTuple):
    """What the forward pass reads at a step into bin t."""

    seen: Information  # J_t, h_t
    later: Information  # Omega_t, mu_t
    onward: Float[Array, " state"]  # log probability of the next state from each state
    noise: Float[Array, " state"]  # standard Gumbel
    now: Int[Array, ""]  # the state as it is


def draw_bin_by_bin(
    noise: Float[Array, "steps state"],
    laws: Laws,
    seen: Information,
    state: Int[Array, " steps"],
    log_initial: Float[Array, " state"],
    log_jumps: Float[Array, "state state_to"],
    held: Bool[Array, ""] | bool = False,
) -> tuple[Int[Array, " steps"], Filtered]:
    """The states of all steps into bins 2, 3, ..., each drawn given those before it, anew, and after it, as they were.

    Args:
        noise: Standard Gumbel numbers.
        seen: Of all bins, (time, cluster, ...): one bin more than steps.
        held: States stay as they are.

    Returns:
        The states, and the filter's beliefs after all bins under them.
    """
    states, said = len(log_initial), _axes_first(seen)
    later = _later(laws, said, state)
    onward = jnp.concatenate([log_jumps[:, state[1:]].T, jnp.zeros((1, states), log_jumps.dtype)])
    law = (jnp.moveaxis(laws.transition, (2, 3), (0, 1)), jnp.moveaxis(laws.shift, 2, 0))
    law = (*law, jnp.moveaxis(laws.innovation, (2, 3), (0, 1)))

    def step(carry: _Carry, bin_: _Bin) -> tuple[_Carry, tuple[Array, Filtered]]:
        mean, root, into = carry
        mean, cov = moved(mean[:, None], root[:, :, None], *law)
        whole = jax.tree.map(lambda now, later: (now + later)[..., None, :], bin_.seen, bin_.later)
        gain = updated(mean, cov, whole).log_gain  # summed as a product: its operands are computed once, in one loop
        score = gain @ jnp.ones(gain.shape[1], gain.dtype) + into + bin_.onward
        drawn = jnp.where(held, bin_.now, (score + bin_.noise).argmax().astype(state.dtype))
        chosen = [part[drawn] for part in mean], [[part[drawn] for part in row] for row in cov]
        belief = filtered(updated(*chosen, bin_.seen))
        return (belief.mean, belief.root, log_jumps[drawn]), (drawn, belief)

    zero, one = jnp.zeros_like(said.shift[0]), jnp.eye(said.shift.shape[1], dtype=noise.dtype)
    start = jnp.broadcast_to(one[..., None], said.precision.shape[1:])
    begin = filtered(updated(list(zero), small.entries(start, 0), jax.tree.map(lambda part: part[0], said)))
    rest = jax.tree.map(lambda part: part[1:], said)
    first = (begin.mean, begin.root, log_initial)
    drawn, beliefs = jax.lax.scan(step, first, _Bin(rest, later, onward, noise, state))[1]
    return drawn, jax.tree.map(lambda one, more: jnp.concatenate([one[None], more]), begin, beliefs)


def _axes_first(seen: Information) -> Information:
    """What the bins say, with the axes of a vector or a matrix after time and before the clusters."""
    return Information(jnp.moveaxis(seen.precision, (2, 3), (1, 2)), jnp.moveaxis(seen.shift, 2, 1))


def _later(laws: Laws, said: Information, state: Int[Array, " steps"]) -> Information:
    """What the bins after 2, 3, ... say of them, the axes of a vector or a matrix first."""
    weight = small.from_entries(small.inverse(small.entries(laws.innovation)), 1)
    transition, shift = jnp.moveaxis(laws.transition, 1, -1), jnp.moveaxis(laws.shift, 1, -1)

    def step(message: Information, bin_: tuple[Information, Array]) -> tuple[Information, Information]:
        said, at = bin_
        onward, noise = small.entries(transition[at], 0), small.entries(weight[at], 0)
        whole = small.added(small.entries(message.precision, 0), small.entries(said.precision, 0))
        gain = small.product(noise, small.inverse(small.added(noise, whole)))
        held = small.symmetric(small.product(gain, whole))
        back = small.transposed(onward)
        pull = small.sums(list(message.shift), list(said.shift))
        left = small.sums(small.applied(gain, pull), small.applied(held, list(shift[at])), -1.0)
        before = small.from_entries(small.congruent(onward, held), 0), jnp.stack(small.applied(back, left))
        return Information(*before), message

    nothing = Information(jnp.zeros_like(said.precision[0]), jnp.zeros_like(said.shift[0]))
    rest = Information(said.precision[1:], said.shift[1:])
    return jax.lax.scan(step, nothing, (rest, state), reverse=True)[1]
