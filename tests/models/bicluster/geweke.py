"""The joint-distribution test: draws from the prior against a chain that alternates sweeps and fresh counts.

Every chain starts from the prior, so that all of its draws have the law of the prior if every update is right. The
mean of each statistic over chains and sweeps is compared with its mean over independent draws; chains are
independent, so the standard error is that of their means.

Reference: Geweke (2004), JASA 99(467):799-804.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurolatent.compiling import compiled
from neurolatent.models.bicluster.concentrations import NAMES
from neurolatent.models.bicluster.likelihood import log_rate
from neurolatent.models.bicluster.params import BiclusterParams, data_of, occupancy
from neurolatent.models.bicluster.simulate import draw_counts, prior_draw

NEURONS, BINS = 4, 8


def statistics(params: BiclusterParams, counts: Any) -> dict[str, Any]:
    """Quantities that do not depend on how clusters and states are numbered."""
    clusters = params.trajectories.shape[0]
    sizes = occupancy(params.label, clusters)
    own = params.trajectories[params.label]
    eta, logs = log_rate(params), jnp.log1p(counts)
    at = params.state[1:]
    noise = jnp.trace(params.innovation[at][:, params.label], axis1=-2, axis2=-1)
    radius = jnp.abs(params.transition[at][:, params.label]).sum(axis=(-2, -1))
    switches = (params.state[2:] != params.state[1:-1]).sum()
    r = params.dispersion
    return {
        "clusters": (sizes > 0).sum(),
        "pairs": (sizes**2).sum(),
        "switches": switches,
        "switches^2": switches**2,
        "states": (params.state[1:, None] == jnp.arange(len(params.weights))).any(axis=0).sum(),
        "offset": params.offset.mean(),
        "offset^2": (params.offset**2).mean(),
        "loadings^2": (params.loadings**2).mean(),
        "r": r.mean(),
        "r^2": (r**2).mean(),
        "log r": jnp.log(r).mean(),
        "mean^2": (own[..., 0] ** 2).mean(),
        "factor^2": (own[..., 1:] ** 2).mean(),
        "first^2": (own[:, 0] ** 2).mean(),
        "step^2": ((own[:, 1:] - own[:, :-1]) ** 2).mean(),
        "drift": (own[:, -1] * own[:, 0]).mean(),
        "log noise": jnp.log(noise).mean(),
        "size of A": radius.mean(),
        "shift^2": (params.shift[at][:, params.label] ** 2).mean(),
        "eta": eta.mean(),
        "|eta|": jnp.abs(eta).mean(),
        "log counts": logs.mean(),
        "log counts^2": (logs**2).mean(),
        "counts eta": (logs * eta).mean(),
        "weights^2": (params.weights**2).sum(),
        "stay": (params.jumps[at, at]).mean(),
        **{f"log {n}": jnp.log(c) for n, c in zip(NAMES, params.concentrations, strict=True)},
    }


def refuse_biased(model: Any) -> None:
    """Refuse a sampler that does not leave the posterior as it is: the test would only find out what is known."""
    if not model.is_exact:
        chosen = f"birth={model.birth!r}, coupling={model.coupling!r}"
        raise ValueError(f"{chosen} does not leave the posterior as it is. Test birth='prior', coupling='block'.")


@compiled(static=(0, 1, 3))
def from_prior(model: Any, neurons: int, key: Any, draws: int) -> dict[str, Any]:
    """Statistics of independent draws."""
    refuse_biased(model)

    def one(key: Any) -> dict[str, Any]:
        key_prior, key_counts = jax.random.split(key)
        params = prior_draw(model, key_prior, neurons, BINS)
        return statistics(params, draw_counts(model, params, key_counts))

    return jax.lax.map(one, jax.random.split(key, draws))


def _from_chains(model: Any, sweep: Any, key: Any, chains: int, sweeps: int, neurons: int = NEURONS) -> dict[str, Any]:
    """Statistics of each chain, averaged over its sweeps."""
    refuse_biased(model)

    def chain(key: Any) -> dict[str, Any]:
        key_prior, key_counts, key_run = jax.random.split(key, 3)
        params = prior_draw(model, key_prior, neurons, BINS)
        counts = draw_counts(model, params, key_counts)

        def step(number: Any, carry: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
            params, counts, total = carry
            key_sweep, key_counts = jax.random.split(jax.random.fold_in(key_run, number))
            data = data_of(counts, jnp.ones_like(counts))
            params, _ = sweep(model, params, data, key_sweep)
            counts = draw_counts(model, params, key_counts)
            return params, counts, jax.tree.map(lambda a, b: a + b, total, statistics(params, counts))

        zero = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), jax.eval_shape(statistics, params, counts))
        total = jax.lax.fori_loop(0, sweeps, step, (params, counts, zero))[2]
        return jax.tree.map(lambda leaf: leaf / sweeps, total)

    return jax.lax.map(chain, jax.random.split(key, chains))


from_chains = compiled(static=(0, 1, 3, 4, 5))(_from_chains)
from_few_chains = compiled(static=(0, 1, 3, 4, 5), runs_once=True)(_from_chains)  # compiles in half the time


def scores(prior: dict[str, Any], chains: dict[str, Any]) -> dict[str, float]:
    """Difference of the means in standard errors; not of what is held at one value."""
    out = {}
    for name in prior:
        first, second = np.asarray(prior[name], float), np.asarray(chains[name], float)
        if np.ptp(first) == 0 and np.ptp(second) < 1e-9:
            assert np.isclose(first[0], second[0]), name
            continue
        error = np.sqrt(first.var() / first.size + second.var() / second.size)
        out[name] = float((second.mean() - first.mean()) / error)
    return out
