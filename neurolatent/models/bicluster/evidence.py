"""Evidence of some neurons' counts, by which the warm-up tells one arrangement of clusters from another. Ours."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from neurolatent.models.bicluster import laplace
from neurolatent.models.bicluster.dynamics import chain_of, dynamics_of
from neurolatent.models.bicluster.likelihood import Gaussian, curvature, kernel, log_rate
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, occupancy
from neurolatent.models.bicluster.trajectories import information
from neurolatent.ops.kalman_draw import Drawn, draw_states

STEPS = 10  # of Newton's method; ours
SETTLED = 0.1  # of a log rate in its last step; ours


def log_evidence(
    model: Any, params: BiclusterParams, data: BiclusterData, concerned: Bool[Array, " neuron"]
) -> Float[Array, ""]:
    """Log evidence of some neurons' counts given their dispersions, offsets and laws of motion, nats.

    Trajectories are integrated out by Laplace's method at their mode given the loadings, and loadings by their
    Gaussians given the trajectories as they are drawn. NaN where Newton's method has not found the mode.
    """
    clusters, counts, r = params.trajectories.shape[0], data.counts, params.dispersion[:, None]
    occupied, d = occupancy(params.label, clusters) > 0, params.offset[:, None]
    seen = data.seen * concerned[:, None]
    chain = chain_of(dynamics_of(params), params.state)

    def told_at(now: BiclusterParams) -> tuple[Gaussian, Float[Array, "neuron bin"]]:
        eta = log_rate(now)
        slope, bend = curvature("nb", counts, eta, r)
        return Gaussian(bend * seen, (slope + bend * eta) * seen), eta

    def smoothed(told: Gaussian) -> Drawn:
        about = information(params, told, jnp.arange(clusters))
        return draw_states(jnp.zeros_like(about.shift), chain, about)  # without noise: the means

    def moved(now: BiclusterParams, drawn: Drawn) -> BiclusterParams:
        paths = jnp.swapaxes(drawn.states, 0, 1)
        return now._replace(trajectories=jnp.where(occupied[:, None, None], paths, 0.0))

    step = lambda _, now: moved(now, smoothed(told_at(now)[0]))  # noqa: E731
    mode = jax.lax.fori_loop(0, STEPS, step, params)
    told, eta = told_at(mode)
    drawn = smoothed(told)
    apart = kernel("nb", counts, eta, r) * seen - (told.pull * eta - 0.5 * told.weight * eta**2)
    total = jnp.where(occupied, drawn.log_normaliser, 0.0).sum()
    total = total + (apart + told.pull * d - 0.5 * told.weight * d**2).sum()
    left = (jnp.abs(log_rate(moved(mode, drawn)) - eta) * seen).max()
    proposals = laplace.propose_all("nb", data, params, params.trajectories, occupied)
    own, c = laplace.at_neurons(proposals, params.label), params.loadings
    each = -0.5 * (c**2).sum(axis=1) - laplace.log_density(own, c, data.counts.shape[1])
    each = each - 0.5 * (params.offset / model.offset_sd) ** 2
    return jnp.where(left < SETTLED, total + jnp.where(concerned, each, 0.0).sum(), jnp.nan)


def cost_of_laws(params: BiclusterParams) -> Float[Array, ""]:
    """What the laws of one cluster in one state cost, nats: coefficients, shift and innovation (Schwarz, 1978)."""
    _, bins, size = params.trajectories.shape
    numbers = size * (size + 1) + size * (size + 1) / 2
    return 0.5 * numbers * jnp.log(jnp.asarray(float(bins), params.offset.dtype))
