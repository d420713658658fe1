"""A model's own sweeps, in our own compiled loop: chunks, progress, checkpoint and resume to the bit.

Every sweep is told by its number: its key is folded from that of the chain, so that no cut changes the draws.
Draws that are kept whole stand in a buffer of the compiled program; when it is full they go to the host, where the
model makes them as small as they can be.
"""

import functools
import os
import threading
import warnings
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
from neurolatent.models.protocols import Data, HasGibbs, ModelWarning
from neurolatent.precision import double

ROOM = 16e6  # bytes of a chain's buffer; ours
ONE_BY_ONE = threading.Lock()  # a chain that is joined is there twice for a moment
BUDGET = 2e9  # bytes of kept draws that need no warning; ours


class Moving(NamedTuple):
    """What the compiled program of one chain carries."""

    now: Any  # the model's state
    buffer: Any  # (rows, ...) of each array that is kept: the draws after those on the host
    statistics: dict[str, Float[Array, " draws"]]
    taken: Int[Array, ""]  # sweeps, warm-up included
    key: PRNGKeyArray


class ChainState(NamedTuple):
    """One chain, and what it has drawn so far."""

    moving: Moving
    held: Any  # (draws, ...) on the host, as the model packs them
    drained: int | np.ndarray  # how many draws those are


def run(settings: Gibbs, model: HasGibbs, data: Data, key: PRNGKeyArray, *, options: Run, identity: dict) -> Trained:
    """Draws of all chains; ``params`` is the kept draw with the highest log joint density."""
    on = on_device(data)
    keys = jax.random.split(key, settings.chains)
    starts = [model.gibbs_start(k, data, number) for number, k in enumerate(keys)]
    chains = tuple(_begun(model, settings, start, on, k) for start, k in zip(starts, keys, strict=True))
    words = _of_memory(settings, chains[0].moving.buffer)
    for each in words:
        warnings.warn(each, ModelWarning, stacklevel=2)
    total = settings.warmup + settings.draws

    def advance(chains: tuple[ChainState, ...], n: int) -> tuple[ChainState, ...]:
        each = functools.partial(_advance_alone, model, settings, data=on, n=n)
        return tuple(map(each, chains) if n == 0 else pool.map(each, chains))  # none: compiles, once for all

    loop = Loop(
        advance,
        lambda chains: int(chains[0].moving.taken),
        lambda chains: int(chains[0].moving.taken) >= total,
        lambda chains: "warm-up" if int(chains[0].moving.taken) < settings.warmup else "sampling",
        total,
        f"Gibbs, {settings.chains} chains",
    )
    with ThreadPoolExecutor(min(len(chains), _cores())) as pool:
        ended = run_loop(loop, chains, options, identity)
    reached, ended = list(ended.state), ended._replace(state=None)
    return _conclude(settings, model, reached, ended, words)


def _of_memory(settings: Gibbs, buffer: Any) -> tuple[str, ...]:
    """What to say of draws that may need more than the budget."""
    each = bytes_of(buffer) / len(jax.tree.leaves(buffer)[0])
    most = settings.chains * settings.keep * each
    if most <= BUDGET:
        return ()
    return (
        f"Gibbs: {settings.chains} chains keep {settings.keep} draws of up to {each / 1e6:.3g} MB each, "
        f"{most / 1e9:.3g} GB in all. Lower keep, or what bounds the size of a draw.",
    )


def _advance_alone(model: HasGibbs, settings: Gibbs, chain: ChainState, *, data: Data, n: int) -> ChainState:
    """A chain in a thread of its own, since a sweep keeps one core busy and no more; precision is that of a thread."""
    with double():
        end = min(int(chain.moving.taken) + n, settings.warmup + settings.draws)
        while True:
            moving = jax.block_until_ready(_advance(model, settings, chain.moving, data, end, int(chain.drained)))
            chain = _drained(model, settings, chain._replace(moving=moving))
            if int(moving.taken) >= end:
                return chain


def _drained(model: HasGibbs, settings: Gibbs, chain: ChainState) -> ChainState:
    """The chain with the draws of a full buffer on the host."""
    kept = _kept(settings, int(chain.moving.taken))
    if kept - int(chain.drained) < len(jax.tree.leaves(chain.moving.buffer)[0]):
        return chain
    with ONE_BY_ONE:
        return chain._replace(held=_joined(model, settings, chain), drained=kept)


def _joined(model: HasGibbs, settings: Gibbs, chain: ChainState) -> Any:
    """All draws so far, as the model packs them: those on the host and those in the buffer."""
    rest = _kept(settings, int(chain.moving.taken)) - int(chain.drained)
    if rest == 0:
        return jax.tree.map(np.asarray, chain.held)
    buffered = model.gibbs_packed(jax.tree.map(lambda leaf: np.asarray(leaf)[:rest], chain.moving.buffer))
    pieces = model.gibbs_alike([jax.tree.map(np.asarray, chain.held), buffered])
    return jax.tree.map(lambda *parts: np.concatenate(parts), *pieces)


