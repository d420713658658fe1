"""The no-U-turn sampler, driven in our own compiled loop: chunks, progress, checkpoint and resume to the bit.

Hoffman and Gelman (2014), JMLR 15:1593-1623; the trajectory, the adaptation and the density are NumPyro's.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray
from numpyro.infer.hmc import hmc

from neurolatent.choices import NUTS, Run
from neurolatent.compiling import compiled
from neurolatent.engines.frame import Frame, potential
from neurolatent.engines.mode import Start, as_parameters, at_mode, mean_of, without_draws
from neurolatent.engines.runner import Ended, Loop, run_loop
from neurolatent.engines.trained import Trained
from neurolatent.models.protocols import Data, HasDensity

STATISTICS = ("diverging", "num_steps", "accept_prob", "potential_energy", "energy")


class ChainState(NamedTuple):
    """One chain, and what it has drawn so far."""

    kernel: Any  # NumPyro's state
    draws: Float[Array, "draws dimension"]  # in the coordinates of the frame
    statistics: dict[str, Float[Array, " draws"]]
    taken: Int[Array, ""]  # iterations, warm-up included


class NUTSState(NamedTuple):
    """Everything that a resumed run needs to go on to the bit."""

    frame: Frame
    chains: tuple[ChainState, ...]


def run(settings: NUTS, model: HasDensity, data: Data, key: PRNGKeyArray, *, options: Run, identity: dict) -> Trained:
    """Draws of all chains, relabelled; ``params`` is their mean."""
    key_mode, key_start = jax.random.split(key)
    start = at_mode(settings.start, model, data, key_mode)
    if start.frame is None:
        return without_draws(start.mode, "NUTS")
    keys = jax.random.split(key_start, settings.chains)
    state = NUTSState(start.frame, tuple(_start(model, settings, start.frame, start.data, k) for k in keys))
    total = settings.warmup + settings.draws

    def advance(state: NUTSState, n: int) -> NUTSState:
        # dispatched one after the other without waiting: chains run side by side where there are cores for it
        return state._replace(
            chains=tuple(_advance(model, settings, state.frame, chain, start.data, n) for chain in state.chains)
        )

    loop = Loop(
        advance,
        lambda state: int(state.chains[0].taken),
        lambda state: int(state.chains[0].taken) >= total,
        lambda state: f"{sum(int(chain.statistics['diverging'].sum()) for chain in state.chains)} divergences",
        total,
        f"NUTS, {settings.chains} chains",
    )
    ended = run_loop(loop, state, options, identity)
    return _conclude(settings, model, start, ended)


def _kernel(
    model: HasDensity, settings: NUTS, frame: Frame, begin: Array, data: Data, key: PRNGKeyArray
) -> tuple[Any, Callable[..., Any]]:
    """A first state, and the function that takes one iteration.

    NumPyro's kernel keeps what it traced in its own variables, so it is made anew in every program that uses it.
    """
    start, sample = hmc(potential_fn_gen=lambda frame, data: potential(model, frame, data), algo="NUTS")
    state = start(
        begin,
        settings.warmup,
        target_accept_prob=settings.target_accept,
        trajectory_length=None,  # type: ignore[arg-type]
        max_tree_depth=settings.max_tree_depth,
        model_args=(frame, data),
        model_kwargs={},
        rng_key=key,
    )
    return state, sample


@compiled(static=(0, 1))
def _start(model: HasDensity, settings: NUTS, frame: Frame, data: Data, key: PRNGKeyArray) -> ChainState:
    """A chain near the peak, with its own jitter."""
    key_jitter, key_kernel = jax.random.split(key)
    size, dtype = len(frame.factor), frame.factor.dtype
    begin = settings.jitter * jax.random.normal(key_jitter, (size,), dtype)
    state, _ = _kernel(model, settings, frame, begin, data, key_kernel)
    statistics = {name: jnp.zeros(settings.draws, dtype) for name in STATISTICS}
    return ChainState(state, jnp.zeros((settings.draws, size), dtype), statistics, jnp.zeros((), int))


@compiled(static=(0, 1))
def _advance(
    model: HasDensity, settings: NUTS, frame: Frame, chain: ChainState, data: Data, n: Array | int
) -> ChainState:
    """So many iterations more of one chain; draws after the warm-up are written at their place."""
    end = jnp.minimum(chain.taken + n, settings.warmup + settings.draws)
    _, sample = _kernel(model, settings, frame, chain.kernel.z, data, chain.kernel.rng_key)

    def step(chain: ChainState) -> ChainState:
        inner = sample(chain.kernel, (frame, data), {})
        place = chain.taken - settings.warmup
        row = jnp.where(place >= 0, place, settings.draws)  # beyond the end: dropped
        draws = chain.draws.at[row].set(inner.z, mode="drop")
        statistics = {
            name: column.at[row].set(jnp.asarray(getattr(inner, name), column.dtype), mode="drop")
            for name, column in chain.statistics.items()
        }
        return ChainState(inner, draws, statistics, chain.taken + 1)

    return jax.lax.while_loop(lambda chain: chain.taken < end, step, chain)


def _conclude(settings: NUTS, model: HasDensity, start: Start, ended: Ended) -> Trained:
    frame, chains = ended.state
    kept = int(np.clip(int(chains[0].taken) - settings.warmup, 0, settings.draws))
    if kept == 0:
        return without_draws(start.mode, "NUTS")
    draws = as_parameters(model, start, frame, [chain.draws[:kept] for chain in chains])
    trace = {name: np.stack([np.asarray(c.statistics[name])[:kept] for c in chains]) for name in STATISTICS}
    warnings = []
    divergences = int(trace["diverging"].sum())
    if divergences:
        warnings.append(f"{divergences} divergences; raise target_accept, or state more knowledge of the states.")
    return Trained(
        mean_of(draws, model, start.mode),
        draws,
        trace,
        kept == settings.draws and not divergences,
        ended.interrupted,
        tuple(warnings),
        ended.compile_seconds,
        ended.run_seconds + start.mode.run_seconds,
    )
