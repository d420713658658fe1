"""The chain that the recursions run on, and the posterior quantities of one set of parameters."""

from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Bool, Float, Int

from neurolatent.models.arphmm.data import ARPHMMData
from neurolatent.models.arphmm.emission import log_emission
from neurolatent.models.arphmm.params import ARPHMMParams
from neurolatent.models.arphmm.structure import expand_initial, expand_transition, pool
from neurolatent.models.protocols import Latents
from neurolatent.ops import hmm


class Chain(NamedTuple):
    """Arguments of the recursions in :mod:`neurolatent.ops.hmm`; a chain has n_states * n_substates places."""

    initial: Float[Array, "sequences chain"]
    transition: Float[Array, "chain chain"]
    log_emission: Float[Array, "sequences time chain"]
    lengths: Int[Array, " sequences"]


class OneStep(NamedTuple):
    """Each sample given the samples before it."""

    mean: Float[Array, "sequences time features"]
    sd: Float[Array, "sequences time features"]
    residual: Float[Array, "sequences time features"]  # normal quantile of the sample's predictive probability


def chain_of(params: ARPHMMParams, data: ARPHMMData, n_substates: int, *, with_knowledge: bool = True) -> Chain:
    """Weights enter as evidence: every density is multiplied by the plausibility of its state."""
    scores = log_emission(data.y, data.z, data.usable, params.coefficients, params.covariance)
    if with_knowledge:
        scores = scores + data.log_weights
    if n_substates > 1:
        scores = jnp.repeat(scores, n_substates, axis=-1)
    known = jnp.isfinite(data.belief).all(axis=-1, keepdims=True)
    first = jnp.where(known, jnp.where(known, data.belief, 0.0), params.initial)
    return Chain(
        expand_initial(first, n_substates),
        expand_transition(params.transition, params.advance, n_substates),
        scores,
        data.lengths,
    )


def smoothed_chain(chain: Chain, *, careful: bool) -> tuple[hmm.Smoothed, Bool[Array, ""]]:
    """The smoother, and whether it is right: always so where ``careful``, which compiles twice as much."""
    if careful:
        return hmm.smooth_states(*chain), jnp.ones((), bool)
    return hmm.try_smooth_states(*chain)


def latents_of(
    params: ARPHMMParams, data: ARPHMMData, n_substates: int, *, careful: bool, has_knowledge: bool
) -> tuple[Latents, Bool[Array, ""]]:
    """Filtered and smoothed probabilities, one-step predictions, and per sequence the evidence and the last belief.

    ``agreement`` is log L_w - log p(y), the log of the expected plausibility given the data: 0 without conflict.
    ``belief`` is the filter at the last step and ``ends`` the smoother there, over the places of the chain;
    ``occupancy`` the expected number of steps in each place.
    """
    chain = chain_of(params, data, n_substates)
    smoothed, is_right = smoothed_chain(chain, careful=careful)
    without = smoothed.log_evidence
    if has_knowledge:
        without = hmm.log_evidence(*chain_of(params, data, n_substates, with_knowledge=False))
    last = jnp.maximum(data.lengths - 1, 0)[:, None, None]
    predicted = one_step(params, data, smoothed.filtered, chain, n_substates)
    latents = Latents(
        {
            "filtered": pool(smoothed.filtered, n_substates),
            "smoothed": pool(smoothed.smoothed, n_substates),
            "predicted_mean": predicted.mean,
            "predicted_sd": predicted.sd,
            "residual": predicted.residual,
        },
        {
            "log_evidence": smoothed.log_evidence,
            "agreement": smoothed.log_evidence - without,
            "belief": jnp.take_along_axis(smoothed.filtered, last, axis=1)[:, 0],
            "ends": jnp.take_along_axis(smoothed.smoothed, last, axis=1)[:, 0],
            "occupancy": smoothed.smoothed.sum(axis=1),
        },
    )
    return latents, is_right


def one_step(
    params: ARPHMMParams,
    data: ARPHMMData,
    filtered: Float[Array, "sequences time chain"],
    chain: Chain,
    n_substates: int,
) -> OneStep:
    r"""Mean and standard deviation of each sample given the samples before it; NaN where a lag was not observed.

    .. math:: m = \sum_k q_k W_k z, \qquad v = \sum_k q_k (\Sigma_k + m_k m_k^T) - m m^T, \qquad q = \alpha_{t-1} A
    """
    before = jnp.concatenate([chain.initial[:, None], filtered[:, :-1] @ chain.transition], axis=1)
    weight = pool(before, n_substates)
    means = jnp.einsum("kdm,ntm->ntkd", params.coefficients, data.z)
    mean = jnp.einsum("ntk,ntkd->ntd", weight, means)
    variance = jnp.diagonal(params.covariance, axis1=1, axis2=2)
    total = jnp.einsum("ntk,ntkd->ntd", weight, variance + (means - mean[:, :, None]) ** 2)
    distance = (data.y[:, :, None] - means) / jnp.sqrt(variance)
    below, above = jnp.einsum("ntk,sntkd->sntd", weight, ndtr(jnp.stack([distance, -distance])))
    residual = jnp.where(below < 0.5, 1.0, -1.0) * ndtri(jnp.minimum(below, above))  # from the tail that is exact
    known = data.predictable[..., None]
    return OneStep(
        jnp.where(known, mean, jnp.nan),
        jnp.where(known, jnp.sqrt(total), jnp.nan),
        jnp.where(data.usable[..., None], residual, jnp.nan),
    )
