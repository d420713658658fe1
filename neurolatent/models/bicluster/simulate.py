"""Draws from the prior, and counts given a draw: the model as a simulator."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurolatent.models.bicluster import concentrations
from neurolatent.models.bicluster.dynamics import Dynamics, draw_prior, roll_out
from neurolatent.models.bicluster.likelihood import HIGHEST, log_rate
from neurolatent.models.bicluster.params import BiclusterParams, occupancy
from neurolatent.models.bicluster.states import LEAST, dirichlet
from neurolatent.ops.gamma import standard_gamma
from neurolatent.ops.partitions import geometric_log_prior


def prior_draw(model: Any, key: PRNGKeyArray, neurons: int, bins: int) -> BiclusterParams:
    """Everything but the counts, from the prior."""
    keys = jax.random.split(key, 9)
    clusters, states, size = model.n_slots(neurons), model.max_states, model.n_factors + 1
    dtype = jnp.zeros(()).dtype
    label = _labels(model, keys[0], neurons, clusters)
    alpha, gamma, kappa = drawn = concentrations.from_prior(model, keys[8], dtype)
    beta = jnp.maximum(dirichlet(keys[1], jnp.full(states, gamma / states, dtype)), LEAST)
    rows = alpha * beta + kappa * jnp.eye(states, dtype=dtype)
    jumps = dirichlet(keys[2], rows)
    state = _path(keys[3], jumps, bins)
    flat = draw_prior(model, keys[4], states * clusters, size, dtype)
    laws = Dynamics(*(part.reshape(states, clusters, *part.shape[1:]) for part in flat))
    paths = roll_out(keys[5], laws, state)
    occupied = occupancy(label, clusters) > 0
    key_offset, key_loadings = jax.random.split(keys[6])
    return BiclusterParams(
        label,
        state,
        model.offset_sd * jax.random.normal(key_offset, (neurons,), dtype),
        jax.random.normal(key_loadings, (neurons, size - 1), dtype),
        standard_gamma(keys[7], jnp.full(neurons, float(model.dispersion_shape), dtype)) / model.dispersion_rate,
        jnp.where(occupied[:, None, None], paths, 0.0),
        *laws,
        beta,
        jumps,
        drawn,
    )


def _labels(model: Any, key: PRNGKeyArray, neurons: int, clusters: int) -> Int[Array, " neuron"]:
    key_count, key_weight, key_label = jax.random.split(key, 3)
    count = 1 + jax.random.categorical(key_count, jnp.asarray(geometric_log_prior(model.rho, clusters)))
    weight = standard_gamma(key_weight, jnp.full(clusters, float(model.concentration), jnp.zeros(()).dtype))
    scores = jnp.where(jnp.arange(clusters) < count, jnp.log(weight), -jnp.inf)
    return jax.random.categorical(key_label, scores, shape=(neurons,)).astype(jnp.int32)


def _path(key: PRNGKeyArray, jumps: Float[Array, "state state_to"], bins: int) -> Int[Array, " bin"]:
    def step(state: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
        state = jax.random.categorical(key, jnp.log(jumps[state])).astype(jnp.int32)
        return state, state

    keys = jax.random.split(key, bins - 1)
    first = jax.random.randint(keys[0], (), 0, len(jumps), jnp.int32)
    _, rest = jax.lax.scan(step, first, keys[1:])
    return jnp.concatenate([first[None], first[None], rest])


def draw_counts(model: Any, params: BiclusterParams, key: PRNGKeyArray) -> Float[Array, "neuron bin"]:
    """Counts of all neurons and bins."""
    key_gamma, key_poisson = jax.random.split(key)
    rate = jnp.exp(jnp.minimum(log_rate(params), HIGHEST))
    if model.family == "nb":
        r = jnp.broadcast_to(params.dispersion[:, None], rate.shape)
        rate = rate * standard_gamma(key_gamma, r) / r
    return jax.random.poisson(key_poisson, rate).astype(rate.dtype)
