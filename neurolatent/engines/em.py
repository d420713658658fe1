"""Expectation maximisation with restarts, as one compiled program that can be stopped between any two steps."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from neurolatent.checks import InputError
from neurolatent.choices import EM, Run
from neurolatent.compiling import compiled, on_device
from neurolatent.engines.runner import Loop, run_loop
from neurolatent.engines.trained import Trained
from neurolatent.models.protocols import Data, HasEMStep


class EMState(NamedTuple):
    """All restarts side by side."""

    params: Any  # leading axis: restarts
    objective: Float[Array, "restarts steps"]  # NaN where not yet evaluated
    taken: Int[Array, " restarts"]  # objectives evaluated so far
    converged: Bool[Array, " restarts"]
    failed: Bool[Array, " restarts"]  # the objective ceased to be a number
    starved: Bool[Array, "restarts states"]  # at the last step
    careful: Bool[Array, " restarts"]  # the small program had to give up: only the careful one goes on


def run(settings: EM, model: HasEMStep, data: Data, key: PRNGKeyArray, *, options: Run, identity: dict) -> Trained:
    """The best restart, with the objectives of all of them."""
    if settings.steps <= model.settling:
        raise InputError(f"steps must exceed the {model.settling} steps of the model's annealing, got {settings.steps}")
    restarts = settings.restarts or _restarts(settings, model, data)
    starts = [model.init(key, data, start=settings.start, restart=n) for n in range(restarts)]
    none = np.zeros(restarts, bool)
    state = EMState._make(  # NumPy on the host: every operation on the device would be compiled first
        [
            jax.tree.map(lambda *leaves: np.stack(leaves), *starts),
            np.full((restarts, settings.steps), np.nan),
            np.zeros(restarts, int),
            none,
            none,
            np.zeros((restarts, starts[0].initial.shape[0]), bool),
            none,
        ]
    )
    device_data = on_device(data)
    loop = Loop(
        lambda state, n: _advance(model, settings, state, device_data, n),
        _steps_taken,
        _is_finished,
        lambda state: f"objective {np.nanmax(state.objective):.2f}" if _steps_taken(state) else "",
        settings.steps,
        "EM",
    )
    ended = run_loop(loop, state, options, {**identity, "restarts": restarts})
    return _conclude(model, data, jax.device_get(ended.state), ended)


def _restarts(settings: EM, model: HasEMStep, data: Data) -> int:
    """One where the start is the same every time: fixed pieces, or knowledge that tells the states apart."""
    if settings.start in ("knowledge", "segments"):
        return 1
    return 1 if settings.start == "auto" and model.has_one_start(data) else 5


def _steps_taken(state: EMState) -> int:
    return int(np.asarray(state.taken).max())


def _is_finished(state: EMState) -> bool:
    converged, failed, taken = (np.asarray(leaf) for leaf in (state.converged, state.failed, state.taken))
    return bool((converged | failed | (taken >= state.objective.shape[1])).all())


def _advance(model: HasEMStep, settings: EM, state: EMState, data: Data, n: int) -> EMState:
    """So many steps more of every restart that is not finished.

    The small program leaves alone the restarts that need the careful one, which is compiled only when the first does.
    Which of the two makes a step depends on the restart alone, so the result does not depend on how the loop is cut.
    """
    state = _advance_some(model, settings, False, state, data, n)
    if np.asarray(state.careful).any():
        state = _advance_some(model, settings, True, state, data, n)
    return state


@compiled(static=(0, 1, 2))
def _advance_some(
    model: HasEMStep, settings: EM, careful: bool, state: EMState, data: Data, n: Int[Array, ""] | int
) -> EMState:
    """So many steps more of the restarts that are careful, or of those that are not, one restart after the other.

    A restart is looped over, not vectorised: on a CPU the recursion over time costs the same per restart either way,
    and a restart that has converged costs nothing.
    """

    def step(state: EMState) -> EMState:
        new = model.em_step(state.params, data, use_prior=settings.use_prior, step=state.taken, careful=careful)
        former = state.objective[jnp.maximum(state.taken - 1, 0)]
        change = jnp.abs(new.objective - former)
        size = (jnp.abs(new.objective) + jnp.abs(former)) / 2 + 1e-300
        is_flat = (change / size < settings.tolerance) | (change < settings.absolute)
        converged = (state.taken >= settings.min_steps + model.settling) & is_flat
        failed = ~jnp.isfinite(new.objective)
        keep = converged | failed
        params = jax.tree.map(lambda old, fresh: jnp.where(keep, old, fresh), state.params, new.params)
        objective = state.objective.at[state.taken].set(new.objective)
        taken = EMState(params, objective, state.taken + 1, converged, failed, new.starved, state.careful)
        refused = state._replace(careful=jnp.ones((), bool))
        return jax.tree.map(lambda yes, no: jnp.where(new.is_right, yes, no), taken, refused)

    def many(state: EMState) -> EMState:
        limit = jnp.minimum(state.taken + n, state.objective.shape[0])
        mine = lambda s: s.careful == careful  # noqa: E731
        goes_on = lambda s: mine(s) & (s.taken < limit) & ~s.converged & ~s.failed  # noqa: E731
        return jax.lax.while_loop(goes_on, step, state)

    return jax.lax.map(many, state)


def _conclude(model: HasEMStep, data: Data, state: EMState, ended: Any) -> Trained:
    count = np.maximum(state.taken - 1, 0)
    last = state.objective[np.arange(len(count)), count]
    last = np.where(np.isfinite(last), last, -np.inf)
    best = int(np.argmax(last))
    params = model.ordered(jax.tree.map(lambda leaf: leaf[best], state.params), data)
    warnings = []
    if not state.converged[best]:
        steps = int(state.taken[best])
        warnings.append(f"EM stopped after {steps} steps without converging; allow more steps or a larger tolerance.")
    if state.failed.any():
        warnings.append(f"{int(state.failed.sum())} of {len(last)} restarts ended in an objective that is no number.")
    if state.starved[best].any():
        names = ", ".join(str(k + 1) for k in np.flatnonzero(state.starved[best]))
        warnings.append(f"Too few samples belong to state {names}; choose fewer states or state more knowledge.")
    trace = {"objective": state.objective[:, : max(int(state.taken.max()), 1)], "best": np.asarray(best)}
    trace["settling"] = np.asarray(model.settling)
    return Trained(
        params,
        None,
        trace,
        bool(state.converged[best]),
        ended.interrupted,
        tuple(warnings),
        ended.compile_seconds,
        ended.run_seconds,
    )
