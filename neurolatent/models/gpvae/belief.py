r"""What is believed of the latents in time, whichever prior they have: a Gaussian per bin and its divergence.

Under the ``fourier`` prior bins know each other through the coefficients (:mod:`neurolatent.models.gpvae.posterior`).
The two others are what it is measured against. There a bin hears its own message :math:`(h_t, r_t)` alone, joined with
the prior of that bin, of variance v,

.. math:: s_t = (r_t + 1 / v)^{-1}, \qquad \mu_t = s_t r_t h_t,

and it is the divergence that tells them apart: from a Gaussian process over time (``time``, v = 1 + alpha), or from
bins without memory (``independent``, v = 1: the standard variational autoencoder of Kingma and Welling, 2014).
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from neurolatent.models.gpvae.posterior import Coefficients, Message, divergence, pooled, var_in_time, var_ratios
from neurolatent.ops.fourier_gp import FourierBasis
from neurolatent.ops.gaussian_process import divergence_in_time, kernel_factor

DOMAINS = ("fourier", "time", "independent")


class Belief(NamedTuple):
    """Means and variances of the latents in time, and how far they are from their prior."""

    mean: Float[Array, "sequences time latent"]
    var: Float[Array, "sequences time latent"]
    kl: Float[Array, "sequences latent"]  # nats
    mean_square: Float[Array, "sequences latent"]  # of the means, relative to the prior
    var_ratio: Float[Array, "sequences latent"]  # mean ratio of posterior to prior variance


def over_time(q: Coefficients, basis: FourierBasis) -> Belief:
    """What coefficients mean in time."""
    return Belief(
        jnp.swapaxes(basis.to_time(q.mean), 1, 2),
        jnp.swapaxes(var_in_time(q, basis), 1, 2),
        divergence(q),
        (q.mean**2).sum(axis=-1) / q.c.sum(axis=-1),
        var_ratios(q).mean(axis=-1),
    )


def bin_by_bin(model: Any, neural: Message, behaviour: Message, lengthscale: Float[Array, " latent"]) -> Belief:
    """The belief of each bin by its own messages, with its divergence from a prior over time or without memory."""
    prior = 1.0 + (model.alpha if model.domain == "time" else 0.0)
    message = joined(model, neural, behaviour)
    var = 1 / (message.precision + 1 / prior)
    mean = var * message.precision * message.value
    inside = reached(message)
    if model.domain == "time":
        kl = divergence_in_time(mean, var, kernel_factor(mean.shape[-1], lengthscale, model.alpha), inside)
    else:
        kl = 0.5 * (var + mean**2 - 1 - jnp.log(var)).sum(axis=-1)
    count = jnp.maximum(inside.sum(axis=-1), 1)[:, None].astype(mean.dtype)
    within = inside[:, None].astype(mean.dtype)
    means = [(part * within).sum(axis=-1) / (count * prior) for part in (mean**2, var)]
    return Belief(jnp.swapaxes(mean, 1, 2), jnp.swapaxes(var, 1, 2), kl, *means)


def reached(message: Message) -> Bool[Array, "sequences time"]:
    """True up to the last bin that says anything; a prior over time says nothing of the bins beyond it."""
    says = (message.precision > 0).any(axis=1)
    return jnp.flip(jnp.cumsum(jnp.flip(says, axis=1), axis=1), axis=1) > 0


def joined(model: Any, neural: Message, behaviour: Message) -> Message:
    """One message of a bin for each latent; ``mean`` takes the means of what both say, where both say something."""
    n, s = model.n_neural, model.n_shared
    if model.combine == "product" or s == 0:
        return pooled(neural, behaviour, n, s)
    first, second = neural.precision[:, n:], behaviour.precision[:, :s]
    weight = 0.5 * ((first > 0).astype(first.dtype) - (second > 0).astype(first.dtype) + 1)
    shared = Message(
        weight * neural.value[:, n:] + (1 - weight) * behaviour.value[:, :s], weight * first + (1 - weight) * second
    )
    parts = ((a[:, :n], b, c[:, s:]) for a, b, c in zip(neural, shared, behaviour, strict=True))
    return Message(*(jnp.concatenate(part, axis=1) for part in parts))
