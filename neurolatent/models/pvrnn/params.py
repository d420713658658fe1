"""What the PV-RNN learns: weights of each layer, and the adaptive arrays of each training sequence."""

import functools
from collections import namedtuple
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

if TYPE_CHECKING:
    Floats = Any  # NumPy on the host, JAX inside programs: both are meant
else:
    Floats = Array | np.ndarray


class LayerWeights(NamedTuple):
    """Weights of one layer; a connection that it does not have has no rows. Columns of heads: mean, then log sd."""

    recurrent: Float[Floats, "units units"]  # W_dd, [from, to]
    latent: Float[Floats, "latent units"]  # W_zd
    above: Float[Floats, "units_above units"]  # W_td
    below: Float[Floats, "units_below units"]  # W_bu
    bias: Float[Floats, " units"]  # b_h
    prior: Float[Floats, "units heads"]  # W_mu and W_s
    prior_bias: Float[Floats, " heads"]
    posterior: Float[Floats, "from_units heads"]  # V_mu and V_s; no rows where the posterior is free
    posterior_bias: Float[Floats, " heads"]  # c; stays 0 where the posterior is free


class Tempering(NamedTuple):
    """The meta-prior w of each layer; chosen, not learned, and kept here so that sweeps share one program."""

    w: Float[Floats, " layers"]  # from the second step on
    w_first: Float[Floats, " layers"]  # of the first step


class PVRNNParams(NamedTuple):
    """All that is learned, and the weights of the divergence under which it was."""

    layers: Any  # LayerWeights by layer, lowest first
    output: Float[Floats, "units outputs"]  # W_o
    output_bias: Float[Floats, " outputs"]
    adaptive: Any  # by layer: A of every training sequence (sequences, time, heads)
    tempering: Tempering


@functools.cache
def by_layer(count: int) -> Any:
    """The named tuple of so many layers: ``layer_1`` (next to the output), ``layer_2``, ..."""
    return namedtuple(f"Layers{count}", [f"layer_{n}" for n in range(1, count + 1)])  # noqa: PYI024 - fields vary


def without_gradient(params: PVRNNParams) -> PVRNNParams:
    """The same parameters, in which no gradient moves the chosen weights of the divergence."""
    return params._replace(tempering=Tempering(*map(jax.lax.stop_gradient, map(jnp.asarray, params.tempering))))
