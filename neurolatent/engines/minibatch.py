r"""Amortised variational inference by minibatches of sequences: one compiled epoch, whatever the model.

What is climbed is the bound per sequence, :math:`\frac{1}{|b|} \sum_{m \in b} L_m + \frac{1}{M} \log p(\theta)`, whose
expectation over batches is that of all M training sequences. Some sequences are held out: they tell when to stop, which
epoch to keep and which restart to take. All of it runs in single precision.

References: Kingma and Welling (2014), ICLR; Kingma and Ba (2015), ICLR.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from neurolatent.choices import MinibatchVI, Run
from neurolatent.compiling import compiled, on_device
from neurolatent.engines.plateau import last_rise
from neurolatent.engines.runner import Ended, Loop, run_loop
from neurolatent.engines.trained import Trained
from neurolatent.models.protocols import Data, HasBound
from neurolatent.precision import single

if TYPE_CHECKING:
    Floats = Any  # NumPy on the host, JAX inside programs: both are meant
else:
    Floats = Array | np.ndarray

LEAST_HELD_OUT = 2  # sequences; with fewer nothing is held out


class Climb(NamedTuple):
    """Everything that a resumed run needs to go on to the bit; a leading axis for the restarts."""

    key: Array
    free: Any
    adam: Any
    best: Any  # free parameters of the epoch with the highest held-out bound
    best_bound: Float[Floats, "*restarts"]
    best_epoch: Int[Floats, "*restarts"]
    epoch: Int[Floats, "*restarts"]
    objective: Float[Floats, "*restarts epochs"]  # nats per sequence; NaN where not yet evaluated
    elbo: Float[Floats, "*restarts epochs"]
    held_out: Float[Floats, "*restarts epochs"]
    failed: Int[Floats, "*restarts"]  # the first step whose bound or gradient was no number; 0 for none


class Split(NamedTuple):
    """Training and held-out sequences."""

    train: Any
    held: Any


def run(
    settings: MinibatchVI, model: HasBound, data: Data, key: PRNGKeyArray, *, options: Run, identity: dict
) -> Trained:
    """The best epoch of the best restart."""
    words = np.asarray(jax.random.key_data(key))
    with single():
        split = split_data(settings, _single(data), np.random.default_rng(words))
        state, device = _begin(settings, model, split, words), on_device(split)
        loop = Loop(
            lambda state, n: _advance(model, settings, state, device, n),
            lambda state: int(np.max(state.epoch)),
            lambda state: bool(np.all(_is_finished(settings, state))),
            _words,
            settings.epochs,
            "VI",
        )
        ended = run_loop(loop, state, options, identity)
        return _conclude(settings, model, split, ended)


def split_data(settings: MinibatchVI, data: Data, generator: np.random.Generator) -> Split:
    """Sequences to learn from and to hold out; the latter none where there would be too few."""
    count = len(jax.tree.leaves(data)[0])
    held = round(settings.validation * count)
    held = held if held >= LEAST_HELD_OUT else 0
    order = generator.permutation(count)
    rows = np.sort(order[held:]), np.sort(order[:held])
    return Split(*(jax.tree.map(lambda leaf, r=r: leaf[r], data) for r in rows))


def _single(data: Data) -> Data:
    """Real numbers in 32 bit."""
    return jax.tree.map(lambda a: np.asarray(a, np.float32) if np.asarray(a).dtype.kind == "f" else np.asarray(a), data)


def _begin(settings: MinibatchVI, model: HasBound, split: Split, words: np.ndarray) -> Climb:
    keys = [
        jax.random.wrap_key_data(jnp.asarray(words + np.array([0, n], np.uint32))) for n in range(settings.restarts)
    ]
    starts = [model.free_start(key, split.train, restart=n) for n, key in enumerate(keys)]
    free = jax.tree.map(lambda *leaves: np.stack(leaves).astype(np.float32), *starts)
    empty = np.full((settings.restarts, settings.epochs), np.nan, np.float32)
    none, low = np.zeros(settings.restarts, np.int32), np.full(settings.restarts, -np.inf, np.float32)
    adam = jax.vmap(_optimiser(settings, 1).init)(free)
    return Climb(jnp.stack(keys), free, adam, free, low, none, none, empty, empty, empty, none)


def _optimiser(settings: MinibatchVI, batches: int) -> Any:
    share = settings.final_rate / settings.learning_rate
    rate = optax.cosine_decay_schedule(settings.learning_rate, settings.epochs * batches, alpha=share)
    return optax.chain(optax.clip_by_global_norm(settings.clip), optax.adam(rate))


def _is_finished(settings: MinibatchVI, state: Climb) -> Bool[Array, "*restarts"]:
    """Stopped after patience, at a step that is no number, or at the last epoch."""
    tired = (state.epoch - state.best_epoch >= settings.patience) & (state.best_bound > -jnp.inf)
    return tired | (state.failed > 0) | (state.epoch >= settings.epochs)


@compiled(static=(0, 1))
def _advance(model: HasBound, settings: MinibatchVI, state: Climb, split: Split, n: Int[Array, ""] | int) -> Climb:
    """So many epochs more of every restart that is not finished, one restart after the other."""

    def one(state: Climb) -> Climb:
        limit = jnp.minimum(state.epoch + n, settings.epochs)
        goes_on = lambda s: (s.epoch < limit) & ~_is_finished(settings, s)  # noqa: E731
        return jax.lax.while_loop(goes_on, lambda s: _epoch(model, settings, s, split), state)

    return jax.lax.map(one, state)


def _epoch(model: HasBound, settings: MinibatchVI, state: Climb, split: Split) -> Climb:
    count = len(jax.tree.leaves(split.train)[0])
    batches = max(1, round(count / settings.batch))
    key_order, key_draws = jax.random.split(jax.random.fold_in(state.key, state.epoch))
    size = count // batches
    rows = jax.random.permutation(key_order, count)[: batches * size].reshape(batches, size)
    kl_weight = jnp.minimum(1.0, (state.epoch + 1.0) / (settings.kl_epochs + 1.0))

    def loss(free: Any, rows: Array, key: Array) -> tuple[Array, tuple[Array, Array]]:
        batch = jax.tree.map(lambda leaf: leaf[rows], split.train)
        bound = model.bound(free, batch, key, kl_weight)
        objective = bound.objective.mean() + model.free_log_prior(free, batch) / count
        return -objective, (objective, bound.elbo.mean())

    def step(carry: Any, at: Any) -> tuple[Any, tuple[Array, Array]]:
        free, adam, failed = carry
        number, rows, key = at
        (_, told), gradient = jax.value_and_grad(loss, has_aux=True)(free, rows, key)
        leaves = [jnp.isfinite(leaf).all() for leaf in (told[0], *jax.tree.leaves(gradient))]
        good = jnp.stack(leaves).all() & (failed == 0)
        change, moved = _optimiser(settings, batches).update(gradient, adam)
        new = (optax.apply_updates(free, change), moved)
        free, adam = jax.tree.map(lambda fresh, old: jnp.where(good, fresh, old), new, (free, adam))
        return (free, adam, jnp.where(good | (failed > 0), failed, number + 1)), told

    numbers = state.epoch * batches + jnp.arange(batches, dtype=jnp.int32)
    start = (state.free, state.adam, state.failed)
    (free, adam, failed), told = jax.lax.scan(step, start, (numbers, rows, jax.random.split(key_draws, batches)))
    return _noted(model, split, state._replace(free=free, adam=adam, failed=failed), told)


def _noted(model: HasBound, split: Split, state: Climb, told: tuple[Array, Array]) -> Climb:
    """The state after an epoch, with its bounds written down and the best epoch kept."""
    objective, elbo = (values.mean() for values in told)
    if len(jax.tree.leaves(split.held)[0]):
        held = model.bound(state.free, split.held, None, jnp.ones(())).objective.mean()
        better = held > state.best_bound
    else:
        held, better = jnp.full((), jnp.nan), jnp.isfinite(objective)  # the last epoch is the best
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), state.free, state.best)
    here = state.epoch
    return state._replace(
        best=best,
        best_bound=jnp.where(better & jnp.isfinite(held), held, state.best_bound),
        best_epoch=jnp.where(better, here + 1, state.best_epoch),
        epoch=here + 1,
        objective=state.objective.at[here].set(objective),
        elbo=state.elbo.at[here].set(elbo),
        held_out=state.held_out.at[here].set(held),
    )


def _words(state: Climb) -> str:
    done = int(np.max(state.epoch))
    return f"bound {float(np.nanmax(np.asarray(state.objective)[:, done - 1])):.2f}" if done else ""


def _conclude(settings: MinibatchVI, model: HasBound, split: Split, ended: Ended) -> Trained:
    keyless = ended.state._replace(key=jax.random.key_data(ended.state.key))
    state = jax.device_get(keyless)
    objective, held = state.objective[:, : max(int(state.epoch.max()), 1)], state.held_out
    is_held = bool(np.isfinite(held[:, 0]).any())
    reached = state.best_bound if is_held else np.array([_last(row) for row in objective])
    chosen = int(np.argmax(reached))
    params = jax.device_get(model.params_at(jax.tree.map(lambda leaf: leaf[chosen], state.best), split.train))
    own = objective[chosen][np.isfinite(objective[chosen])]
    warnings = _warnings(settings, state, own, chosen, ended.interrupted)
    trace = {
        "objective": np.asarray(objective, float),
        "best": np.asarray(chosen),
        "reached": np.asarray(reached, float),
    }
    trace |= {"elbo": np.asarray(state.elbo[:, : objective.shape[1]], float)}
    trace |= {"held_out": np.asarray(held[:, : objective.shape[1]], float), "best_epoch": state.best_epoch[chosen]}
    return Trained(
        jax.tree.map(lambda leaf: np.asarray(leaf, float), params),
        None,
        trace,
        not warnings and not ended.interrupted,
        ended.interrupted,
        warnings,
        ended.compile_seconds,
        ended.run_seconds,
    )


def _last(row: np.ndarray) -> float:
    finite = row[np.isfinite(row)]
    return float(finite[-1]) if len(finite) else -np.inf


def _warnings(settings: MinibatchVI, state: Climb, own: np.ndarray, chosen: int, interrupted: bool) -> tuple[str, ...]:
    warnings = []
    for number in np.flatnonzero(np.asarray(state.failed) > 0):
        warnings.append(
            f"The bound or its gradient was no number at step {int(state.failed[number])} of restart {number + 1}; "
            "the parameters before it were kept. Lower learning_rate, or look for outliers."
        )
    stopped = int(state.epoch[chosen]) < settings.epochs
    window = max(len(own) // 10, 2)
    if interrupted or stopped or len(own) < 2 * window:
        return tuple(warnings)
    rise = last_rise(own, window)
    if not rise.is_none(settings.tolerance):
        warnings.append(
            f"The bound still changed by {rise.value:.2g} nats per sequence over the last {window} of {len(own)} "
            "epochs; allow more epochs."
        )
    return tuple(warnings)
