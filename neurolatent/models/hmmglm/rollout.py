"""Simulation of states and targets: data with their truth, and forecasts."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurolatent.checks import InputError
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.families import Categorical, Poisson
from neurolatent.models.hmmglm.inference import beliefs, coefficients, regressors, state_means
from neurolatent.models.hmmglm.layout import n_covariates
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.rows import predictor
from neurolatent.models.hmmglm.stream import Sample, moved, step_data

HIGHEST = 1e4  # a rate beyond it is an explosion, not a neuron
RADIUS = 0.9  # spectral radius of the excitation up to which a simulation is taken to be stable


def draw(model: Any, key: PRNGKeyArray, mean: Float[Array, " targets"], noise: Array) -> Float[Array, " targets"]:
    """One sample given its mean."""
    if isinstance(model.family, Poisson):
        return jax.random.poisson(key, jnp.minimum(mean, 10 * HIGHEST)).astype(mean.dtype)
    if isinstance(model.family, Categorical):
        chosen = jax.random.categorical(key, jnp.log(jnp.append(1 - mean.sum(), mean)))
        return (jnp.arange(1, len(mean) + 1) == chosen).astype(mean.dtype)
    if model.has_noise:
        return mean + noise * jax.random.normal(key, mean.shape, mean.dtype)
    return jax.random.bernoulli(key, mean).astype(mean.dtype)


def roll_out(
    model: Any,
    key: PRNGKeyArray,
    params: HMMGLMParams,
    log_first: Float[Array, " states"],
    past: Float[Array, "lags targets"],
    outside: tuple[Float[Array, "time covariates"], Float[Array, "time inputs"]],
) -> tuple[Float[Array, "time targets"], Int[Array, " time"], Float[Array, ""]]:
    """Targets and states of one path, and the largest mean on it.

    Args:
        log_first: Log distribution of the state at the first simulated step.
        past: The samples before it, latest first.
        outside: Covariates, and inputs of the transitions into each step.
    """
    beta, targets = coefficients(params), past.shape[1]

    def step(carry: tuple[Array, Array], at: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], tuple]:
        log_belief, past = carry
        key_step, covariates, inputs = at
        key_state, key_sample = jax.random.split(key_step)
        state = jax.random.categorical(key_state, log_belief)
        data = step_data(model, past, Sample(jnp.zeros(targets), covariates, inputs))
        x = jnp.append(regressors(params, data)[0, 0], 1.0)[None]
        mean = state_means(model, predictor(beta, x, data.own[0]), params)[0, state]
        noise = params.noise[state] if model.has_noise else params.noise
        y = draw(model, key_sample, mean, noise)
        certain = jnp.where(jnp.arange(len(log_belief)) == state, 0.0, -jnp.inf)
        after = jnp.concatenate([y[None], past])[: past.shape[0]]
        return (certain, after), (y, state, mean.max(), certain)

    covariates, inputs = outside
    keys = jax.random.split(key, len(covariates))

    def moving(carry: tuple[Array, Array], at: tuple) -> tuple[tuple[Array, Array], tuple]:
        first, rest = at[0], at[1:]
        log_belief = jnp.where(first, carry[0], moved(model, params, carry[0], rest[2]))
        return step((log_belief, carry[1]), rest)

    is_first = jnp.arange(len(covariates)) == 0
    _, (y, state, top, _) = jax.lax.scan(moving, (log_first, past), (is_first, keys, covariates, inputs))
    return y, state, top.max()


def stable(params: HMMGLMParams, n_targets: int) -> np.ndarray:
    """(states,) spectral radius of the excitation between targets, taps included, summed over lags."""
    weights = np.asarray(params.weights)
    functions = weights.shape[-1] // n_targets
    pairs = weights[..., : functions * n_targets].reshape(*weights.shape[:2], functions, n_targets).sum(axis=2)
    if np.size(params.taps):
        pairs = pairs + np.asarray(params.taps).sum(axis=-1)[..., None] * np.eye(n_targets)
    return np.abs(np.linalg.eigvals(np.maximum(pairs, 0.0))).max(axis=-1)


def refuse_explosion(model: Any, params: HMMGLMParams) -> None:
    """Refuse to simulate counts whose excitation feeds itself.

    Raises:
        InputError: Unbounded rates, and a state whose excitation has a spectral radius above RADIUS.
    """
    if not isinstance(model.family, Poisson) or model.family.nonlinearity == "sigmoid" or model.kernel.length == 0:
        return
    radius = stable(params, params.bias.shape[-1])
    if radius.max() > RADIUS:
        worst = int(np.argmax(radius))
        raise InputError(
            f"state {worst + 1} would excite itself without end: the spectral radius of its positive couplings is "
            f"{radius[worst]:.3g}, at most {RADIUS} can be simulated. Scale the weights down, or take the sigmoid."
        )


def forecast_paths(
    model: Any, key: PRNGKeyArray, params: HMMGLMParams, data: HMMGLMData, *, horizon: int, n_paths: int
) -> tuple[Float[Array, "sequences paths horizon targets"], Int[Array, "sequences paths horizon"]]:
    """Simulated targets and states after the last sample of each sequence.

    Covariates and inputs stay as they were at the last sample.
    """
    found = beliefs(model, params, data, careful=True).filtered.filtered
    last, lags, targets = data.lengths - 1, model.kernel.length, data.y.shape[-1]
    columns = n_covariates(model, data)

    def one(key: Array, at: Array, belief: Array, y: Array, x: Array, inputs: Array) -> tuple[Array, Array]:
        place = at - jnp.arange(lags)
        past = jnp.where((place >= 0)[:, None], y[jnp.maximum(place, 0)], 0.0).reshape(lags, targets)
        held = x[at][x.shape[-1] - columns :], inputs[at]
        covariates, inputs = (jnp.broadcast_to(v, (horizon, *v.shape)) for v in held)
        first = moved(model, params, jnp.log(belief[at]), held[1])
        run = lambda k: roll_out(model, k, params, first, past, (covariates, inputs))[:2]  # noqa: E731
        return jax.vmap(run)(jax.random.split(key, n_paths))

    keys = jax.random.split(key, len(data.lengths))
    return jax.vmap(one)(keys, last, found, jnp.asarray(data.y), jnp.asarray(data.x), jnp.asarray(data.inputs))
