r"""Stochastic variational inference: a Gaussian guide, fitted in our own compiled loop like every other engine.

The guide :math:`q` lives on the unconstrained coordinates :math:`x` of the model's NumPyro program and maximises

.. math:: ELBO = E_q[\log p(y, x) - \log q(x)] \le \log p(y),

with gradients through its draws. It starts as the Laplace approximation: the coordinates are :math:`x = x_0 + L v` as
for NUTS, and :math:`v` begins as standard normal. The map is linear, so that for the multivariate guide the family is
the same in both coordinates; the other two use a diagonal :math:`L`, which keeps theirs.

References: Kucukelbir et al. (2017), JMLR 18(14):1-45; guides, bound and optimiser are NumPyro's.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, Float, Int, PRNGKeyArray
from numpyro.infer import SVI as Driver
from numpyro.infer import Trace_ELBO, init_to_value
from numpyro.infer.autoguide import AutoDiagonalNormal, AutoLowRankMultivariateNormal, AutoMultivariateNormal
from numpyro.optim import Adam

from neurolatent.choices import SVI, Run
from neurolatent.compiling import compiled
from neurolatent.engines.frame import Frame, log_volume, potential, unrotated
from neurolatent.engines.mode import Start, as_parameters, at_mode, mean_of, without_draws
from neurolatent.engines.plateau import last_rise
from neurolatent.engines.runner import Ended, Loop, run_loop
from neurolatent.engines.trained import Trained
from neurolatent.models.protocols import Data, HasDensity


class SVIState(NamedTuple):
    """Everything that a resumed run needs to go on to the bit."""

    frame: Frame
    inner: Any  # NumPyro's: the guide's parameters, the optimiser, the key
    objective: Float[Array, " steps"]  # ELBO, nats; NaN where not yet evaluated, and where a step had to be left out
    taken: Int[Array, ""]


class Draws(NamedTuple):
    """Draws of the guide, and both densities there."""

    rows: Float[Array, "draws dimension"]  # in the coordinates of the frame
    lp: Float[Array, " draws"]  # log p(y, x) of the unconstrained coordinates
    log_q: Float[Array, " draws"]


def run(settings: SVI, model: HasDensity, data: Data, key: PRNGKeyArray, *, options: Run, identity: dict) -> Trained:
    """Draws from the guide as one chain, relabelled; ``params`` is their mean."""
    key_mode, key_start, key_draw = jax.random.split(key, 3)
    start = at_mode(settings.start, model, data, key_mode)
    if start.frame is None:
        return without_draws(start.mode, "SVI")
    frame = start.frame if settings.guide == "multivariate" else unrotated(start.frame)
    loop = Loop(
        lambda state, n: _advance(model, settings, state, start.data, n),
        lambda state: int(state.taken),
        lambda state: int(state.taken) >= settings.steps,
        lambda state: f"ELBO {float(state.objective[int(state.taken) - 1]):.2f}" if int(state.taken) else "",
        settings.steps,
        "SVI",
    )
    ended = run_loop(loop, _begin(settings, frame, key_start), options, identity)
    return _conclude(settings, model, start, ended, key_draw)


def _coordinates(frame: Frame) -> Array:
    """The one site of the program as the guide sees it: a vector with a flat density."""
    size = frame.factor.shape[0]
    value: Any = numpyro.sample("v", dist.ImproperUniform(dist.constraints.real_vector, (), (size,)))
    return value


def _guide(settings: SVI, size: int) -> Any:
    """NumPyro's guide over the coordinates; it looks at their number only, not at the density."""
    kinds = {
        "multivariate": AutoMultivariateNormal,
        "low_rank": AutoLowRankMultivariateNormal,
        "diagonal": AutoDiagonalNormal,
    }
    rank = {"rank": settings.rank} if settings.guide == "low_rank" else {}
    origin = init_to_value(values={"v": jnp.zeros(size)})
    return kinds[settings.guide](_coordinates, init_loc_fn=origin, init_scale=1.0, **rank)


