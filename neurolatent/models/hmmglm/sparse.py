r"""Sparse priors of couplings for samplers: a mean coupling that is nearly zero or not, and states around it.

.. math:: W_s \sim Normal(W_0, \sigma^2), \quad \sigma \sim HalfNormal(0.3), \quad W_0 \sim horseshoe or spike-and-slab.

They have no mode that EM could climb to, so EM finds the start under a hierarchical normal prior, and NUTS or SVI take
it from there.

They are hard to sample. Three neurons, two states and 900 bins, two chains: under the spike and slab 120 draws after
120 steps of warm-up took 61 s of processor time, without divergences, with R-hat 1.06 of the weights and 1.10 of the
spread: they need several times as many draws. Under the horseshoe 150 after 150 took 119 s, 250 leapfrog steps a
draw, ten divergences, R-hat 1.24 of the weights and 1.52 of their means. A Gaussian guide (SVI) does better on the same
data, in 53 and 58 s: couplings that are not there shrink from 0.28 (root mean square) under a ridge to 0.14 and 0.20,
with a Pareto k of the importance ratios of 0.64 and 0.70, the edge of what is good. Believe draws only where ``check``
does.

References: Piironen and Vehtari (2017), Electronic Journal of Statistics 11(2):5018-5051, eqs. 2.8, 3.12 (regularised
horseshoe); Mitchell and Beauchamp (1988), JASA 83(404):1023-1032 (spike and slab).
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, Float

from neurolatent.checks import positive
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.priors import Free, Hierarchical, free_site

SPREAD = 0.3  # scale of the half-normal prior of sigma; spec of the method, section 10
START = Hierarchical(sd=0.3)  # for EM, which finds where a sampler starts


@dataclass(frozen=True)
class Horseshoe:
    """Regularised horseshoe on the mean couplings."""

    n_relevant: float | int = 10.0  # guess of how many mean couplings are not nearly zero
    slab: float | int = 1.0  # largest plausible size of one

    def __post_init__(self) -> None:
        positive("prior: n_relevant", self.n_relevant)
        positive("prior: slab", self.slab)

    def begin(self, weights: np.ndarray, free: Free) -> dict[str, np.ndarray]:
        """As the prior of the start."""
        return START.begin(weights, free)

    def sample(self, n_states: int, free: Free, data: HMMGLMData) -> dict[str, Array]:
        """Sites of the local and global scales, the slab, the means, the spread and the couplings."""
        count = int(free.sum())
        events = jnp.maximum(jnp.sum(jnp.asarray(data.y)) / data.y.shape[-1], 1.0)
        relevant = min(self.n_relevant, 0.5 * count)
        scale = relevant / (count - relevant) / jnp.sqrt(events)
        local = jnp.asarray(numpyro.sample("local", dist.HalfCauchy(1.0).expand([count]).to_event(1)))
        overall = jnp.asarray(numpyro.sample("overall", dist.HalfCauchy(scale)))
        slab = jnp.asarray(numpyro.sample("slab", dist.InverseGamma(2.0, 2.0 * self.slab**2)))
        width = overall * local * jnp.sqrt(slab / (slab + overall**2 * local**2))
        normal = jnp.asarray(numpyro.sample("centre_free", dist.Normal(0.0, 1.0).expand([count]).to_event(1)))
        return _around(n_states, free, width * normal)

    def sites_at(self, params: HMMGLMParams, free: Free) -> dict[str, Array]:
        """Values of the sites near these parameters: wide local scales where a mean coupling is large."""
        centre = jnp.asarray(params.centre)[free]
        overall = jnp.asarray(0.1)
        local = jnp.maximum(jnp.abs(centre) / overall, 0.1)
        slab = jnp.asarray(float(self.slab) ** 2)
        width = overall * local * jnp.sqrt(slab / (slab + overall**2 * local**2))
        sites = {"local": local, "overall": overall, "slab": slab, "centre_free": centre / width}
        return sites | _around_at(params, free)


@dataclass(frozen=True)
class SpikeSlab:
    """Mean couplings are inhibitory, nearly zero or excitatory; the type is summed out.

    The probabilities of the types of every pair are Dirichlet(``sparse``); with one coupling to a pair only their mean
    matters, so they are summed out too, and ``connectome`` holds the probabilities given the coupling.
    """

    sparse: tuple[float, float, float] = (0.2, 1.6, 0.2)  # the authors' synthetic set
    log_strength: float = float(np.log(0.7))
    log_strength_sd: float = 0.7
    spike_sd: float = 0.05

    def __post_init__(self) -> None:
        positive("prior: log_strength_sd", self.log_strength_sd)
        positive("prior: spike_sd", self.spike_sd)
        object.__setattr__(self, "sparse", tuple(float(a) for a in self.sparse))
        for count in self.sparse:
            positive("prior: sparse", count)

    def begin(self, weights: np.ndarray, free: Free) -> dict[str, np.ndarray]:
        """As the prior of the start; no type is known."""
        return {**START.begin(weights, free), "connectome": np.full((*free.shape, 3), 1 / 3)}

    def log_parts(self, centre: Float[Array, "*couplings"]) -> Float[Array, "*couplings types"]:
        """Log joint density of the mean coupling and each type."""
        share = np.asarray(self.sparse) / sum(self.sparse)
        log_normal = dist.LogNormal(self.log_strength, self.log_strength_sd)
        size = jnp.maximum(jnp.abs(centre), 1e-12)
        slab = jnp.asarray(log_normal.log_prob(size))
        spike = jnp.asarray(dist.Normal(0.0, self.spike_sd).log_prob(centre))
        low = jnp.full_like(centre, -1e9)
        parts = [jnp.where(centre < 0, slab, low), spike, jnp.where(centre > 0, slab, low)]
        return jnp.stack(parts, axis=-1) + jnp.log(share)

    def sample(self, n_states: int, free: Free, data: HMMGLMData) -> dict[str, Array]:
        """Sites of the means, with the mixture as their density, the spread and the couplings."""
        flat = dist.ImproperUniform(dist.constraints.real, (), (int(free.sum()),))
        centre = jnp.asarray(numpyro.sample("centre_free", flat))
        parts = self.log_parts(centre)
        numpyro.factor("mixture", jax.nn.logsumexp(parts, axis=-1).sum())
        share = jax.nn.softmax(parts, axis=-1)
        connectome = jnp.zeros((*free.shape, 3), share.dtype).at[..., 1].set(1.0).at[free].set(share)
        return {**_around(n_states, free, centre), "connectome": connectome}

    def sites_at(self, params: HMMGLMParams, free: Free) -> dict[str, Array]:
        """Values of the sites at these parameters."""
        return {"centre_free": jnp.asarray(params.centre)[free]} | _around_at(params, free)


def newton_prior(model: Any) -> Any:
    """The normal prior of the weights in a Fisher-scoring step."""
    return START if isinstance(model.prior, (Horseshoe, SpikeSlab)) else model.prior


def _around(n_states: int, free: Free, centre: Array) -> dict[str, Array]:
    """The couplings of every state around their mean, in units of the spread.

    As sites of their own (centred) their density would grow without bound as the spread goes to zero.
    """
    spread = jnp.asarray(numpyro.sample("spread_free", dist.HalfNormal(SPREAD)))
    count = len(centre)
    steps = free_site("weights", n_states, free, jnp.zeros(count), jnp.ones(()))
    weights = jnp.zeros_like(steps).at[:, free].set(centre + spread * steps[:, free])
    whole = jnp.zeros(free.shape, centre.dtype).at[free].set(centre)
    return {"weights": weights, "centre": whole, "spread": spread}


def _around_at(params: HMMGLMParams, free: Free) -> dict[str, Array]:
    steps = (jnp.asarray(params.weights) - params.centre)[:, free] / params.spread
    return {"weights_free": steps, "spread_free": jnp.asarray(params.spread)}
