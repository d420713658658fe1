"""The priors of the HMM-GLM: as sites of its NumPyro program, and as one log density at given parameters."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.layout import free_weights
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.priors import normal_log_density
from neurolatent.models.hmmglm.sparse import newton_prior
from neurolatent.models.hmmglm.update import NOISE_RATE, NOISE_SHAPE, chain_prior
from neurolatent.ops.dirichlet import dirichlet_log_density


def sample_params(model: Any, data: HMMGLMData) -> HMMGLMParams:
    """All sites, as parameters; those that are no site of their own are named by ``deterministic``."""
    values = {**_sample_chain(model), **model.prior.sample(model.n_states, free_weights(model, data), data)}
    values |= _sample_rest(model, data)
    empty = jnp.zeros(0)
    params = HMMGLMParams(**{name: values.get(name, empty) for name in HMMGLMParams._fields})
    sites = numpyro_sites(model)
    for name, value in params._asdict().items():
        if name not in sites:
            numpyro.deterministic(name, value)
    return params


def numpyro_sites(model: Any) -> set[str]:
    """Parameters that are sites themselves."""
    has_states = model.n_states > 1
    named = {"initial": has_states and model.learn_initial, "transition": has_states, "kernel": model.learns_kernel}
    return {name for name, has in {**named, "drive": model.driven is not None}.items() if has}


def _sample_chain(model: Any) -> dict[str, Any]:
    first, rows = chain_prior(model)
    n_states = model.n_states
    initial: Any = jnp.full(n_states, 1 / n_states)
    if n_states == 1:
        return {"initial": initial, "transition": jnp.ones((1, 1))}
    if model.learn_initial:
        initial = numpyro.sample("initial", dist.Dirichlet(jnp.asarray(first)))
    return {"initial": initial, "transition": numpyro.sample("transition", dist.Dirichlet(rows).to_event(1))}


def _sample_rest(model: Any, data: HMMGLMData) -> dict[str, Any]:
    states, targets = model.n_states, data.y.shape[-1]
    rows = 1 if model.bias == "shared" else states
    normal = dist.Normal(jnp.asarray(data.centre), model.spread_of_bias).expand([rows, targets]).to_event(2)
    out: dict[str, Any] = {"bias": _wide(numpyro.sample("bias_free", normal), states)}
    if model.has_own_lags:
        shape = [1 if model.self_coupling == "shared" else states, targets, model.kernel.length]
        taps = numpyro.sample("taps_free", dist.Normal(0.0, model.taps_sd).expand(shape).to_event(3))
        out["taps"] = _wide(taps, states)
    if model.has_noise:
        prior = dist.InverseGamma(NOISE_SHAPE, NOISE_RATE * jnp.asarray(data.scale) ** 2)
        variance = numpyro.sample("noise_variance", prior.expand([states, targets]).to_event(2))
        out["noise"] = jnp.sqrt(jnp.asarray(variance))
    if model.learns_kernel:
        out["kernel"] = numpyro.sample("kernel", dist.Dirichlet(jnp.ones(model.kernel.length)))
    if model.lapses is not None:
        out["lapse"] = model.lapses.sample(states)
    if model.driven is not None:
        out["drive"] = model.driven.sample(states, data.inputs.shape[-1])
    return out


def _wide(values: Any, states: int) -> Array:
    array = jnp.asarray(values)
    return jnp.broadcast_to(array, (states, *array.shape[1:]))


def log_prior(model: Any, params: HMMGLMParams, data: HMMGLMData) -> Float[Array, ""]:
    """Log density of all sites at these parameters, nats."""
    first, rows = chain_prior(model)
    total = dirichlet_log_density(params.transition, rows)
    if model.learn_initial:
        total += dirichlet_log_density(params.initial[None], first[None])
    bias = jnp.asarray(params.bias)[: 1 if model.bias == "shared" else None]
    total += normal_log_density(bias, jnp.asarray(data.centre), model.spread_of_bias, np.ones(bias.shape[1:], bool))
    if model.has_own_lags:
        taps = jnp.asarray(params.taps)[: 1 if model.self_coupling == "shared" else None]
        total += normal_log_density(taps, 0.0, model.taps_sd, np.ones(taps.shape[1:], bool))
    if model.has_noise:
        variance, rate = jnp.asarray(params.noise) ** 2, NOISE_RATE * jnp.asarray(data.scale) ** 2
        each = NOISE_SHAPE * jnp.log(rate) - gammaln(NOISE_SHAPE) - (NOISE_SHAPE + 1) * jnp.log(variance)
        total += jnp.sum(each - rate / variance)
    if model.learns_kernel:
        total += gammaln(float(model.kernel.length))
    if model.lapses is not None:
        total += model.lapses.log_density(jnp.asarray(params.lapse))
    if model.driven is not None:
        total += model.driven.log_density(jnp.asarray(params.drive))
    return total + newton_prior(model).log_density(params, free_weights(model, data))


def sites_at(model: Any, params: HMMGLMParams, data: HMMGLMData) -> dict[str, Array]:
    """Values of the sites at these parameters, moved off the edges of the simplices."""
    named = numpyro_sites(model)
    inside = {n: _inside(jnp.asarray(getattr(params, n))) for n in ("initial", "transition", "kernel") if n in named}
    sites = {**inside, **model.prior.sites_at(params, free_weights(model, data))}
    sites["bias_free"] = jnp.asarray(params.bias)[: 1 if model.bias == "shared" else None]
    if model.has_own_lags:
        sites["taps_free"] = jnp.asarray(params.taps)[: 1 if model.self_coupling == "shared" else None]
    if model.has_noise:
        sites["noise_variance"] = jnp.asarray(params.noise) ** 2
    if model.lapses is not None:
        sites |= model.lapses.sites_at(jnp.asarray(params.lapse))
    return sites | ({"drive": jnp.asarray(params.drive)} if model.driven is not None else {})


def _inside(rows: Array) -> Array:
    return (rows + 1e-4) / (rows + 1e-4).sum(axis=-1, keepdims=True)
