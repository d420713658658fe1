"""Where EM starts: one GLM for all data in every state, moved by a little noise."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from neurolatent.checks import InputError
from neurolatent.compiling import compiled
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.inference import coefficients
from neurolatent.models.hmmglm.layout import free_weights
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.priors import Ridge
from neurolatent.models.hmmglm.update import update_regressions

STAY = 0.98  # of the first transitions; public code of Li et al. (2024)
NEWTON = 30  # steps of the pooled GLM, at most
STILL = 1e-6  # largest change of a coefficient that counts as none


def empty_params(model: Any, data: HMMGLMData, n_states: int) -> HMMGLMParams:
    """Parameters without any effect of a regressor."""
    targets, none = data.y.shape[-1], np.zeros(0)
    shape = free_weights(model, data).shape
    off = (1 - STAY) / max(n_states - 1, 1)
    transition = (
        np.full((n_states, n_states), off) + (STAY - off) * np.eye(n_states) if n_states > 1 else np.ones((1, 1))
    )
    lags = model.kernel.length
    noise = np.broadcast_to(data.scale, (n_states, targets)).copy() if model.has_noise else np.zeros((n_states, 0))
    return HMMGLMParams(
        initial=np.full(n_states, 1 / n_states),
        transition=transition,
        weights=np.zeros((n_states, *shape)),
        bias=np.broadcast_to(np.asarray(data.centre, float), (n_states, targets)).copy(),
        taps=np.zeros((n_states, targets, data.own.shape[-1])) if data.own.shape[-1] else none,
        noise=noise if model.has_noise else none,
        kernel=np.full(lags, 1 / lags) if model.learns_kernel else none,
        centre=none,
        spread=none,
        connectome=none,
        types=none,
        strength=none,
        lapse=np.full((n_states, 2), 0.02) if model.lapses is not None else none,
        drive=np.zeros((n_states, data.inputs.shape[-1])) if model.driven is not None else none,
    )


@compiled(static=(0,))
def pooled_glm(model: Any, params: HMMGLMParams, data: HMMGLMData) -> HMMGLMParams:
    """The parameters of one state, fitted to all data by Newton's method; ``params`` has one state."""
    weight = jnp.ones((*data.y.shape[:2], 1))

    def step(carry: tuple[HMMGLMParams, Array, Array]) -> tuple[HMMGLMParams, Array, Array]:
        params, _, count = carry
        new = update_regressions(model, params, data, weight, use_prior=True, steps=1)
        moved = jnp.abs(coefficients(new) - coefficients(params)).max()
        return new, moved, count + 1

    begin = (jax.tree.map(jnp.asarray, params), jnp.full((), jnp.inf), jnp.zeros((), int))
    return jax.lax.while_loop(lambda c: (c[1] > STILL) & (c[2] < NEWTON), step, begin)[0]


def pooled(model: Any) -> Any:
    """The model without states, lapses and inputs; priors that speak of several states become a ridge."""
    prior = model.prior if isinstance(model.prior, Ridge) else Ridge()
    bias_sd = model.spread_of_bias
    return replace(model, n_states=1, prior=prior, bias_sd=bias_sd, bias="state", lapses=None, driven=None)


def start_of(model: Any, key: PRNGKeyArray, data: HMMGLMData, start: str, restart: int) -> HMMGLMParams:
    """A starting point by its name.

    Raises:
        InputError: A start that this model does not have.
    """
    if start not in ("auto", "random"):
        raise InputError(f"the HMM-GLM starts from one GLM plus noise: start='auto' or 'random', not {start!r}")
    if start == "random":
        return noisy_start(model, key, data, restart, noise=1.0, keeps_weights=False)
    return noisy_start(model, key, data, restart, noise=0.2 if model.is_choice else 0.1)


def noisy_start(
    model: Any, key: PRNGKeyArray, data: HMMGLMData, restart: int, *, noise: float, keeps_weights: bool = True
) -> HMMGLMParams:
    """The pooled GLM in every state plus Normal(0, noise) on its weights, without regressors on its bias."""
    alone = pooled(model)
    one = jax.device_get(pooled_glm(alone, empty_params(alone, data, 1), data))
    generator = np.random.default_rng([*np.asarray(jax.random.key_data(key)).tolist(), restart])
    start, free = empty_params(model, data, model.n_states), free_weights(model, data)
    weights = float(keeps_weights) * one.weights + np.where(
        free, noise * generator.normal(size=start.weights.shape), 0.0
    )
    bias = np.broadcast_to(one.bias, start.bias.shape).copy()
    if model.is_choice or not free.any():
        spread = noise * (data.scale if model.has_noise else 1.0)
        move = spread * generator.normal(size=bias.shape)
        bias = bias + (move if model.bias == "state" else 0.0)
    if model.n_states == 1:
        weights, bias = one.weights, one.bias
    moved = start._replace(weights=weights, bias=bias)
    if start.taps.size:
        moved = moved._replace(taps=np.broadcast_to(one.taps, start.taps.shape).copy())
    if model.has_noise:
        moved = moved._replace(noise=np.broadcast_to(one.noise, start.noise.shape).copy())
    return moved._replace(kernel=one.kernel, **model.prior.begin(weights, free))