def _kept(settings: Gibbs, taken: Any) -> Any:
    """How many draws have been kept after so many sweeps."""
    return (taken - min(taken, settings.warmup)) // settings.spacing


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begun(model: HasGibbs, settings: Gibbs, start: Any, data: Data, key: PRNGKeyArray) -> ChainState:
    """A chain that has drawn nothing."""
    moving = _empty(model, settings, start, data, key)
    nothing = jax.tree.map(lambda leaf: np.zeros((0, *leaf.shape[1:]), leaf.dtype), moving.buffer)
    return ChainState(moving, model.gibbs_packed(nothing), 0)


@compiled(static=(0, 1))
def _empty(model: HasGibbs, settings: Gibbs, start: Any, data: Data, key: PRNGKeyArray) -> Moving:
    told = jax.eval_shape(lambda: model.gibbs_sweep(start, data, key, jnp.zeros(()))[1])
    kept = jax.eval_shape(lambda: model.gibbs_kept(start))
    rows = int(np.clip(ROOM // max(bytes_of(kept), 1), 1, settings.keep))
    buffer = jax.tree.map(lambda leaf: jnp.zeros((rows, *leaf.shape), leaf.dtype), kept)
    statistics = {name: jnp.zeros(settings.draws, leaf.dtype) for name, leaf in told.items()}
    return Moving(start, buffer, statistics, jnp.zeros((), int), key)


def bytes_of(tree: Any) -> int:
    """Bytes of all arrays, or of what has their shapes and types."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


@compiled(static=(0, 1), lightly=True)
def _advance(
    model: HasGibbs, settings: Gibbs, chain: Moving, data: Data, end: Array | int, drained: Array | int
) -> Moving:
    """Sweeps of one chain up to number ``end``, or until the buffer behind the first ``drained`` draws is full.

    What comes after the warm-up is written at its place.
    """
    span, rows = settings.settling * settings.warmup, len(jax.tree.leaves(chain.buffer)[0])

    def is_going(chain: Moving) -> Array:
        kept = jnp.maximum(chain.taken - settings.warmup, 0) // settings.spacing
        return (chain.taken < end) & (kept - drained < rows)

    def step(chain: Moving) -> Moving:
        key = jax.random.fold_in(chain.key, chain.taken)
        settling = jnp.maximum(0.0, 1 - chain.taken / span) if span else jnp.zeros(())
        now, told = model.gibbs_sweep(chain.now, data, key, settling)
        place = chain.taken - settings.warmup
        row = jnp.where(place >= 0, place, settings.draws)  # beyond the end: dropped
        is_kept = (place >= 0) & ((place + 1) % settings.spacing == 0)
        kept_row = jnp.where(is_kept, (place + 1) // settings.spacing - 1 - drained, rows)
        buffer = jax.tree.map(lambda a, b: a.at[kept_row].set(b, mode="drop"), chain.buffer, model.gibbs_kept(now))
        statistics = {k: column.at[row].set(told[k], mode="drop") for k, column in chain.statistics.items()}
        return Moving(now, buffer, statistics, chain.taken + 1, chain.key)

    return jax.lax.while_loop(is_going, step, chain)


def _conclude(
    settings: Gibbs, model: HasGibbs, chains: list[ChainState], ended: Ended, words: tuple[str, ...]
) -> Trained:
    """What the chains drew; their list is empty afterwards, so that no draw is there twice for long."""
    taken = int(chains[0].moving.taken)
    drawn, kept = max(taken - settings.warmup, 0), _kept(settings, taken)
    if kept == 0:
        only = jax.tree.map(lambda leaf: np.asarray(leaf)[None], model.gibbs_kept(chains[0].moving.now))
        params = jax.tree.map(lambda leaf: leaf[0], model.gibbs_packed(only))
        words = (*words, "Gibbs was interrupted before it kept a draw; this is where the first chain stood.")
        return Trained(params, None, {}, False, ended.interrupted, words, ended.compile_seconds, ended.run_seconds)
    names = chains[0].moving.statistics
    trace = {name: np.stack([np.asarray(c.moving.statistics[name])[:drawn] for c in chains]) for name in names}
    packed = model.gibbs_alike([_joined(model, settings, chain) for chain in chains])
    chains.clear()
    draws = _stacked(packed)
    at_kept = trace["log_joint"][:, settings.spacing - 1 :: settings.spacing][:, :kept]
    chain, draw = np.unravel_index(int(at_kept.argmax()), at_kept.shape)
    params = jax.tree.map(lambda leaf: leaf[chain, draw], draws)
    is_whole = drawn == settings.draws
    return Trained(params, draws, trace, is_whole, ended.interrupted, words, ended.compile_seconds, ended.run_seconds)


def _stacked(parts: list[Any]) -> Any:
    """Trees of arrays on a new leading axis; the list is emptied, and each array is let go when it has been copied."""
    structure, leaves = jax.tree.structure(parts[0]), [jax.tree.leaves(part) for part in parts]
    parts.clear()
    out = []
    for place in range(structure.num_leaves):
        whole = np.empty((len(leaves), *leaves[0][place].shape), leaves[0][place].dtype)
        for number, each in enumerate(leaves):
            whole[number], each[place] = each[place], None
        out.append(whole)
    return jax.tree.unflatten(structure, out)
