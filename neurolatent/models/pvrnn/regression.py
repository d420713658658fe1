r"""Error regression: a sequence that was not trained on is recognised by learning its adaptive arrays alone.

.. math:: \min_A J(A) \quad \text{with the weights frozen, in the whole sequence or in a window that moves with time}

When the window is full its oldest step is made for good, along the posterior mean, and its row dropped; the new row is
where the posterior is the prior. Every new observation begins with fresh moments of Adam. Then the prior goes on from
the end of the window. Draws depend on the step and the key alone, so that a sequence is told the same among others.

Reference: Ahmadi and Tani (2019), Neural Computation 31(11); step sizes and iterations of published codes: the method's
specification, section 7.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PRNGKeyArray

from neurolatent.checks import InputError, one_of, positive, whole_number
from neurolatent.models.pvrnn.cell import outputs, rest, roll_posterior, roll_prior
from neurolatent.models.pvrnn.door import NEW, PVRNNData
from neurolatent.models.pvrnn.joint import split
from neurolatent.models.pvrnn.loss import objective, terms_of
from neurolatent.models.pvrnn.params import PVRNNParams
from neurolatent.models.pvrnn.start import at_prior, row_at_prior

BAND = (0.05, 0.95)  # quantiles of what is foreseen


@dataclass(frozen=True)
class ErrorRegression:
    """How new sequences are recognised; the numbers are a decision of ours between published ones.

    Attributes:
        window: Steps that are still revised; earlier ones are made for good.
        iterations: Of Adam at each new observation.
        rate: Of Adam.
        w: Meta-prior while recognising; None takes that of training. It says how strongly the past holds the state.
        new_row: Where the row of a new step begins: at the prior, at zero, or like the last row.
        keep: The row with the lowest objective of all iterations, or the last one.
        horizon: Steps that are foreseen beyond the window.
        draws: Of what is foreseen.
        whole: Iterations where a sequence is recognised as a whole.
    """

    window: int = 15
    iterations: int = 30
    rate: float | int = 0.05
    w: float | int | tuple[float | int, ...] | None = None
    new_row: Literal["prior", "zero", "last"] = "prior"
    keep: Literal["best", "last"] = "best"
    horizon: int = 10
    draws: int = 20
    whole: int = 500

    def __post_init__(self) -> None:
        if isinstance(self.w, list):
            object.__setattr__(self, "w", tuple(self.w))
        for name, low in (("window", 1), ("iterations", 0), ("horizon", 1), ("draws", 1), ("whole", 0)):
            whole_number(name, getattr(self, name), low)
        positive("rate", self.rate)
        one_of("new_row", self.new_row, ("prior", "zero", "last"))
        one_of("keep", self.keep, ("best", "last"))
        if self.w is not None and (np.asarray(self.w, float) < 0).any():
            raise InputError(f"w must be at least 0, got {self.w}")


class Window(NamedTuple):
    """What error regression carries from one observation to the next; of a fixed size."""

    before: tuple[Array, ...]  # h before the window, by layer (sequences, units)
    adaptive: Any  # by layer (sequences, window, heads)
    target: Array  # (sequences, window, channels, bins)
    floor: Array  # (sequences, window, channels)
    seen: Array
    filled: Array  # observations in the window
    holds_first: Array  # whether its first row is the first step of the sequence
    time: Array  # observations so far


class Foreseen(NamedTuple):
    """What the prior tells from the end of a window: (sequences, horizon, ...) in units of the data."""

    mean: Array
    low: Array  # 5 % quantile of the draws
    high: Array  # 95 %
    told: Array  # (sequences, ...) the last observation, as the window reconstructs it


def step_noise(model: Any, key: PRNGKeyArray, steps: Array, batch: int, dtype: Any) -> tuple[Array, ...]:
    """Standard normal draws by layer (steps, batch, latent), each step's by its number; the same for all sequences."""
    sizes = [layer.latent for layer in model.layers]
    if model.deterministic:
        return tuple(jnp.zeros((len(steps), batch, size), dtype) for size in sizes)
    each = jax.vmap(lambda n: jax.random.normal(jax.random.fold_in(key, n), (sum(sizes),), dtype))(steps)
    parts = jnp.split(each, np.cumsum(sizes)[:-1], axis=-1)
    return tuple(jnp.broadcast_to(part[:, None], (len(steps), batch, part.shape[-1])) for part in parts)


def no_noise(model: Any, time: int, batch: int, dtype: Any) -> tuple[Array, ...]:
    """Zeros in the place of the draws: the trajectory follows the means."""
    return tuple(jnp.zeros((time, batch, layer.latent), dtype) for layer in model.layers)