def _driver(settings: SVI, program: Callable[[Frame], Any], frame: Frame, key: PRNGKeyArray) -> tuple[Driver, Any]:
    """NumPyro's SVI of a program, and its first state.

    Both keep what they traced in their own variables, so they are made anew in every program that uses them.
    """
    optimiser = Adam(lambda step: settings.learning_rate * settings.decay ** (step / settings.steps))
    guide = _guide(settings, frame.factor.shape[0])
    driver = Driver(program, guide, optimiser, Trace_ELBO(num_particles=settings.n_particles))
    return driver, driver.init(key, frame)


@compiled(static=(0,))
def _begin(settings: SVI, frame: Frame, key: PRNGKeyArray) -> SVIState:
    """The Laplace approximation as a guide."""
    _, inner = _driver(settings, _coordinates, frame, key)
    return SVIState(frame, inner, jnp.full(settings.steps, jnp.nan), jnp.zeros((), int))


@compiled(static=(0, 1))
def _advance(model: HasDensity, settings: SVI, state: SVIState, data: Data, n: Int[Array, ""] | int) -> SVIState:
    """So many steps more; a step whose bound or gradient is no number leaves the guide as it is."""

    def program(frame: Frame) -> None:
        place = _coordinates(frame)
        with numpyro.handlers.block():  # the sites of the model are no sites of this program
            energy = potential(model, frame, data)(place)
        numpyro.factor("density", log_volume(frame) - energy)

    end = jnp.minimum(state.taken + n, settings.steps)
    driver, _ = _driver(settings, program, state.frame, state.inner.rng_key)

    def step(state: SVIState) -> SVIState:
        inner, loss = driver.stable_update(state.inner, state.frame)
        return SVIState(state.frame, inner, state.objective.at[state.taken].set(-loss), state.taken + 1)

    return jax.lax.while_loop(lambda state: state.taken < end, step, state)


@compiled(static=(0, 1))
def _draw(model: HasDensity, settings: SVI, state: SVIState, data: Data, key: PRNGKeyArray) -> Draws:
    driver, _ = _driver(settings, _coordinates, state.frame, key)
    posterior = driver.guide.get_posterior(driver.get_params(state.inner))
    rows = posterior.sample(key, (settings.n_draws,))
    log_q = posterior.to_event(1 - posterior.event_dim).log_prob(rows) - log_volume(state.frame)
    return Draws(rows, -jax.lax.map(potential(model, state.frame, data), rows), log_q)


def _conclude(settings: SVI, model: HasDensity, start: Start, ended: Ended, key: PRNGKeyArray) -> Trained:
    made = jax.device_get(_draw(model, settings, ended.state, start.data, key))
    draws = as_parameters(model, start, ended.state.frame, [jnp.asarray(made.rows)])
    objective = np.asarray(ended.state.objective)[: int(ended.state.taken)]
    warnings = _warnings(settings, objective, ended.interrupted)
    return Trained(
        mean_of(draws, model, start.mode),
        draws,
        {"objective": objective[None], "best": np.zeros((), int), "lp": made.lp[None], "log_q": made.log_q[None]},
        not warnings and not ended.interrupted,
        ended.interrupted,
        warnings,
        ended.compile_seconds,
        ended.run_seconds + start.mode.run_seconds,
    )


def _warnings(settings: SVI, objective: Float[np.ndarray, " steps"], interrupted: bool) -> tuple[str, ...]:
    warnings = []
    bad = np.flatnonzero(~np.isfinite(objective))
    if len(bad):
        more = f" and at {len(bad) - 1} more" if len(bad) > 1 else ""
        warnings.append(
            f"The ELBO or its gradient was no number at step {bad[0] + 1}{more}; these steps were left out. "
            "Lower learning_rate, or look for outliers."
        )
    rise = last_rise(objective, settings.plateau)
    if not interrupted and not rise.is_none(settings.tolerance):
        warnings.append(
            f"The ELBO still changed by {rise.value:.2g} nats over the last {settings.plateau} of {len(objective)} "
            "steps; allow more steps."
        )
    return tuple(warnings)
