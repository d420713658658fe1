r"""The model as a NumPyro program: the noise is its only random site, so that the divergence stays in closed form.

.. math:: \epsilon^l \sim N(0, I), \qquad \log \text{factor} = -rec / R_X - \sum_{l,t} w_{l,t} KL^l_t / R_l

Guide and model draw the same noise, which cancels: minus the ELBO of NumPyro is J, summed over the sequences, under
``Trace_ELBO`` and ``TraceMeanField_ELBO`` alike. With subsampling both are given the same rows.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array

from neurolatent.models.pvrnn.loss import objective, terms_of
from neurolatent.models.pvrnn.params import PVRNNParams


def program(model: Any, start: PVRNNParams, data: Any, rows: Array | None = None) -> None:
    """Parameters, noise and the objective as a factor.

    Args:
        start: Values of the parameters at their first use.
        rows: Sequences of the minibatch, which are scaled up to all; all where None.
    """
    shared, own = model.parted(start)
    shared = numpyro.param("shared", shared)
    own = numpyro.param("adaptive", own)
    if model.weight_sd is not None:
        numpyro.factor("weights", model.free_log_prior(model.joined(shared, own), data))
    rows, count = _rows(data, rows)
    with numpyro.plate("sequence", count, subsample_size=len(rows)):
        noise = _noise(model, data.valid.shape[1])
        batch = jax.tree.map(lambda leaf: jnp.asarray(leaf)[rows], data)
        params = model.joined(shared, jax.tree.map(lambda leaf: leaf[rows], own))
        terms, *_ = terms_of(model, params, batch, noise)
        numpyro.factor("objective", -objective(model, terms, data.target.shape[2]))


def guide(model: Any, start: PVRNNParams, data: Any, rows: Array | None = None) -> None:
    """The same noise."""
    rows, count = _rows(data, rows)
    with numpyro.plate("sequence", count, subsample_size=len(rows)):
        _noise(model, data.valid.shape[1])


def _rows(data: Any, rows: Array | None) -> tuple[Array, int]:
    count = len(data.valid)
    return jnp.arange(count) if rows is None else rows, count


def _noise(model: Any, time: int) -> tuple[Array, ...]:
    """Draws by layer (time, sequences, latent)."""
    sites = []
    for n, layer in enumerate(model.layers, 1):
        drawn = numpyro.sample(f"noise_{n}", dist.Normal(0.0, 1.0).expand([time, layer.latent]).to_event(2))
        sites.append(jnp.swapaxes(jnp.asarray(drawn), 0, 1))
    return tuple(sites)
