"""One epoch of minibatch variational inference: a step of Adam for each batch, and what is written down after it.

Where a model has parameters for each sequence, those of sequences that are not in a batch stay, with their moments and
their own number of steps.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from neurolatent.choices import MinibatchVI
from neurolatent.models.protocols import HasBound, HasOwn

if TYPE_CHECKING:
    Floats = Any  # NumPy on the host, JAX inside programs: both are meant
else:
    Floats = Array | np.ndarray


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
    parts: dict[str, Any]  # (*restarts, epochs) of the bound, by name
    failed: Int[Floats, "*restarts"]  # the first step whose bound or gradient was no number; 0 for none
    wrong: Bool[Floats, "*restarts leaves"]  # what was no number at that step: parts, the objective, the gradient


class Split(NamedTuple):
    """Training and held-out sequences."""

    train: Any
    held: Any


def _adam(settings: MinibatchVI, batches: int, learning_rate: float | int) -> Any:
    share = settings.final_rate / settings.learning_rate
    return optax.adam(optax.cosine_decay_schedule(learning_rate, settings.epochs * batches, alpha=share))


def _own_adam(settings: MinibatchVI) -> Any:
    """Of what one sequence has for itself: it moves once in an epoch."""
    return _adam(settings, 1, settings.learning_rate if settings.own_rate is None else settings.own_rate)


def first_moments(model: HasBound, settings: MinibatchVI, free: Any) -> Any:
    """Adam's moments at the start, of what sequences share and of what each has for itself."""
    if not isinstance(model, HasOwn):
        return _adam(settings, 1, settings.learning_rate).init(free)
    shared, own = model.parted(free)
    return _adam(settings, 1, settings.learning_rate).init(shared), jax.vmap(_own_adam(settings).init)(own)


def is_finished(settings: MinibatchVI, state: Climb) -> Bool[Array, "*restarts"]:
    """Stopped after patience, at a step that is no number, or at the last epoch."""
    tired = (state.epoch - state.best_epoch >= settings.patience) & (state.best_bound > -jnp.inf)
    return tired | (state.failed > 0) | (state.epoch >= settings.epochs)


def epoch(model: HasBound, settings: MinibatchVI, state: Climb, split: Split) -> Climb:
    """A step for each batch, in a new order; a step that is no number leaves everything as it was."""
    count = len(jax.tree.leaves(split.train)[0])
    batches = 1 if settings.batch is None else max(1, round(count / settings.batch))
    key_order, key_draws = jax.random.split(jax.random.fold_in(state.key, state.epoch))
    size = count // batches
    order = jnp.arange(count) if batches == 1 else jax.random.permutation(key_order, count)
    rows = order[: batches * size].reshape(batches, size)
    kl_weight = jnp.minimum(1.0, (state.epoch + 1.0) / (settings.kl_epochs + 1.0))

    def loss(free: Any, rows: Array, key: Array) -> tuple[Array, Any]:
        batch = jax.tree.map(lambda leaf: leaf[rows], split.train) if batches > 1 else split.train
        bound = model.bound(free, batch, key, kl_weight)
        objective = bound.objective.mean() + model.free_log_prior(free, batch) / count
        return -objective, (objective, bound.elbo.mean(), {k: v.mean() for k, v in bound.parts.items()})

    def step(carry: Any, at: Any) -> tuple[Any, Any]:
        free, adam, failed, wrong = carry
        number, rows, key = at
        part, its_adam = _at_rows(model, free, adam, rows) if batches > 1 else (free, adam)
        (_, told), gradient = jax.value_and_grad(loss, has_aux=True)(part, rows, key)
        looked = [*(told[2][k] for k in sorted(told[2])), told[0], *jax.tree.leaves(gradient)]
        bad = jnp.stack([~jnp.isfinite(leaf).all() for leaf in looked])
        good = ~bad.any() & (failed == 0)
        new = _moved(model, settings, batches, (part, its_adam), gradient)
        part, its_adam = jax.tree.map(lambda fresh, old: jnp.where(good, fresh, old), new, (part, its_adam))
        free, adam = _back_at_rows(model, (free, adam), (part, its_adam), rows) if batches > 1 else (part, its_adam)
        wrong = jnp.where(failed == 0, bad, wrong)
        return (free, adam, jnp.where(good | (failed > 0), failed, number + 1), wrong), told

    numbers = state.epoch * batches + jnp.arange(batches, dtype=jnp.int32)
    start = (state.free, state.adam, state.failed, state.wrong)
    at = (numbers, rows, jax.random.split(key_draws, batches))
    (free, adam, failed, wrong), told = jax.lax.scan(step, start, at)
    return _noted(model, split, state._replace(free=free, adam=adam, failed=failed, wrong=wrong), told)


def _moved(model: HasBound, settings: MinibatchVI, batches: int, here: tuple[Any, Any], gradient: Any) -> Any:
    """Parameters and moments after one step of Adam."""
    free, adam = here
    if settings.clip is not None:
        gradient, _ = optax.clip_by_global_norm(settings.clip).update(gradient, optax.EmptyState())
    optimiser = _adam(settings, batches, settings.learning_rate)
    if not isinstance(model, HasOwn):
        change, adam = optimiser.update(gradient, adam)
        return optax.apply_updates(free, change), adam
    (shared, own), (slope, own_slope) = model.parted(free), model.parted(gradient)
    change, first = optimiser.update(slope, adam[0])
    own_change, second = jax.vmap(_own_adam(settings).update)(own_slope, adam[1])
    moved = model.joined(optax.apply_updates(shared, change), optax.apply_updates(own, own_change))
    return moved, (first, second)


def _at_rows(model: HasBound, free: Any, adam: Any, rows: Array) -> tuple[Any, Any]:
    """Parameters and moments of the sequences of a batch, and what they share."""
    if not isinstance(model, HasOwn):
        return free, adam
    shared, own = model.parted(free)
    own, moments = (jax.tree.map(lambda leaf: leaf[rows], tree) for tree in (own, adam[1]))
    return model.joined(shared, own), (adam[0], moments)


def _back_at_rows(model: HasBound, whole: tuple[Any, Any], part: tuple[Any, Any], rows: Array) -> tuple[Any, Any]:
    """The whole with the sequences of a batch put back; the others stay."""
    if not isinstance(model, HasOwn):
        return part
    (free, adam), (new, new_adam) = whole, part
    _, own = model.parted(free)
    shared, fresh = model.parted(new)
    put = lambda old, few: old.at[rows].set(few)  # noqa: E731
    return model.joined(shared, jax.tree.map(put, own, fresh)), (new_adam[0], jax.tree.map(put, adam[1], new_adam[1]))


def _noted(model: HasBound, split: Split, state: Climb, told: Any) -> Climb:
    """The state after an epoch, with its bounds written down and the best epoch kept."""
    objective, elbo, parts = jax.tree.map(lambda values: values.mean(), told)
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
        parts={name: state.parts[name].at[here].set(value) for name, value in parts.items()},
    )
