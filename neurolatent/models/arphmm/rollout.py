"""Simulation of the chain and the autoregression: data with their truth, and forecasts."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurolatent.models.arphmm.data import ARPHMMData
from neurolatent.models.arphmm.inference import Chain
from neurolatent.models.arphmm.params import ARPHMMParams
from neurolatent.models.arphmm.structure import expand_transition
from neurolatent.ops import hmm
from neurolatent.recording import Recording


def roll_out(
    key: PRNGKeyArray,
    params: ARPHMMParams,
    first: Float[Array, " chain"],
    lags: Float[Array, "order features"],
    *,
    steps: int,
    n_substates: int,
) -> tuple[Float[Array, "time features"], Int[Array, " time"]]:
    """Samples and states of one path.

    Args:
        first: Distribution over the places of the chain at the first simulated step.
        lags: The samples before it, latest first.
    """
    transition = expand_transition(params.transition, params.advance, n_substates)
    factor = jnp.linalg.cholesky(params.covariance)
    key_first, key_run = jax.random.split(key)

    def step(carry: tuple[Array, Array], key_step: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        here, past = carry
        key_noise, key_next = jax.random.split(key_step)
        state = here // n_substates
        z = jnp.concatenate([past.reshape(-1), jnp.ones(1, past.dtype)])
        noise = jax.random.normal(key_noise, (params.coefficients.shape[1],), past.dtype)
        y = params.coefficients[state] @ z + factor[state] @ noise
        following = jax.random.categorical(key_next, jnp.log(transition[here]))
        past = jnp.concatenate([y[None], past])[: past.shape[0]]
        return (following, past), (y, state)

    here = jax.random.categorical(key_first, jnp.log(first))
    _, (y, state) = jax.lax.scan(step, (here, lags), jax.random.split(key_run, steps))
    return y, state


def forecast_paths(
    key: PRNGKeyArray,
    params: ARPHMMParams,
    data: ARPHMMData,
    chain: Chain,
    *,
    horizon: int,
    n_paths: int,
    n_substates: int,
    longest_gap: int,
) -> tuple[Float[Array, "sequences paths horizon features"], Int[Array, "sequences paths horizon"]]:
    """Simulated samples and states after the last sample of each sequence; NaN where no sample can be continued.

    The paths start after the last step whose samples are all known that the next step needs, and pass through the gap
    to the end; what was learned of the state until the start weighs in.

    Args:
        chain: The recursions' arguments.
        longest_gap: Steps between the last known and the last sample, the largest over sequences.
    """
    features, order = data.y.shape[-1], (data.z.shape[-1] - 1) // data.y.shape[-1]
    last = last_known(data)
    gap = data.lengths - 1 - last
    begins = jnp.where(last < 0, data.predictable[:, 0], True)

    def one(key: Array, at: Array, skip: Array, y: Array, z: Array, ahead: Array) -> tuple[Array, Array]:
        before = z[jnp.maximum(at, 0)][:-1].reshape(order, features)
        lags = jnp.where(at < 0, before, jnp.concatenate([y[at][None], before])[:order])
        first = ahead[at + 1]
        paths, states = jax.vmap(
            lambda k: roll_out(k, params, first, lags, steps=horizon + longest_gap, n_substates=n_substates)
        )(jax.random.split(key, n_paths))
        cut = lambda path: jax.lax.dynamic_slice_in_dim(path, skip, horizon, axis=1)  # noqa: E731
        return cut(paths), cut(states)

    filtered = hmm.filter_states(*chain).filtered
    ahead = jnp.concatenate([chain.initial[:, None], filtered @ chain.transition], axis=1)
    keys = jax.random.split(key, len(last))
    paths, states = jax.vmap(one)(keys, last, gap, data.y, data.z, ahead)
    return jnp.where(begins[:, None, None, None], paths, jnp.nan), states


def last_known(data: ARPHMMData) -> Int[Array, " sequences"]:
    """Last step after which the next one can be predicted; -1: only the first modelled step, or none."""
    steps = jnp.arange(data.y.shape[1])
    known = jnp.asarray(data.continuable) & (steps < jnp.asarray(data.lengths)[:, None])
    return jnp.max(jnp.where(known, steps, -1), axis=1)


def drawn_recording(name: str, y: np.ndarray, states: np.ndarray, lengths: Sequence[int]) -> Recording:
    """Samples and states that were drawn, cut to their lengths."""
    cut = [slice(0, n) for n in lengths]
    return Recording.of(
        {
            name: [row[c] for row, c in zip(y, cut, strict=True)],
            "state": [s[c] for s, c in zip(states, cut, strict=True)],
        },
        kinds={name: "continuous", "state": "category"},
        clock_unit="step",
        name="simulated",
    )
