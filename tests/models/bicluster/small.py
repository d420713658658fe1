"""A small case, and many draws of one update from it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurolatent.choices import Gibbs
from neurolatent.compiling import compiled
from neurolatent.models.bicluster import BiClustering
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, data_of
from neurolatent.models.bicluster.synthetic import bicluster_case
from neurolatent.recording import Recording

SHORT = Gibbs(chains=2, warmup=20, draws=20, keep=10)
NEURONS, BINS, CLUSTERS, STATES = 4, 7, 3, 2


def model_of(**choices: Any) -> BiClustering:
    return BiClustering(**{"n_factors": 1, "max_states": STATES, "max_clusters": CLUSTERS, **choices})


def population_model(**choices: Any) -> BiClustering:
    """For :func:`population`. Whoever fits takes this and ``SHORT``: a sweep compiles for a minute, once for all."""
    return BiClustering(**{"n_factors": 1, "max_states": 3, "max_clusters": 4, **choices})


def population(family: str = "nb") -> Recording:
    return bicluster_case(1, per_cluster=3, bins=40, factors=1, family=family)


def case(seed: int, *, factors: int = 1) -> tuple[BiclusterParams, BiclusterData]:
    """Random values of everything (NumPy), two of three clusters in use, with a missing count."""
    rng, size = np.random.default_rng(seed), factors + 1
    root = rng.normal(size=(STATES, CLUSTERS, size, size))
    params = BiclusterParams(
        np.array([0, 0, 1, 0], np.int32),
        np.array([0, 0, 0, 1, 1, 0, 1], np.int32),
        rng.normal(size=NEURONS),
        rng.normal(size=(NEURONS, factors)),
        rng.gamma(3.0, size=NEURONS),
        0.7 * rng.normal(size=(CLUSTERS, BINS, size)) * np.array([1, 1, 0])[:, None, None],
        0.6 * np.eye(size) + 0.2 * rng.normal(size=(STATES, CLUSTERS, size, size)),
        0.2 * rng.normal(size=(STATES, CLUSTERS, size)),
        0.1 * root @ np.swapaxes(root, -1, -2) + 0.1 * np.eye(size),
        np.array([0.3, 0.7]),
        np.array([[0.8, 0.2], [0.3, 0.7]]),
        np.array([5.0, 5.0, 10.0]),
    )
    seen = np.ones((NEURONS, BINS))
    seen[1, 2] = 0.0
    counts = rng.poisson(2.0, (NEURONS, BINS)) * seen
    return params, jax.device_get(data_of(counts, seen, steps=int(counts.max())))


@compiled(static=(0, 3))
def draws(update: Callable[..., Any], key: Any, inputs: Any, count: int) -> Any:
    """Independent draws of an update: ``update(inputs, key)`` under many keys."""
    return jax.vmap(lambda k: update(inputs, k))(jax.random.split(key, count))


@compiled(static=(0, 1, 4))
def chain(update: Callable[..., Any], tell: Callable[..., Any], key: Any, inputs: Any, count: int) -> Any:
    """What ``tell`` says of each link of a chain of an update: ``update(inputs, key) -> inputs``."""

    def step(inputs: Any, number: Any) -> tuple[Any, Any]:
        inputs = update(inputs, jax.random.fold_in(key, number))
        return inputs, tell(inputs)

    return jax.lax.scan(step, inputs, jnp.arange(count))[1]
