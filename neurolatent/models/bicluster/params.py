"""What the sampler draws, what it reads, and what it tells of its moves."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Floats = Any  # arrays of JAX while it runs, of NumPy outside


class BiclusterParams(NamedTuple):
    """One draw. What belongs to a cluster without neurons is without meaning, and so are labels as numbers.

    Where clusters are coupled, transition and innovation have the axes (state_number, cluster, coordinate,
    cluster_from, coordinate_from).
    """

    label: Int[Floats, "*draws neuron"]  # z: cluster of each neuron
    state: Int[Floats, "*draws bin"]  # xi: state that leads into each bin; of the first that of the second
    offset: Float[Floats, "*draws neuron"]  # d
    loadings: Float[Floats, "*draws neuron factor"]  # C
    dispersion: Float[Floats, "*draws neuron"]  # r; not used by the Poisson family
    trajectories: Float[Floats, "*draws cluster bin coordinate"]  # X: the mean mu, then the factors
    transition: Float[Floats, "*draws state_number cluster coordinate coordinate_from"]  # A
    shift: Float[Floats, "*draws state_number cluster coordinate"]  # b
    innovation: Float[Floats, "*draws state_number cluster coordinate coordinate_from"]  # Q
    weights: Float[Floats, "*draws state_number"]  # beta
    jumps: Float[Floats, "*draws state_number state_to"]  # Pi
    concentrations: Float[Floats, "*draws concentration"]  # alpha, gamma, kappa


class BiclusterData(NamedTuple):
    """Counts of one sequence, and what is computed of them once."""

    counts: Float[Floats, "neuron bin"]  # 0 where nothing was observed
    seen: Float[Floats, "neuron bin"]  # 1 where it was
    above: Float[Floats, "neuron count"]  # bins with more than 0, 1, ... events; no columns where counts are large
    level: Float[Floats, "neuron bin"]  # centred log of the smoothed counts
    worth: Float[Floats, "neuron bin"]  # precision that this has in the proposal of a new cluster


WIDTH = 3  # bins, standard deviation of the smoother
MOST_STEPS = 200  # a larger count makes the table of steps longer than it saves; ours


def data_of(counts: Float[Floats, "neuron bin"], seen: Float[Floats, "neuron bin"], *, steps: int = 0) -> BiclusterData:
    """The data of counts, 0 where they were not seen.

    Args:
        steps: Columns of the table of steps: the largest count; 0 goes without.
    """
    counts, seen = jnp.asarray(counts), jnp.asarray(seen)
    kernel = jnp.exp(-0.5 * (jnp.arange(-4 * WIDTH, 4 * WIDTH + 1) / WIDTH) ** 2)
    kernel = kernel.astype(counts.dtype)
    smoothed = jax.vmap(lambda row: jnp.convolve(row, kernel, mode="full"))
    half = kernel.shape[0] // 2
    within = slice(half, half + counts.shape[1])
    smooth = smoothed(counts)[:, within] / jnp.maximum(smoothed(seen)[:, within], 1e-9)
    level = jnp.log(smooth + 0.5)
    above = (counts[..., None] > jnp.arange(steps)).sum(axis=1).astype(counts.dtype)
    return BiclusterData(counts, seen, above, level - level.mean(axis=1, keepdims=True), 1 + smooth)


class Moves(NamedTuple):
    """What became of the proposals of one sweep: shares of those that were accepted."""

    labels: Float[Array, ""]  # of label and loadings together
    births: Float[Array, ""]  # accepted births and deaths, their number
    trajectories: Float[Array, ""]  # 1 for counts with a dispersion, which are drawn exactly
    neurons: Float[Array, ""]
    stuck: Float[Array, ""]  # dynamics that found no stable draw and stayed, their number


def occupancy(label: Int[Array, " neuron"], clusters: int) -> Int[Array, " cluster"]:
    """Number of neurons in each cluster."""
    return (label[:, None] == np.arange(clusters)).sum(axis=0)


def design(loadings: Float[Array, "neuron factor"]) -> Float[Array, "neuron coordinate"]:
    """The loadings with that of the mean, 1, before them: h."""
    return jnp.concatenate([jnp.ones_like(loadings[:, :1]), loadings], axis=1)
