r"""How trajectories move: one linear law per state and cluster, its conjugate prior, and its draw.

.. math:: x_t = A_{\xi_t} x_{t-1} + b_{\xi_t} + N(0, Q_{\xi_t}), \quad Q \sim IW(D + 2, 0.01 I), \quad
    [A\ b] \mid Q \sim MN([I\ 0], Q, I / k), \quad \rho(A) < 1.02.

The paper has k = 1. With innovations of 0.1 that holds each coefficient within about 0.1 of staying where one is: a
state in which trajectories die out costs dozens of nats in every coordinate, while two states that hardly differ cost
little, and draws cut time into five to eight states where there are two. With k = 0.02, which is ours, they do not.

The restriction to a spectral radius below 1.02 is ours: without it most draws of the prior grow without bound within a
recording, so that no cluster is ever born. The conjugate posterior under it is the usual one, restricted: draws are
made until one is stable, which is exact; where none is among many, the former value stays, which leaves the law as it
is, because whether that happens does not depend on it.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster.params import BiclusterParams, occupancy
from neurolatent.ops import mniw, small
from neurolatent.ops.kalman_draw import Chain

TRIES = 200
AT_ONCE = 256  # draws of the prior; ours
LARGEST = 1.02  # spectral radius: ours


class Dynamics(NamedTuple):
    """Laws of motion on any leading axes."""

    transition: Float[Array, "*batch coordinate coordinate_from"]
    shift: Float[Array, "*batch coordinate"]
    innovation: Float[Array, "*batch coordinate coordinate_from"]


def prior_family(model: Any, size: int) -> mniw.Family:
    """The prior of coefficients and innovation of ``size`` coordinates."""
    mean = np.c_[np.eye(size), np.zeros(size)]
    return mniw.Family(mean, float(model.law_precision) * np.eye(size + 1), size + 2.0, 0.01 * np.eye(size))


def moments_of(
    trajectories: Float[Array, "cluster bin coordinate"],
    state: Int[Array, " bin"],
    occupied: Bool[Array, " cluster"],
    states: int,
) -> tuple[mniw.Moments, Float[Array, "state cluster coordinate coordinate_from"]]:
    """Moments of steps x_t - x_{t-1} (the prior's mean being to stay) on (x_{t-1}, 1), by state and cluster."""
    into = (state[1:, None] == jnp.arange(states)).astype(trajectories.dtype)
    before = trajectories[:, :-1]
    regressors = jnp.concatenate([before, jnp.ones_like(before[..., :1])], axis=-1)
    moved = trajectories[:, 1:] - before
    both = jnp.where(occupied[:, None, None], jnp.concatenate([moved, regressors], axis=-1), 0.0)
    size, clusters = moved.shape[-1], len(occupied)
    pairs = (both[..., :, None] * both[..., None, :]).reshape(clusters, len(into), -1)
    sums = jnp.einsum("tl,jtm->ljm", into, pairs).reshape(states, clusters, 2 * size + 1, 2 * size + 1)
    weight = into.sum(axis=0)[:, None] * occupied
    return mniw.Moments(weight, sums[..., size:, size:], sums[..., :size, size:]), sums[..., :size, :size]


def draw_dynamics(
    model: Any, params: BiclusterParams, active: Bool[Array, " cluster"], key: PRNGKeyArray
) -> tuple[BiclusterParams, Dynamics, Float[Array, ""]]:
    """Laws of all states and active clusters given trajectories and states; from the prior where nothing tells of them.

    Returns:
        The draw, laws of the prior for each try to give a neuron a cluster of its own (try, state, 1), and the number
        of laws that found no stable one.
    """
    key_told, key_prior = jax.random.split(key)
    told, is_told, left = draw_told(model, params, key_told)
    drawn, single = with_fresh(model, told, ~is_told & active, key_prior)
    return params._replace(**drawn._asdict()), single, left.sum().astype(params.offset.dtype)


def with_fresh(
    model: Any, told: Dynamics, untold: Bool[Array, "state cluster"], key: PRNGKeyArray
) -> tuple[Dynamics, Dynamics]:
    """Laws with draws of the prior where nothing tells of them, and others of it for each try (try, state, 1)."""
    (states, clusters, size), dtype = told.shift.shape, told.shift.dtype
    spare = model.births * states
    pool = draw_prior(model, key, spare + states * clusters, size, dtype, wanted=spare + untold.sum())
    place = spare + (jnp.cumsum(untold) - 1).reshape(untold.shape)
    drawn = jax.tree.map(lambda a, b: _where(untold, a[place], b), pool, told)
    return drawn, jax.tree.map(lambda part: part[:spare].reshape(model.births, states, 1, *part.shape[1:]), pool)


def draw_told(
    model: Any, params: BiclusterParams, key: PRNGKeyArray
) -> tuple[Dynamics, Bool[Array, "state cluster"], Bool[Array, "state cluster"]]:
    """Laws of motion given trajectories and states, of which of them these tell, and which found no stable draw.

    Laws that nothing tells of, or that found none, are the former ones.
    """
    states, clusters, size = params.shift.shape
    occupied = occupancy(params.label, clusters) > 0
    moments, squares = moments_of(params.trajectories, params.state, occupied, states)
    of = mniw.posterior(moments, squares, prior_family(model, size))
    former, is_told = dynamics_of(params), moments.weight > 0

    def again(carry: tuple[Dynamics, Array, Array]) -> tuple[Dynamics, Array, Array]:
        kept, left, number = carry
        anew = _laws(jax.random.fold_in(key, number), of)
        good = left & _is_stable(model, anew)
        return jax.tree.map(lambda a, b: _where(good, a, b), anew, kept), left & ~good, number + 1

    start = (former, is_told, jnp.zeros((), jnp.uint32))
    kept, left, _ = jax.lax.while_loop(lambda carry: carry[1].any() & (carry[2] < TRIES), again, start)
    return kept, is_told, left


def dynamics_of(params: BiclusterParams) -> Dynamics:
    """The laws of motion of a draw."""
    return Dynamics(params.transition, params.shift, params.innovation)


def draw_prior(
    model: Any, key: PRNGKeyArray, count: int, size: int, dtype: Any, *, wanted: Int[Array, ""] | int | None = None
) -> Dynamics:
    """Laws from the prior: of many draws at once the stable ones, in order, until there are enough.

    Args:
        wanted: The first so many of the ``count`` laws must be there; None wants all of them.
    """
    wanted, of = count if wanted is None else wanted, _without_data(model, AT_ONCE, size, dtype)

    def again(carry: tuple[Dynamics, Array, Array]) -> tuple[Dynamics, Array, Array]:
        kept, found, number = carry
        anew = _laws(jax.random.fold_in(key, number), of)
        good = _is_stable(model, anew)
        place = jnp.where(good, found + jnp.cumsum(good) - 1, count)  # beyond the end: dropped
        kept = jax.tree.map(lambda a, b: a.at[place].set(b, mode="drop"), kept, anew)
        return kept, found + good.sum(), number + 1

    nothing = Dynamics(*(jnp.zeros((count, *(size,) * axes), dtype) for axes in (2, 1, 2)))
    start = (nothing, jnp.zeros((), int), jnp.zeros((), jnp.uint32))
    return jax.lax.while_loop(lambda carry: carry[1] < wanted, again, start)[0]


def stable_share(model: Any) -> float:
    """Share of the prior's laws that are stable, of 4,000 draws."""
    if not model.stable:
        return 1.0
    family = prior_family(model, model.n_factors + 1)
    laws = mniw.draw(family, 4000, np.random.default_rng(0))[0]
    return float((np.abs(np.linalg.eigvals(laws[..., :-1])).max(axis=-1) < LARGEST).mean())


def _without_data(model: Any, count: int, size: int, dtype: Any) -> mniw.Posterior:
    """The prior, so many times."""
    none = mniw.Moments(
        jnp.zeros(count, dtype),
        jnp.zeros((count, size + 1, size + 1), dtype),
        jnp.zeros((count, size, size + 1), dtype),
    )
    return mniw.posterior(none, jnp.zeros((count, size, size), dtype), prior_family(model, size))


def _laws(key: PRNGKeyArray, of: mniw.Posterior) -> Dynamics:
    both, innovation = mniw.draw_posterior(key, of)
    return Dynamics(both[..., :-1], both[..., -1], innovation)


def _is_stable(model: Any, laws: Dynamics) -> Bool[Array, "*batch"]:
    return small.is_within_radius(small.entries(laws.transition), LARGEST) | (not model.stable)


def _where(condition: Array, first: Array, second: Array) -> Array:
    return jnp.where(condition.reshape(condition.shape + (1,) * (first.ndim - condition.ndim)), first, second)


def with_cluster(
    params: BiclusterParams, slot: Int[Array, ""], laws: Dynamics, path: Float[Array, "bin coordinate"]
) -> BiclusterParams:
    """The draw with laws of motion (state, 1, ...) and a trajectory in the place of those of one cluster."""
    put = {name: getattr(params, name).at[:, slot].set(part[:, 0]) for name, part in laws._asdict().items()}
    return params._replace(trajectories=params.trajectories.at[slot].set(path), **put)


def chain_of(dynamics: Dynamics, state: Int[Array, " bin"]) -> Chain:
    """The law of all trajectories given the states: laws on the axes (state, cluster)."""
    precision = small.from_entries(small.inverse(small.entries(dynamics.innovation)))
    at = state[1:]
    start = jnp.broadcast_to(jnp.eye(precision.shape[-1], dtype=precision.dtype), precision.shape[1:])
    return Chain(
        jnp.zeros(dynamics.shift.shape[1:], precision.dtype),
        start,
        dynamics.transition[at],
        dynamics.shift[at],
        precision[at],
    )


def roll_out(
    key: PRNGKeyArray, dynamics: Dynamics, state: Int[Array, " bin"]
) -> Float[Array, "cluster bin coordinate"]:
    """Trajectories from the prior given laws and states, started at N(0, I)."""
    white = jax.random.normal(key, (len(state), *dynamics.shift.shape[1:]), dynamics.shift.dtype)
    roots, into = small.from_entries(small.cholesky(small.entries(dynamics.innovation)).lower), state[1:]
    pushed = dynamics.shift[into] + (roots[into] * white[1:, :, None]).sum(axis=-1)

    def step(x: Array, bin_: tuple[Array, Array]) -> tuple[Array, Array]:
        transition, push = bin_
        x = (transition * x).sum(axis=1) + push
        return x, x

    along = jnp.moveaxis(dynamics.transition[into], 1, -1), jnp.moveaxis(pushed, 1, -1)
    start = white[0].T
    _, rest = jax.lax.scan(step, start, along)
    return jnp.moveaxis(jnp.concatenate([start[None], rest]), -1, 0)
