"""Compiled programs of the PV-RNN: what the posterior tells of sequences, trained or new.

They are compiled for the model without its meta-priors, which the parameters hold: a sweep over w compiles them once.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.compiling import compiled, key_of
from neurolatent.models.protocols import Latents
from neurolatent.models.pvrnn.door import NEW, PVRNNData
from neurolatent.models.pvrnn.joint import sd_of
from neurolatent.models.pvrnn.loss import objective, terms_of
from neurolatent.models.pvrnn.params import PVRNNParams
from neurolatent.models.pvrnn.regression import Foreseen, Window, foresee, no_noise, observe, recognised, step_noise

DRAWS = 8  # of the noise, over which nats and reconstructions are averaged
SEED = 0  # of these draws, and of those while a sequence is recognised: an answer does not depend on the call


def posterior_of(model: Any, params: PVRNNParams, data: PVRNNData) -> Latents:
    """Latents of training sequences from their own adaptive arrays, of new ones by recognising them."""
    return _told(model.beside(), at_sequences(model, params, data), data, key_of(SEED))


def evidence_of(model: Any, params: PVRNNParams, data: PVRNNData) -> Float[Array, " sequences"]:
    """The evidence lower bound of each sequence, nats, all weights 1."""
    return posterior_of(model, params, data).per_sequence["log_evidence"]


def at_sequences(model: Any, params: PVRNNParams, data: PVRNNData) -> PVRNNParams:
    """The parameters with the adaptive arrays of these sequences."""
    rows = np.asarray(data.row)
    if (rows == NEW).all():
        return recognised_of(model.beside(), params._replace(adaptive=None), data, key_of(SEED))
    return params._replace(adaptive=jax.tree.map(lambda a: np.asarray(a)[rows], params.adaptive))


@compiled(static=(0,))
def recognised_of(model: Any, params: PVRNNParams, data: PVRNNData, key: PRNGKeyArray) -> PVRNNParams:
    """The parameters with adaptive arrays that were learned for these sequences, the weights frozen."""
    return recognised(model, params, data, key)


@compiled(static=(0,))
def foreseen_of(model: Any, params: PVRNNParams, data: PVRNNData, key: PRNGKeyArray) -> Foreseen:
    """What is foreseen after every observation: (time, sequences, horizon, ...)."""
    return foresee(model, params._replace(adaptive=None), data, key)


@compiled(static=(0,))
def observed(
    model: Any, params: PVRNNParams, window: Window, new: tuple[Array, Array, Array], key: PRNGKeyArray
) -> tuple[Window, Foreseen]:
    """One more observation: the program of a stream."""
    return observe(model, params, window, new, key)


@compiled(static=(0,))
def _told(model: Any, params: PVRNNParams, data: PVRNNData, key: PRNGKeyArray) -> Latents:
    count, time = data.valid.shape
    dtype = params.output.dtype
    _, course, prior, _ = terms_of(model, params, data, no_noise(model, time, count, dtype))
    gathered = lambda parts: jnp.swapaxes(jnp.concatenate(parts, axis=-1), 0, 1)  # noqa: E731
    along = {"activity": gathered(course.activity)}
    for name, beliefs in (("posterior", course.told), ("prior", prior)):
        along[f"{name}_mean"] = gathered([b.mean for b in beliefs])
        along[f"{name}_sd"] = gathered([sd_of(b.log_sd) for b in beliefs])

    def one(key: PRNGKeyArray) -> Any:
        noise = step_noise(model, key, jnp.arange(time), count, dtype)
        terms, _, _, out = terms_of(model, params, data, noise)
        return terms.rec, terms.kl, objective(model, terms, data.target.shape[2]), model.likelihood.told(out)

    rec, kl, loss, told = (part.mean(axis=0) for part in jax.vmap(one)(jax.random.split(key, DRAWS)))
    along["probability" if model.is_symbolic else "reconstruction_mean"] = _shaped(model, jnp.swapaxes(told, 0, 1))
    constant = model.likelihood.constant() * data.seen.sum(axis=(1, 2))
    return Latents(along, {"log_evidence": -rec - kl.sum(axis=1) - constant, "loss": loss, "rec": rec, "kl": kl})


def _shaped(model: Any, told: Array) -> Array:
    """Symbols have one channel."""
    return told[..., 0, :] if model.is_symbolic else told
