r"""The encoder of the published code: one learned linear map over time from what bins say to Fourier coefficients.

The means :math:`h_t` and log standard deviations :math:`v_t` of the bins' messages become those of coefficients,

.. math:: \mu_f = \sum_t M_{ft} h_t + a_f, \qquad \log s_f = \sum_t V_{ft} v_t + b_f,

with one map for all latents of a modality, and without correlations. It holds for sequences of one padded length; bins
without data are zeros to it. The projection of :mod:`neurolatent.models.gpvae.posterior` needs no such weights.

References: Gondur et al. (2024), ICLR, arXiv 2310.03111. The start is ours: the basis itself, a hundredth of it and -1.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurolatent.checks import InputError
from neurolatent.models.gpvae.params import TimeMap
from neurolatent.models.gpvae.posterior import Coefficients, Message, Spread
from neurolatent.ops.fourier_gp import FourierBasis

FIRST_LEVEL = -1.0  # of the log standard deviations


def first_map(basis: FourierBasis) -> TimeMap:
    """Where learning starts."""
    return TimeMap(basis.B, np.zeros(basis.F), 0.01 * basis.B, np.full(basis.F, FIRST_LEVEL))


def refuse_other_length(known: TimeMap, basis: FourierBasis) -> None:
    """Refuse sequences of a padded length that the map was not learned on.

    Raises:
        InputError: It names both lengths.
    """
    if known.mean.shape != (basis.F, basis.T):
        raise InputError(
            f"a linear map over time was learned on sequences of {known.mean.shape[1]} bins (padded), "
            f'got {basis.T}: cut or pad the sequences, or use encoder_time="projection"'
        )


def mapped(
    model: Any, maps: tuple[TimeMap, TimeMap], neural: Message, behaviour: Message, c: Float[Array, "latent F"]
) -> Coefficients:
    """The posterior of all latents; one of which nothing was observed keeps its prior."""
    n, s = model.n_neural, model.n_shared
    first, second = _one(maps[0], neural, c[: n + s]), _one(maps[1], behaviour, c[n:])
    shared = _shared(model, [part[:, n:] for part in first], [part[:, :s] for part in second], c[n : n + s])
    mean, log_sd = (
        jnp.concatenate([a[:, :n], b, z[:, s:]], axis=1) for a, b, z in zip(first[:2], shared, second[:2], strict=True)
    )
    log_ratio = 2 * log_sd - jnp.log(c)
    cov = jnp.exp(log_ratio)[..., None] * jnp.eye(c.shape[-1], dtype=c.dtype)
    return Coefficients(mean, Spread(cov, log_ratio.sum(axis=-1)), c)


def _one(over_time: TimeMap, message: Message, c: Float[Array, "latent F"]) -> tuple[Array, Array, Array]:
    """Means, log standard deviations and whether anything was heard, of the latents of one modality."""
    seen = message.precision > 0
    log_sd = -0.5 * jnp.log(jnp.where(seen, message.precision, 1))
    mean = jnp.einsum("ft,mpt->mpf", over_time.mean, jnp.where(seen, message.value, 0)) + over_time.shift
    spread = jnp.einsum("ft,mpt->mpf", over_time.log_sd, log_sd) + over_time.level
    heard = jnp.broadcast_to(seen.any(axis=-1)[..., None], mean.shape)
    return jnp.where(heard, mean, 0), jnp.where(heard, spread, 0.5 * jnp.log(c)), heard


def _shared(model: Any, first: list[Array], second: list[Array], c: Float[Array, "shared F"]) -> tuple[Array, Array]:
    """Means and log standard deviations of shared latents: means of both, or a product of Gaussians."""
    (mean, log_sd, heard), (other, other_sd, other_heard) = first, second
    has = [flag.astype(mean.dtype) for flag in (heard, other_heard)]
    if model.combine == "product":
        weights = [flag * jnp.exp(-2 * sd) for flag, sd in zip(has, (log_sd, other_sd), strict=True)]
        total = jnp.where(heard | other_heard, weights[0] + weights[1], 1 / c)
        return (weights[0] * mean + weights[1] * other) / total, -0.5 * jnp.log(total)
    share = 0.5 * (has[0] - has[1] + 1)
    return share * mean + (1 - share) * other, share * log_sd + (1 - share) * other_sd
