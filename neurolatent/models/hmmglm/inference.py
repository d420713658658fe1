"""The chain that the recursions run on, and the posterior quantities of one set of parameters."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Bool, Float

from neurolatent.models.hmmglm import driven
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.families import Gaussian
from neurolatent.models.hmmglm.lapse import causes
from neurolatent.models.hmmglm.layout import n_groups
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.rows import block_size, end_to_end, in_blocks, predictor
from neurolatent.models.protocols import Latents
from neurolatent.ops import hmm, hmm_varying
from neurolatent.ops.hmm_common import Filtered


class Beliefs(NamedTuple):
    """What the recursions say of the states."""

    filtered: Filtered
    smoothed: Float[Array, "sequences time states"]
    jumps: Float[Array, "states states"]  # expected, summed over time
    pairs: Float[Array, "sequences steps states states"]  # of every step; no steps where transitions are constant
    is_right: Bool[Array, ""]


def coefficients(params: HMMGLMParams) -> Float[Array, "states targets coefficients"]:
    """All coefficients of the linear predictors: own lags, regressors, bias."""
    states, targets = params.bias.shape
    own = jnp.asarray(params.taps).reshape(states, targets, np.size(params.taps) // (states * targets))
    return jnp.concatenate([own, params.weights, jnp.asarray(params.bias)[..., None]], axis=-1)


def with_coefficients(params: HMMGLMParams, beta: Float[Array, "states targets coefficients"]) -> HMMGLMParams:
    """The parameters with these coefficients."""
    lags = beta.shape[-1] - params.weights.shape[-1] - 1
    taps = beta[..., :lags] if lags else params.taps
    return params._replace(taps=taps, weights=beta[..., lags:-1], bias=beta[..., -1])


def regressors(params: HMMGLMParams, data: HMMGLMData) -> Float[Array, "sequences time regressors"]:
    """What the weights multiply: a learned kernel is applied here."""
    if params.kernel.shape[-1] == 0:
        return jnp.asarray(data.x)
    lags, targets = params.kernel.shape[0], data.y.shape[-1]
    past = data.x[..., : lags * targets].reshape(*data.x.shape[:-1], lags, targets)
    return jnp.concatenate([jnp.einsum("...kn,k->...n", past, params.kernel), data.x[..., lags * targets :]], axis=-1)


def groups_of(observed: Bool[Array, "*rows targets"], n_groups: int) -> Float[Array, "*rows groups"]:
    """1 where all targets of a group were observed."""
    return observed.reshape(*observed.shape[:-1], n_groups, -1).all(axis=-1).astype(jnp.result_type(float))


def log_emission(model: Any, params: HMMGLMParams, data: HMMGLMData) -> Float[Array, "sequences time states"]:
    """Log density of each sample under each state, nats; targets that were not observed add nothing."""
    x, beta = regressors(params, data), coefficients(params)
    shape, n_states, groups = data.y.shape[:2], beta.shape[0], n_groups(model, data)
    flat = [end_to_end(leaf) for leaf in (with_one(x), data.own, data.y, groups_of(data.observed, groups))]
    size = block_size(flat[0].shape[0], n_states * data.y.shape[-1])
    blocks = [in_blocks(leaf, size) for leaf in flat]

    def one(block: list[Array]) -> Array:
        x, own, y, seen = block
        eta = predictor(beta, x, own)
        if model.lapses is not None:
            return causes(eta[..., 0], y[..., 0], params.lapse).log_density * seen
        each = model.family.log_kernel(eta, y, params.noise) + model.family.log_base(y)[:, None, :]
        return (each * seen[:, None, :]).sum(axis=-1)

    if len(blocks[0]) == 1:
        scores = one([leaf[0] for leaf in blocks])
    else:
        scores = jax.lax.map(one, blocks).reshape(-1, n_states)
    return scores[: shape[0] * shape[1]].reshape(*shape, n_states) + data.log_weights


def with_one(x: Float[Array, "sequences time regressors"]) -> Float[Array, "sequences time coefficients"]:
    """With a 1 for the bias as the last regressor."""
    return jnp.concatenate([x, jnp.ones((*x.shape[:2], 1), x.dtype)], axis=-1)


def initial_of(params: HMMGLMParams, data: HMMGLMData) -> Float[Array, "sequences states"]:
    """Every sequence starts from the same distribution."""
    return jnp.broadcast_to(jnp.asarray(params.initial), (data.y.shape[0], params.initial.shape[-1]))


def beliefs(model: Any, params: HMMGLMParams, data: HMMGLMData, *, careful: bool) -> Beliefs:
    """The smoother, and whether it is right: always so where ``careful``, which compiles twice as much."""
    emission, initial = log_emission(model, params, data), initial_of(params, data)
    states = params.initial.shape[-1]
    if model.driven is not None:
        moves = driven.log_transitions(params.transition, params.drive, data.inputs)
        posterior, pairs = hmm_varying.smooth_states(initial, moves, emission, data.lengths)
        found = posterior.filtered
        return Beliefs(found, posterior.smoothed, posterior.jumps.sum(axis=0), pairs, jnp.ones((), bool))
    chain = (initial, params.transition, emission, data.lengths)
    smoothed, is_right = (hmm.smooth_states(*chain), True) if careful else hmm.try_smooth_states(*chain)
    none = jnp.zeros((data.y.shape[0], 0, states, states), emission.dtype)
    return Beliefs(Filtered(*smoothed[:3]), smoothed.smoothed, smoothed.jumps, none, jnp.asarray(is_right))


def log_evidence(model: Any, params: HMMGLMParams, data: HMMGLMData) -> Float[Array, " sequences"]:
    """Log probability of each sequence, nats."""
    emission, initial = log_emission(model, params, data), initial_of(params, data)
    if model.driven is not None:
        moves = driven.log_transitions(params.transition, params.drive, data.inputs)
        return hmm_varying.filter_states(initial, moves, emission, data.lengths).log_evidence
    return hmm.log_evidence(initial, jnp.asarray(params.transition), emission, data.lengths)


def most_probable_path(model: Any, params: HMMGLMParams, data: HMMGLMData) -> Array:
    """The Viterbi path; -1 on padding."""
    emission, initial = log_emission(model, params, data), initial_of(params, data)
    if model.driven is not None:
        moves = driven.log_transitions(params.transition, params.drive, data.inputs)
        return hmm_varying.viterbi(initial, moves, emission, data.lengths).states
    return hmm.viterbi(initial, jnp.asarray(params.transition), emission, data.lengths).states


def latents_of(
    model: Any, params: HMMGLMParams, data: HMMGLMData, *, careful: bool, has_knowledge: bool
) -> tuple[Latents, Bool[Array, ""]]:
    """Filtered and smoothed probabilities, one-step predictions, and per sequence the evidence and the occupancy."""
    found = beliefs(model, params, data, careful=careful)
    predicted = one_step(model, params, data, found.filtered.filtered)
    per_sequence = {"log_evidence": found.filtered.log_evidence, "occupancy": found.smoothed.sum(axis=1)}
    if has_knowledge:
        without = log_evidence(model, params, data._replace(log_weights=jnp.zeros_like(data.log_weights)))
        per_sequence["agreement"] = found.filtered.log_evidence - without
    along = {"filtered": found.filtered.filtered, "smoothed": found.smoothed, **predicted}
    along["path"] = most_probable_path(model, params, data)
    return Latents(along, per_sequence), found.is_right


def ahead(model: Any, params: HMMGLMParams, data: HMMGLMData, filtered: Array) -> Float[Array, "sequences time states"]:
    """Probability of each state given the samples before it."""
    if model.driven is not None:
        moves = jnp.exp(driven.log_transitions(params.transition, params.drive, data.inputs))
        moved = jnp.einsum("nti,ntij->ntj", filtered[:, :-1], moves)
    else:
        moved = filtered[:, :-1] @ params.transition
    return jnp.concatenate([initial_of(params, data)[:, None], moved], axis=1)


def state_means(model: Any, eta: Array, params: HMMGLMParams) -> Array:
    """Expected targets under each state, from the linear predictors."""
    mean = model.family.mean(eta)
    if model.lapses is None:
        return mean
    return params.lapse[:, :1] + (1 - params.lapse.sum(axis=1, keepdims=True)) * mean


def state_variances(model: Any, means: Array, params: HMMGLMParams) -> Array:
    """Variance of the targets under each state."""
    if model.is_choice:
        return means * (1 - means)
    return jnp.broadcast_to(params.noise**2, means.shape) if model.has_noise else means


def one_step(model: Any, params: HMMGLMParams, data: HMMGLMData, filtered: Array) -> dict[str, Array]:
    """Mean and standard deviation of each target given the samples before it, and the residual.

    Gaussian targets: the normal quantile of the sample's predictive probability. Counts and choices: the Pearson
    residual (y - mean) / sd. NaN where the target was not observed.
    """
    beta, weight = coefficients(params), ahead(model, params, data, filtered)

    def one(sequence: tuple[Array, ...]) -> tuple[Array, Array, Array]:
        x, own, y, weight = sequence
        means = state_means(model, predictor(beta, x, own), params)
        mean = jnp.einsum("ts,tso->to", weight, means)
        within = state_variances(model, means, params)
        total = jnp.einsum("ts,tso->to", weight, within + (means - mean[:, None]) ** 2)
        if not isinstance(model.family, Gaussian):
            return mean, total, (y - mean) / jnp.sqrt(jnp.maximum(total, 1e-12))
        distance = (y[:, None] - means) / params.noise
        below, above = (jnp.einsum("ts,tso->to", weight, ndtr(sign * distance)) for sign in (1.0, -1.0))
        return mean, total, jnp.where(below < 0.5, ndtri(below), -ndtri(above))

    # one sequence after the other: means of all states at once would need states times the size of the data
    leaves = tuple(map(jnp.asarray, (with_one(regressors(params, data)), data.own, data.y, weight)))
    mean, total, residual = jax.lax.map(one, leaves)
    return {
        "predicted_mean": mean,
        "predicted_sd": jnp.sqrt(total),
        "residual": jnp.where(data.observed, residual, jnp.nan),
    }