def tempered(model: Any, params: PVRNNParams, settings: ErrorRegression) -> PVRNNParams:
    """The parameters with the meta-prior of recognition."""
    if settings.w is None:
        return params
    w = jnp.broadcast_to(jnp.asarray(settings.w, params.output.dtype), len(model.layers))
    return params._replace(tempering=params.tempering._replace(w=w))


def revised(
    model: Any,
    params: PVRNNParams,
    data: Any,
    key: PRNGKeyArray,
    *,
    iterations: int,
    start: tuple[Array, ...] | None = None,
    is_first: Array | None = None,
) -> Any:
    """The adaptive arrays after so many steps of Adam from those in ``params``, each with fresh noise."""
    settings, (count, time) = model.recognition, data.valid.shape
    optimiser, steps = optax.adam(settings.rate), jnp.arange(time)
    begin = jnp.concatenate(params.adaptive, axis=-1)  # one array: Adam moves all layers at once
    by_layer = lambda rows: type(params.adaptive)(*split(rows, [a.shape[-1] for a in params.adaptive]))  # noqa: E731

    def loss(rows: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
        noise = step_noise(model, key, steps, count, params.output.dtype)
        terms, *_ = terms_of(model, params._replace(adaptive=by_layer(rows)), data, noise, start, is_first)
        each = objective(model, terms, data.target.shape[2])
        return each.sum(), each

    def step(carry: Any, n: Array) -> tuple[Any, None]:
        rows, adam, best, least = carry
        (_, each), slope = jax.value_and_grad(loss, has_aux=True)(rows, jax.random.fold_in(key, n))
        best = jnp.where((each < least)[:, None, None], rows, best)
        change, adam = optimiser.update(slope, adam)
        return (optax.apply_updates(rows, change), adam, best, jnp.minimum(each, least)), None

    least = jnp.full(count, jnp.inf, params.output.dtype)
    (last, _, best, least), _ = jax.lax.scan(step, (begin, optimiser.init(begin), begin, least), jnp.arange(iterations))
    if settings.keep == "last" or not iterations:
        return by_layer(last)
    _, each = loss(last, jax.random.fold_in(key, iterations))
    return by_layer(jnp.where((each < least)[:, None, None], last, best))


def recognised(model: Any, params: PVRNNParams, data: PVRNNData, key: PRNGKeyArray) -> PVRNNParams:
    """The parameters with adaptive arrays of these sequences, learned from whole sequences."""
    count, time = data.valid.shape
    like = [jnp.zeros((count, time, 2 * layer.latent), params.output.dtype) for layer in model.layers]
    params = at_prior(model, params._replace(adaptive=type(params.layers)(*like)))
    chosen = tempered(model, params, model.recognition)
    return params._replace(adaptive=revised(model, chosen, data, key, iterations=model.recognition.whole))


def first_window(model: Any, params: PVRNNParams, batch: int, channels: int) -> Window:
    """Nothing observed yet."""
    size, dtype = model.recognition.window, params.output.dtype
    adaptive = type(params.layers)(*(jnp.zeros((batch, size, 2 * layer.latent), dtype) for layer in model.layers))
    flat = jnp.zeros((batch, size, channels), dtype)
    target = jnp.zeros((batch, size, channels, model.likelihood.per_channel), dtype)
    none = jnp.zeros((), jnp.int32)
    return Window(rest(model, batch, dtype), adaptive, target, flat, flat, none, jnp.ones((), bool), none)


def observe(
    model: Any, params: PVRNNParams, window: Window, new: tuple[Array, Array, Array], key: PRNGKeyArray
) -> tuple[Window, Foreseen]:
    """The window after one more observation, and what is foreseen then.

    Args:
        new: Target (sequences, channels, bins), floor and what was observed (sequences, channels) of the new step.
    """
    key_fit, key_draw = jax.random.split(jax.random.fold_in(key, window.time))
    window = _with_row(model, params, _moved_on(model, params, window), new)
    data = PVRNNData(window.target, window.floor, window.seen, _valid(window), jnp.full(len(window.target), NEW))
    is_first = (jnp.arange(window.target.shape[1]) == 0) & window.holds_first
    chosen = tempered(model, params._replace(adaptive=window.adaptive), model.recognition)
    iterations = model.recognition.iterations
    if iterations:
        made = revised(model, chosen, data, key_fit, iterations=iterations, start=window.before, is_first=is_first)
        window = window._replace(adaptive=made)
    return window, foreseen(model, params, window, key_draw)


def _valid(window: Window) -> Array:
    """(sequences, window) rows that stand for an observation."""
    count, size = window.target.shape[:2]
    return jnp.broadcast_to(jnp.arange(size) < window.filled, (count, size)).astype(window.target.dtype)


def _moved_on(model: Any, params: PVRNNParams, window: Window) -> Window:
    """A full window makes its oldest step for good, and drops its row."""
    size = window.target.shape[1]
    is_full = window.filled == size
    batch, dtype = len(window.target), window.target.dtype
    oldest = type(window.adaptive)(*(rows[:, :1] for rows in window.adaptive))
    course = roll_posterior(model, params, window.before, oldest, no_noise(model, 1, batch, dtype))
    after = tuple(h[0] for h in course.hidden)
    pick = lambda new, old: jnp.where(is_full, new, old)  # noqa: E731
    shifted = lambda rows: pick(jnp.roll(rows, -1, axis=1), rows)  # noqa: E731
    return window._replace(
        before=tuple(map(pick, after, window.before)),
        adaptive=jax.tree.map(shifted, window.adaptive),
        target=shifted(window.target),
        floor=shifted(window.floor),
        seen=shifted(window.seen),
        filled=pick(window.filled - 1, window.filled),
        holds_first=window.holds_first & ~is_full,
    )


def _with_row(model: Any, params: PVRNNParams, window: Window, new: tuple[Array, Array, Array]) -> Window:
    """The window with the new observation and a row for it."""
    batch, size = window.target.shape[:2]
    place = window.filled
    noise = no_noise(model, size, batch, window.target.dtype)
    course = roll_posterior(model, params, window.before, window.adaptive, noise)
    is_first = ((place == 0) & window.holds_first)[None]
    rows = []
    for weights, before, old in zip(params.layers, course.before, window.adaptive, strict=True):
        at = jax.lax.dynamic_index_in_dim(before, place, 0)
        fresh = {
            "prior": lambda w=weights, d=at: row_at_prior(model, w, d, is_first)[0],
            "zero": lambda a=old: jnp.zeros_like(a[:, 0]),
            "last": lambda a=old: jax.lax.dynamic_index_in_dim(a, jnp.maximum(place - 1, 0), 1, keepdims=False),
        }[model.recognition.new_row]()
        rows.append(jax.lax.dynamic_update_index_in_dim(old, fresh, place, 1))
    put = lambda rows, row: jax.lax.dynamic_update_index_in_dim(rows, row, place, 1)  # noqa: E731
    target, floor, seen = map(put, (window.target, window.floor, window.seen), new)
    adaptive = type(window.adaptive)(*rows)
    return Window(window.before, adaptive, target, floor, seen, place + 1, window.holds_first, window.time + 1)


def foreseen(model: Any, params: PVRNNParams, window: Window, key: PRNGKeyArray) -> Foreseen:
    """Draws through the window and on along the prior; mean and band of what the output tells."""
    (batch, size), settings, dtype = window.target.shape[:2], model.recognition, window.target.dtype
    last = window.filled - 1

    def one(key: PRNGKeyArray) -> tuple[Array, Array]:
        noise = step_noise(model, key, jnp.arange(size + settings.horizon), batch, dtype)
        inside = tuple(n[:size] for n in noise)
        beyond = tuple(jax.lax.dynamic_slice_in_dim(n, last + 1, settings.horizon) for n in noise)
        course = roll_posterior(model, params, window.before, window.adaptive, inside)
        at = tuple(jax.lax.dynamic_index_in_dim(h, last, 0, keepdims=False) for h in course.hidden)
        ahead = roll_prior(model, params, at, beyond, jnp.zeros(settings.horizon, bool))
        now = jax.lax.dynamic_index_in_dim(course.activity[0], last, 0, keepdims=False)
        told = (model.likelihood.told(outputs(model, params, part)) for part in (ahead.activity[0], now))
        return next(told), next(told)

    ahead, now = jax.vmap(one)(jax.random.split(key, settings.draws))
    low, high = jnp.quantile(ahead, jnp.asarray(BAND, dtype), axis=0)
    mean, low, high = (jnp.swapaxes(part, 0, 1) for part in (ahead.mean(axis=0), low, high))
    return Foreseen(mean, low, high, now.mean(axis=0))


def foresee(model: Any, params: PVRNNParams, data: PVRNNData, key: PRNGKeyArray) -> Foreseen:
    """What is foreseen after every observation: (time, sequences, horizon, ...)."""
    batch, _, channels, _ = data.target.shape
    parts = tuple(jnp.swapaxes(part, 0, 1) for part in (data.target, data.floor, data.seen))

    def step(window: Window, new: Any) -> tuple[Window, Foreseen]:
        return observe(model, params, window, new, key)

    return jax.lax.scan(step, first_window(model, params, batch, channels), parts)[1]
