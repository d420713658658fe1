r"""Amortised variational inference by minibatches of sequences: one compiled epoch, whatever the model.

What is climbed is the bound per sequence, :math:`\frac{1}{|b|} \sum_{m \in b} L_m + \frac{1}{M} \log p(\theta)`, whose
expectation over batches is that of all M training sequences. Some sequences are held out: they tell when to stop, which
epoch to keep and which restart to take. Where a model has parameters for each sequence, those of sequences that are not
in a batch stay, with their moments and their own number of steps. Where nothing is held out, all restarts end at the
same epoch and train side by side. All of it runs in single precision.

References: Kingma and Welling (2014), ICLR; Kingma and Ba (2015), ICLR.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from neurolatent.checks import InputError
from neurolatent.choices import MinibatchVI, Run
from neurolatent.compiling import compiled, on_device
from neurolatent.engines.plateau import last_rise
from neurolatent.engines.runner import Ended, Loop, run_loop
from neurolatent.engines.trained import Trained
from neurolatent.models.protocols import Data, HasBound, HasOwn
from neurolatent.precision import single

if TYPE_CHECKING:
    Floats = Any  # NumPy on the host, JAX inside programs: both are meant
else:
    Floats = Array | np.ndarray

LEAST_HELD_OUT = 2  # sequences; with fewer nothing is held out
MOST_NAMED = 4  # leaves that were no number


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


def run(
    settings: MinibatchVI, model: HasBound, data: Data, key: PRNGKeyArray, *, options: Run, identity: dict
) -> Trained:
    """The best epoch of the best restart."""
    words = np.asarray(jax.random.key_data(key))
    keys = [words + np.array([0, n], np.uint32) for n in range(settings.restarts)]
    with single():
        split, ended = _ran(settings, [model] * settings.restarts, data, keys, options, identity)
        return _conclude(settings, model, split, ended)


def run_beside(
    settings: MinibatchVI, models: Sequence[HasBound], data: Data, keys: Sequence[PRNGKeyArray], *, options: Run
) -> list[Trained]:
    """Models that differ in values of their parameters alone, trained side by side by one program; all are kept.

    Args:
        models: One for each key. Each makes its own start; the program is that of the first.
    """
    words = [np.asarray(jax.random.key_data(key)) for key in keys]
    settings = replace(settings, restarts=len(models), validation=0.0)
    with single():
        split, ended = _ran(settings, models, data, words, options, {})
        each = [jax.tree.map(lambda leaf, n=n: leaf[n : n + 1], ended.state) for n in range(len(models))]
        alone = [ended._replace(state=state) for state in each]
        return [_conclude(settings, model, split, end) for model, end in zip(models, alone, strict=True)]


def _ran(
    settings: MinibatchVI,
    models: Sequence[HasBound],
    data: Data,
    keys: Sequence[np.ndarray],
    options: Run,
    identity: dict,
) -> tuple[Split, Ended]:
    if settings.validation and isinstance(models[0], HasOwn):
        raise InputError(
            "validation must be 0: each training sequence has parameters of its own, and those held out would have "
            "none. Hold sequences out before the fit."
        )
    split = split_data(settings, _single(data), np.random.default_rng(keys[0]))
    state, device = _begin(settings, models, split, keys), on_device(split)
    loop = Loop(
        lambda state, n: _advance(models[0], settings, state, device, n),
        lambda state: int(np.max(state.epoch)),
        lambda state: bool(np.all(_is_finished(settings, state))),
        _words,
        settings.epochs,
        "VI",
    )
    return split, run_loop(loop, state, options, identity)


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


def _begin(settings: MinibatchVI, models: Sequence[HasBound], split: Split, words: Sequence[np.ndarray]) -> Climb:
    keys = [jax.random.wrap_key_data(jnp.asarray(each)) for each in words]
    starts = [
        model.free_start(key, split.train, restart=n) for n, (model, key) in enumerate(zip(models, keys, strict=True))
    ]
    free = jax.tree.map(lambda *leaves: np.stack(leaves).astype(np.float32), *starts)
    count = len(keys)
    empty = np.full((count, settings.epochs), np.nan, np.float32)
    none, low = np.zeros(count, np.int32), np.full(count, -np.inf, np.float32)
    adam = jax.vmap(lambda one: _first_moments(models[0], settings, one))(free)
    parts, wrong = _part_names(models[0], split, starts[0]), len(_leaf_names(models[0], split, starts[0]))
    noted = {name: empty for name in parts}
    wrongs = np.zeros((count, wrong), bool)
    return Climb(jnp.stack(keys), free, adam, free, low, none, none, empty, empty, empty, noted, none, wrongs)


def _part_names(model: HasBound, split: Split, free: Any) -> list[str]:
    """Names of the parts of the bound, in order."""
    free = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), free)
    shape = jax.eval_shape(model.bound, free, split.train, jax.random.key(0), jnp.ones(()))
    return sorted(shape.parts)


def _leaf_names(model: HasBound, split: Split, free: Any) -> list[str]:
    """What is looked at at every step, in order."""
    paths = jax.tree_util.tree_flatten_with_path(free)[0]
    slopes = [f"the gradient of {jax.tree_util.keystr(path).lstrip('.')}" for path, _ in paths]
    return [*_part_names(model, split, free), "the objective", *slopes]


def _adam(settings: MinibatchVI, batches: int, learning_rate: float | int) -> Any:
    share = settings.final_rate / settings.learning_rate
    return optax.adam(optax.cosine_decay_schedule(learning_rate, settings.epochs * batches, alpha=share))


def _own_adam(settings: MinibatchVI) -> Any:
    """Of what one sequence has for itself: it moves once in an epoch."""
    return _adam(settings, 1, settings.learning_rate if settings.own_rate is None else settings.own_rate)


def _first_moments(model: HasBound, settings: MinibatchVI, free: Any) -> Any:
    if not isinstance(model, HasOwn):
        return _adam(settings, 1, settings.learning_rate).init(free)
    shared, own = model.parted(free)
    return _adam(settings, 1, settings.learning_rate).init(shared), jax.vmap(_own_adam(settings).init)(own)


def _is_finished(settings: MinibatchVI, state: Climb) -> Bool[Array, "*restarts"]:
    """Stopped after patience, at a step that is no number, or at the last epoch."""
    tired = (state.epoch - state.best_epoch >= settings.patience) & (state.best_bound > -jnp.inf)
    return tired | (state.failed > 0) | (state.epoch >= settings.epochs)


@compiled(static=(0, 1))
def _advance(model: HasBound, settings: MinibatchVI, state: Climb, split: Split, n: Int[Array, ""] | int) -> Climb:
    """So many epochs more of every restart that is not finished: one after the other, or all side by side."""

    def one(state: Climb) -> Climb:
        limit = jnp.minimum(state.epoch + n, settings.epochs)
        goes_on = lambda s: (s.epoch < limit) & ~_is_finished(settings, s)  # noqa: E731
        return jax.lax.while_loop(goes_on, lambda s: _epoch(model, settings, s, split), state)

    if len(jax.tree.leaves(split.held)[0]):
        return jax.lax.map(one, state)
    limit = jnp.minimum(state.epoch[0] + n, settings.epochs)
    goes_on = lambda s: (s.epoch[0] < limit) & ~_is_finished(settings, s).all()  # noqa: E731
    return jax.lax.while_loop(goes_on, jax.vmap(lambda s: _epoch(model, settings, s, split)), state)


def _epoch(model: HasBound, settings: MinibatchVI, state: Climb, split: Split) -> Climb:
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
    names = _leaf_names(model, split, jax.tree.map(lambda leaf: leaf[chosen], state.free))
    warnings = _warnings(settings, state, own, chosen, names, interrupted=ended.interrupted)
    trace = {
        "objective": np.asarray(objective, float),
        "best": np.asarray(chosen),
        "reached": np.asarray(reached, float),
    }
    trace |= {"elbo": np.asarray(state.elbo[:, : objective.shape[1]], float)}
    trace |= {name: np.asarray(values[:, : objective.shape[1]], float) for name, values in state.parts.items()}
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


def _warnings(
    settings: MinibatchVI, state: Climb, own: np.ndarray, chosen: int, names: list[str], *, interrupted: bool
) -> tuple[str, ...]:
    warnings = []
    for number in np.flatnonzero(np.asarray(state.failed) > 0):
        wrong = [name for name, is_wrong in zip(names, state.wrong[number], strict=True) if is_wrong]
        warnings.append(
            f"The bound or its gradient was no number at step {int(state.failed[number])} (epoch "
            f"{int(state.epoch[number])}) of restart {number + 1}: {', '.join(wrong[:MOST_NAMED])}; "
            "the parameters before it were kept. Lower learning_rate, set clip, or look for outliers."
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
