"""A model's own sweeps, in our own compiled loop: chunks, progress, checkpoint and resume to the bit.

Every sweep is told by its number: its key is folded from that of the chain, so that no cut changes the draws.
"""

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurolatent.choices import Gibbs, Run
from neurolatent.compiling import compiled, on_device
from neurolatent.engines.runner import Ended, Loop, run_loop
from neurolatent.engines.trained import Trained
from neurolatent.models.protocols import Data, HasGibbs
from neurolatent.precision import double


class ChainState(NamedTuple):
    """One chain, and what it has drawn so far."""

    now: Any  # the model's state
    kept: Any  # (keep, ...) of each array that is kept
    statistics: dict[str, Float[Array, " draws"]]
    taken: Int[Array, ""]  # sweeps, warm-up included
    key: PRNGKeyArray


def run(settings: Gibbs, model: HasGibbs, data: Data, key: PRNGKeyArray, *, options: Run, identity: dict) -> Trained:
    """Draws of all chains; ``params`` is the kept draw with the highest log joint density."""
    on = on_device(data)
    keys = jax.random.split(key, settings.chains)
    starts = [model.gibbs_start(k, data, number) for number, k in enumerate(keys)]
    chains = tuple(_empty(model, settings, start, on, k) for start, k in zip(starts, keys, strict=True))
    total = settings.warmup + settings.draws

    def advance(chains: tuple[ChainState, ...], n: int) -> tuple[ChainState, ...]:
        each = functools.partial(_advance_alone, model, settings, data=on, n=n)
        return tuple(map(each, chains) if n == 0 else pool.map(each, chains))  # none: compiles, once for all

    loop = Loop(
        advance,
        lambda chains: int(chains[0].taken),
        lambda chains: int(chains[0].taken) >= total,
        lambda chains: "warm-up" if int(chains[0].taken) < settings.warmup else "sampling",
        total,
        f"Gibbs, {settings.chains} chains",
    )
    with ThreadPoolExecutor(min(len(chains), _cores())) as pool:
        ended = run_loop(loop, chains, options, identity)
    return _conclude(settings, model, ended)


def _advance_alone(model: HasGibbs, settings: Gibbs, chain: ChainState, *, data: Data, n: int) -> ChainState:
    """A chain in a thread of its own, since a sweep keeps one core busy and no more; precision is that of a thread."""
    with double():
        return jax.block_until_ready(_advance(model, settings, chain, data, n))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@compiled(static=(0, 1))
def _empty(model: HasGibbs, settings: Gibbs, start: Any, data: Data, key: PRNGKeyArray) -> ChainState:
    """A chain that has drawn nothing."""
    told = jax.eval_shape(lambda: model.gibbs_sweep(start, data, key, jnp.zeros(()))[1])
    kept = jax.eval_shape(lambda: model.gibbs_kept(start))
    buffers = jax.tree.map(lambda leaf: jnp.zeros((settings.keep, *leaf.shape), leaf.dtype), kept)
    statistics = {name: jnp.zeros(settings.draws, leaf.dtype) for name, leaf in told.items()}
    return ChainState(start, buffers, statistics, jnp.zeros((), int), key)


@compiled(static=(0, 1), lightly=True)
def _advance(model: HasGibbs, settings: Gibbs, chain: ChainState, data: Data, n: Array | int) -> ChainState:
    """So many sweeps more of one chain; what comes after the warm-up is written at its place."""
    end, span = jnp.minimum(chain.taken + n, settings.warmup + settings.draws), settings.settling * settings.warmup

    def step(chain: ChainState) -> ChainState:
        key = jax.random.fold_in(chain.key, chain.taken)
        settling = jnp.maximum(0.0, 1 - chain.taken / span) if span else jnp.zeros(())
        now, told = model.gibbs_sweep(chain.now, data, key, settling)
        place = chain.taken - settings.warmup
        row = jnp.where(place >= 0, place, settings.draws)  # beyond the end: dropped
        is_kept = (place >= 0) & ((place + 1) % settings.spacing == 0)
        kept_row = jnp.where(is_kept, (place + 1) // settings.spacing - 1, settings.keep)
        kept = jax.tree.map(lambda a, b: a.at[kept_row].set(b, mode="drop"), chain.kept, model.gibbs_kept(now))
        statistics = {k: column.at[row].set(told[k], mode="drop") for k, column in chain.statistics.items()}
        return ChainState(now, kept, statistics, chain.taken + 1, chain.key)

    return jax.lax.while_loop(lambda chain: chain.taken < end, step, chain)


def _conclude(settings: Gibbs, model: HasGibbs, ended: Ended) -> Trained:
    chains: tuple[ChainState, ...] = ended.state
    drawn = int(np.clip(int(chains[0].taken) - settings.warmup, 0, settings.draws))
    kept = drawn // settings.spacing
    if kept == 0:
        only = jax.tree.map(lambda leaf: np.asarray(leaf)[None, None], model.gibbs_kept(chains[0].now))
        params = jax.tree.map(lambda leaf: leaf[0, 0], model.gibbs_draws(only))
        words = ("Gibbs was interrupted before it kept a draw; this is where the first chain stood.",)
        return Trained(params, None, {}, False, ended.interrupted, words, ended.compile_seconds, ended.run_seconds)
    stacked = jax.tree.map(
        lambda *leaves: np.stack([np.asarray(leaf)[:kept] for leaf in leaves]), *[c.kept for c in chains]
    )
    draws = model.gibbs_draws(stacked)
    names = chains[0].statistics
    trace = {name: np.stack([np.asarray(c.statistics[name])[:drawn] for c in chains]) for name in names}
    at_kept = trace["log_joint"][:, settings.spacing - 1 :: settings.spacing][:, :kept]
    chain, draw = np.unravel_index(int(at_kept.argmax()), at_kept.shape)
    params = jax.tree.map(lambda leaf: leaf[chain, draw], draws)
    is_whole = drawn == settings.draws
    return Trained(params, draws, trace, is_whole, ended.interrupted, (), ended.compile_seconds, ended.run_seconds)
