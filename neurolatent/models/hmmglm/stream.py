"""One sample at a time: the filter of the HMM-GLM with fixed memory."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from neurolatent.checks import InputError
from neurolatent.models.hmmglm.data import Floats, HMMGLMData
from neurolatent.models.hmmglm.driven import log_transitions
from neurolatent.models.hmmglm.families import Categorical
from neurolatent.models.hmmglm.inference import log_emission
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.ops.hmm_common import log_sum


class StreamState(NamedTuple):
    """What the filter carries from one sample to the next."""

    log_belief: Float[Array, " states"]  # filtered, log probabilities; of the first sample before there is one
    past: Float[Array, "lags targets"]  # latest first; zeros where not observed
    has_begun: Array  # bool
    log_evidence: Float[Array, ""]  # log p of the samples so far, nats


class Sample(NamedTuple):
    """One step of a stream, as the model reads it."""

    y: Float[Floats, " targets"]  # NaN where not observed
    covariates: Float[Floats, " covariates"]
    inputs: Float[Floats, " inputs"]


def stream_start(params: HMMGLMParams, lags: int) -> StreamState:
    """Nothing seen yet."""
    targets, dtype = params.bias.shape[1], jnp.result_type(float)
    nothing, begun = jnp.zeros((lags, targets), dtype), jnp.zeros((), bool)
    return StreamState(jnp.log(jnp.asarray(params.initial)), nothing, begun, jnp.zeros((), dtype))


def sample_of(model: Any, params: HMMGLMParams, *given: ArrayLike | Sequence[float | int]) -> Sample:
    """A step as it was given, with the label of a choice among several classes as indicators.

    Args:
        given: Targets, covariates, inputs.

    Raises:
        InputError: Another number of targets than the model has.
    """
    sample = Sample(*(np.atleast_1d(np.asarray(v, float)) for v in given))
    if isinstance(model.family, Categorical):
        classes = np.arange(1, model.family.n_classes)
        sample = sample._replace(y=np.where(np.isfinite(sample.y), sample.y == classes, np.nan))
    if sample.y.shape != params.bias.shape[-1:]:
        raise InputError(
            f"a sample of this stream has {params.bias.shape[-1]} targets, got the shape {np.shape(given[0])}"
        )
    return sample


def step_data(model: Any, past: Float[Array, "lags targets"], sample: Sample) -> HMMGLMData:
    """One sample with its history, as a recording of one sequence and one step."""
    basis = jnp.asarray(model.kernel.basis())
    filtered = jnp.einsum("kj,kn->jn", basis, past).reshape(basis.shape[1] * past.shape[1])
    seen = jnp.isfinite(sample.y)
    own = past.T if model.has_own_lags else jnp.zeros((len(sample.y), 0))
    targets = len(sample.y)
    return HMMGLMData(
        y=jnp.where(seen, sample.y, 0.0)[None, None],
        observed=(seen & jnp.isfinite(sample.covariates).all())[None, None],
        x=jnp.concatenate([filtered, jnp.nan_to_num(sample.covariates)])[None, None],
        own=own[None, None],
        inputs=sample.inputs[None, None],
        log_weights=jnp.zeros((1, 1, model.n_states)),
        lengths=jnp.ones(1, jnp.int32),
        centre=jnp.zeros(targets),
        scale=jnp.ones(targets),
    )


def moved(model: Any, params: HMMGLMParams, log_belief: Array, inputs: Array) -> Float[Array, " states"]:
    """Log probabilities of the states one step on."""
    moves = jnp.log(params.transition)
    if model.driven is not None:
        moves = log_transitions(params.transition, params.drive, jnp.stack([inputs, inputs])[None])[0, 0]
    return log_sum(log_belief[:, None] + moves, 0)


def stream_step(
    model: Any, params: HMMGLMParams, state: StreamState, sample: Sample
) -> tuple[StreamState, Float[Array, " states"]]:
    """The state after one more sample, and the filtered state probabilities; equal to the batch filter."""
    data = step_data(model, state.past, sample)
    before = jnp.where(state.has_begun, moved(model, params, state.log_belief, sample.inputs), state.log_belief)
    joint = before + log_emission(model, params, data)[0, 0]
    gain = log_sum(joint, 0)
    y = jnp.where(jnp.isfinite(sample.y), sample.y, 0.0)
    past = jnp.concatenate([y[None], state.past])[: state.past.shape[0]]
    return StreamState(joint - gain, past, jnp.ones((), bool), state.log_evidence + gain), jnp.exp(joint - gain)
