r"""Amortised variational inference by minibatches of sequences: one compiled epoch, whatever the model.

What is climbed is the bound per sequence, :math:`\frac{1}{|b|} \sum_{m \in b} L_m + \frac{1}{M} \log p(\theta)`, whose
expectation over batches is that of all M training sequences. Some sequences are held out: they tell when to stop, which
epoch to keep and which restart to take. Where nothing is held out, all restarts end at the same epoch and train side by
side. All of it runs in single precision.

References: Kingma and Welling (2014), ICLR; Kingma and Ba (2015), ICLR.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from neurolatent.checks import InputError
from neurolatent.choices import MinibatchVI, Run
from neurolatent.compiling import compiled, on_device
from neurolatent.engines.epochs import Climb, Split, epoch, first_moments, is_finished
from neurolatent.engines.plateau import last_rise
from neurolatent.engines.runner import Ended, Loop, run_loop
from neurolatent.engines.trained import Trained
from neurolatent.models.protocols import Data, HasBound, HasOwn
from neurolatent.precision import single

LEAST_HELD_OUT = 2  # sequences; with fewer nothing is held out
MOST_NAMED = 4  # leaves that were no number


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
        lambda state: bool(np.all(is_finished(settings, state))),
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
    adam = jax.vmap(lambda one: first_moments(models[0], settings, one))(free)
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


@compiled(static=(0, 1), lightly=True)
def _advance(model: HasBound, settings: MinibatchVI, state: Climb, split: Split, n: Int[Array, ""] | int) -> Climb:
    """So many epochs more of every restart that is not finished: one after the other, or all side by side."""

    def one(state: Climb) -> Climb:
        limit = jnp.minimum(state.epoch + n, settings.epochs)
        goes_on = lambda s: (s.epoch < limit) & ~is_finished(settings, s)  # noqa: E731
        return jax.lax.while_loop(goes_on, lambda s: epoch(model, settings, s, split), state)

    if len(jax.tree.leaves(split.held)[0]):
        return jax.lax.map(one, state)
    limit = jnp.minimum(state.epoch[0] + n, settings.epochs)
    goes_on = lambda s: (s.epoch[0] < limit) & ~is_finished(settings, s).all()  # noqa: E731
    return jax.lax.while_loop(goes_on, jax.vmap(lambda s: epoch(model, settings, s, split)), state)


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
