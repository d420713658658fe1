r"""What the data say of the latents: a Gaussian without correlations over their Fourier coefficients.

Each bin of a modality sends, for each latent, a mean :math:`h_t` and a precision :math:`r_t` (0 where nothing was
observed). These are projected on the basis under the prior,

.. math:: \mu = (B R B^T + C^{-1})^{-1} B R h, \qquad s^2 = 1 / diag(B R B^T + C^{-1}),

the posterior mean and the best uncorrelated variances if the messages were Gaussian observations of the latent.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurolatent.models.gpvae.params import Encoder
from neurolatent.ops.fourier_gp import FourierBasis
from neurolatent.ops.mlp import apply_network

LOG_SD_LIMIT = 5.0  # of a message, softly


class Message(NamedTuple):
    """What the bins of one modality say of its latents."""

    value: Float[Array, "sequences latent time"]  # h
    precision: Float[Array, "sequences latent time"]  # r


class Coefficients(NamedTuple):
    """The approximate posterior."""

    mean: Float[Array, "sequences latent F"]
    var: Float[Array, "sequences latent F"]


def message_of(
    encoder: Encoder, u: Float[Array, "sequences time inputs"], seen: Float[Array, "sequences time inputs"]
) -> Message:
    """The message of one modality: standardised values, 0 where nothing was observed, and what was observed."""
    u = u * seen
    u = jnp.concatenate([u, 1 - seen], axis=-1) if len(encoder.direct) == 2 * u.shape[-1] else u
    out = u @ encoder.direct + encoder.shift
    out = out + apply_network(encoder.network, u) if len(encoder.network) else out
    value, log_sd = jnp.split(jnp.swapaxes(out, 1, 2), 2, axis=1)
    log_sd = LOG_SD_LIMIT * jnp.tanh(log_sd / LOG_SD_LIMIT)
    return Message(value, jnp.exp(-2 * log_sd) * seen.max(axis=-1, initial=0.0)[:, None])


def projected(message: Message, c: Float[Array, "latent F"], basis: FourierBasis) -> Coefficients:
    """The masked least-squares projection of a message on the basis."""
    B = jnp.asarray(basis.B, c.dtype)
    root = jnp.sqrt(c)
    gram = jnp.einsum("ft,mpt,gt->mpfg", B, message.precision, B)
    diagonal = jnp.diagonal(gram, axis1=-2, axis2=-1)
    inner = root[:, :, None] * gram * root[:, None, :] + jnp.eye(basis.F, dtype=c.dtype)
    right = root * jnp.einsum("ft,mpt->mpf", B, message.precision * message.value)
    factor = jnp.linalg.cholesky(inner)
    mean = root * jax.scipy.linalg.cho_solve((factor, True), right[..., None])[..., 0]
    return Coefficients(mean, 1 / (diagonal + 1 / c))


def combined(model: Any, neural: Message, behaviour: Message, c: Any, basis: FourierBasis) -> Coefficients:
    """The posterior of all latents: private ones from their modality, shared ones from both.

    ``product`` adds the messages before they are projected. ``mean`` projects each and averages means and log standard
    deviations; a modality that a sequence does not have is left out there.
    """
    n, s = model.n_neural, model.n_shared
    if model.combine == "product" or s == 0:
        return projected(_pooled(neural, behaviour, n, s), c, basis)
    first, second = projected(neural, c[: n + s], basis), projected(behaviour, c[n:], basis)
    has = [(m.precision.sum(axis=(1, 2)) > 0)[:, None, None].astype(c.dtype) for m in (neural, behaviour)]
    both = has[0] + has[1]
    weight = jnp.where(both > 0, has[0] / jnp.maximum(both, 1.0), 0.5)
    mean = weight * first.mean[:, n:] + (1 - weight) * second.mean[:, :s]
    log_var = weight * jnp.log(first.var[:, n:]) + (1 - weight) * jnp.log(second.var[:, :s])
    parts = (first.mean[:, :n], mean, second.mean[:, s:]), (first.var[:, :n], jnp.exp(log_var), second.var[:, s:])
    return Coefficients(*(jnp.concatenate(part, axis=1) for part in parts))


def _pooled(neural: Message, behaviour: Message, n: int, s: int) -> Message:
    """One message for all latents: precisions add up, values are their weighted mean."""
    total = neural.precision[:, n:] + behaviour.precision[:, :s]
    value = neural.precision[:, n:] * neural.value[:, n:] + behaviour.precision[:, :s] * behaviour.value[:, :s]
    shared = Message(value / jnp.maximum(total, 1e-20), total)
    parts = ((a[:, :n], b, c[:, s:]) for a, b, c in zip(neural, shared, behaviour, strict=True))
    return Message(*(jnp.concatenate(part, axis=1) for part in parts))
