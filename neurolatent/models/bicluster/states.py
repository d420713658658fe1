r"""The states of all bins in one block, and the weights of a sticky hierarchical Dirichlet process at a fixed bound.

.. math:: \beta \sim Dir(\gamma/L, ...), \quad \Pi_l \sim Dir(\alpha \beta + \kappa e_l), \quad
    \xi_2 \sim uniform, \quad \xi_t \mid \xi_{t-1} \sim \Pi_{\xi_{t-1}}.

Reference: Fox, Sudderth, Jordan and Willsky (2011), Annals of Applied Statistics 5(2):1020-1056, section 3 and the
supplement (tables with the sticky weight, and those that it explains taken away).
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster import concentrations
from neurolatent.models.bicluster.dynamics import Dynamics, dynamics_of
from neurolatent.models.bicluster.params import BiclusterParams, occupancy
from neurolatent.ops import hmm, small
from neurolatent.ops.gamma import standard_gamma

LOG_2PI = 1.8378770664093453
LEAST = 1e-300  # of a weight, so that it has a logarithm


def emission(
    dynamics: Dynamics, trajectories: Float[Array, "cluster bin coordinate"], weight: Float[Array, " cluster"]
) -> Float[Array, "step state"]:
    """Log density of every step of the weighted clusters under the law of every state, nats."""
    root = small.cholesky(small.entries(dynamics.innovation))
    inverse = small.lower_inverse(root)
    moved = -small.from_entries(small.product(inverse, small.entries(dynamics.transition)))
    pushed = -small.from_parts(small.applied(inverse, small.parts(dynamics.shift)))[..., None]
    maps = jnp.concatenate([small.from_entries(inverse), moved, pushed], axis=-1)
    now, before = trajectories[:, 1:], trajectories[:, :-1]
    both = jnp.concatenate([now, before, jnp.ones_like(now[..., :1])], axis=-1)
    states, clusters, size, _ = maps.shape
    white = jnp.einsum("jtk,jmk->jtm", both, jnp.swapaxes(maps, 0, 1).reshape(clusters, states * size, -1))
    square = (white.reshape(clusters, -1, states, size) ** 2).sum(axis=-1)
    log_det = -small.log_diagonal(root) - 0.5 * size * LOG_2PI
    return jnp.einsum("j,jtl->tl", weight, log_det.T[:, None] - 0.5 * square)


def draw_states(params: BiclusterParams, key: PRNGKeyArray) -> Int[Array, " bin"]:
    """All states given trajectories and laws."""
    occupied = (occupancy(params.label, params.trajectories.shape[0]) > 0).astype(params.trajectories.dtype)
    return draw_path(params, emission(dynamics_of(params), params.trajectories, occupied), key)


def draw_path(params: BiclusterParams, scores: Float[Array, "step state"], key: PRNGKeyArray) -> Int[Array, " bin"]:
    """All states given the log density of every step under the law of every state."""
    states = params.weights.shape[0]
    initial = jnp.full((1, states), 1 / states, scores.dtype)
    lengths = jnp.full(1, len(scores), jnp.int32)
    drawn = hmm.sample_states(key, initial, params.jumps, scores[None], lengths)[0]
    return jnp.concatenate([drawn[:1], drawn]).astype(params.state.dtype)


def draw_weights(model: Any, params: BiclusterParams, key: PRNGKeyArray) -> BiclusterParams:
    """Global weights and transition rows given the states, and before them the concentrations if the model says so."""
    key_tables, key_global, key_rows, key_concentrations = jax.random.split(key, 4)
    states, dtype = params.weights.shape[0], params.weights.dtype
    tables = open_tables(params, key_tables)
    if model.update_hdp:
        drawn = concentrations.draw(params.concentrations, tables, key_concentrations)
        params = params._replace(concentrations=drawn)
    alpha, gamma, kappa = params.concentrations
    beta = jnp.maximum(dirichlet(key_global, gamma / states + tables.others), LEAST)
    rows = alpha * beta + kappa * jnp.eye(states, dtype=dtype) + tables.moves
    return params._replace(weights=beta, jumps=dirichlet(key_rows, rows))


def open_tables(params: BiclusterParams, key: PRNGKeyArray) -> concentrations.Tables:
    """The tables of the transitions, drawn given states, weights and concentrations.

    Each transition from l to m that was the k-th of its kind opened a table with probability w / (w + k),
    w = alpha beta_m + kappa [l = m]; of the tables on the diagonal a binomial number is the sticky weight's.
    """
    states, dtype = params.weights.shape[0], params.weights.dtype
    alpha, _, kappa = params.concentrations
    origin, target = params.state[1:-1], params.state[2:]
    rank, moves = ranks(origin, target, states)
    own = alpha * params.weights[target]
    weight = own + jnp.where(origin == target, kappa, 0.0)
    uniform = jax.random.uniform(key, (2, *rank.shape), dtype)
    opened, by_sticky = uniform[0] * (weight + rank) <= weight, uniform[1] * weight > own
    others = jnp.zeros(states, dtype).at[target].add((opened & ~by_sticky).astype(dtype))
    return concentrations.Tables(moves, others, (opened & by_sticky).sum().astype(dtype))


def ranks(
    origin: Int[Array, " step"], target: Int[Array, " step"], states: int
) -> tuple[Int[Array, " step"], Int[Array, "state state_to"]]:
    """How many equal steps came before each, and how many there are of each kind in all."""

    def step(counts: Array, pair: tuple[Array, Array]) -> tuple[Array, Array]:
        return counts.at[pair].add(1), counts[pair]

    counts, rank = jax.lax.scan(step, jnp.zeros((states, states), jnp.int32), (origin, target))
    return rank, counts


def dirichlet(key: PRNGKeyArray, concentration: Float[Array, "*rows n"]) -> Float[Array, "*rows n"]:
    """A draw along the last axis; entries with a tiny concentration may be exactly 0, but never all of them.

    By logarithms: a gamma variable of shape a is one of shape a + 1 times a uniform one to the power 1 / a.
    """
    key_gamma, key_power = jax.random.split(key)
    least = jnp.finfo(concentration.dtype).tiny
    power = jnp.log(jax.random.uniform(key_power, concentration.shape, concentration.dtype, minval=least))
    return jax.nn.softmax(jnp.log(standard_gamma(key_gamma, concentration + 1)) + power / concentration, axis=-1)
