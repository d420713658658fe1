"""Recordings drawn from the model, with their truth."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from neurolatent.models.gpvae.families import STANDARDISED
from neurolatent.models.gpvae.params import GPVAEParams
from neurolatent.ops.gaussian_process import kernel_factor
from neurolatent.ops.mlp import apply_network
from neurolatent.ops.padding import padded_length
from neurolatent.recording import Recording


def simulated(
    model: Any, params: GPVAEParams, key: PRNGKeyArray, lengths: Sequence[int], *, bin_width: float | int = 1.0
) -> Recording:
    """Sequences of the given lengths: spikes, behaviour and the true ``latents``.

    Args:
        bin_width: Seconds per bin; 1 gives a clock in bins, so that rates are per bin.
    """
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    root = _prior_root(model, params, padded_length(max(lengths)))
    parts: dict[str, list[np.ndarray]] = {}
    for length in lengths:
        z = np.einsum("ptf,pf->tp", root[:, :length], rng.normal(size=(len(root), root.shape[2])))
        for name, values in {**_seen(model, params, z, rng, float(bin_width)), "latents": z}.items():
            parts.setdefault(name, []).append(values)
    families = ((model.signal, model.neural_family), (model.behaviour, model.behaviour_family))
    kinds = {name: family.kinds[0] for name, family in families if name in parts}
    unit = "bin" if bin_width == 1 else "s"
    return Recording.of(parts, kinds=kinds, bin_width=bin_width, clock_unit=unit, name="simulated")


def _prior_root(model: Any, params: GPVAEParams, time: int) -> Float[np.ndarray, "latent time F"]:
    """A root of the prior covariance of each latent over time."""
    if model.domain == "independent":
        return np.broadcast_to(np.eye(time), (model.n_latents, time, time))
    if model.domain == "time":
        return np.asarray(kernel_factor(time, jax.numpy.asarray(params.lengthscale), model.alpha))
    basis = model.basis(time)
    c = np.asarray(basis.prior_var(params.lengthscale, 1.0, model.alpha))
    return basis.B.T * np.sqrt(c)[:, None]


def _seen(
    model: Any, params: GPVAEParams, z: np.ndarray, rng: np.random.Generator, width: float
) -> dict[str, np.ndarray]:
    out, scaling = {}, params.scaling
    if model.has_neural:
        eta = z[:, : model.n_neural + model.n_shared] @ params.loadings + params.offset
        noisy = model.neural_family.draw(rng, eta + np.log(width) if model.is_count else eta, params.noise)
        is_scaled = model.neural_likelihood in STANDARDISED
        out[model.signal] = noisy * scaling.neural_scale + scaling.neural_centre if is_scaled else noisy
    if model.has_behaviour:
        mean = np.asarray(apply_network(params.decoder, jax.numpy.asarray(z[:, model.n_neural :])))
        noisy = model.behaviour_family.draw(rng, mean, params.output_noise)
        if model.behaviour_likelihood in STANDARDISED:
            noisy = noisy * scaling.output_scale + scaling.output_centre
        is_column = model.behaviour_likelihood == "categorical"
        out[model.behaviour] = noisy.argmax(axis=1) if is_column else noisy
    return out
