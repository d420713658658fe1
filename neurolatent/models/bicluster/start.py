"""Where chains start: neurons grouped by how their smoothed counts go together, states by how these move.

Each chain starts from other numbers of groups, so that chains that agree have not merely stayed where they began. Ours.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from neurolatent.models.bicluster import concentrations
from neurolatent.models.bicluster.params import BiclusterParams
from neurolatent.ops import hmm

GROUPS = (10, 8, 12, 9)  # of neurons, in the order of the chains: many: warm-up merges them soon
STATES = (2, 3, 4, 6)  # of bins
SMOOTH = 4.0  # bins, standard deviation
WINDOW = 8  # bins over which states are told
OWN = 0.3  # weight of a bin in telling states: windows overlap
STAY, ROUNDS = 0.98, 20
DISPERSION, LOADING = 5.0, 0.5


def start_of(model: Any, data: Any, rng: np.random.Generator, chain: int) -> BiclusterParams:
    """A starting point for one chain."""
    counts, seen = np.asarray(data.counts), np.asarray(data.seen)
    neurons, bins = counts.shape
    clusters, states, size = model.n_slots(neurons), model.max_states, model.n_factors + 1
    mean = (counts * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    smooth = smoothed(counts, seen)
    label = group_neurons(smooth, min(GROUPS[chain % len(GROUPS)], clusters), rng)
    paths, loadings = np.zeros((clusters, bins, size)), 0.1 * rng.normal(size=(neurons, size - 1))
    for j in np.unique(label):
        paths[j], loadings[label == j] = _path(smooth[label == j], rng, size)
    state = group_bins(paths[np.unique(label)], min(STATES[chain % len(STATES)], states), rng)
    moves = np.full((states, states), model.alpha / states)
    np.add.at(moves, (state[1:-1], state[2:]), 1.0)
    shape = (states, clusters)
    return BiclusterParams(
        label.astype(np.int32),
        state.astype(np.int32),
        np.log(mean + 0.1),
        loadings,
        np.full(neurons, DISPERSION),
        paths,
        np.broadcast_to(0.95 * np.eye(size), (*shape, size, size)).copy(),
        np.zeros((*shape, size)),
        np.broadcast_to(0.02 * np.eye(size), (*shape, size, size)).copy(),
        np.full(states, 1 / states),
        moves / moves.sum(axis=1, keepdims=True),
        concentrations.of_model(model),
    )


def _path(
    own: Float[np.ndarray, "own bin"], rng: np.random.Generator, size: int
) -> tuple[Float[np.ndarray, "bin coordinate"], Float[np.ndarray, "own factor"]]:
    """The mean of some neurons' smoothed log counts and its leading factors, and their loadings."""
    path, loadings = rng.normal(size=(own.shape[1], size)), np.zeros((len(own), size - 1))
    path *= 0.1
    path[:, 0] = own.mean(axis=0)
    left, sizes, right = np.linalg.svd(own - path[:, 0], full_matrices=False)
    known = min(size - 1, len(own) - 1)
    scale = LOADING * np.sqrt(len(own))
    loadings[:, :known] = scale * left[:, :known]
    path[:, 1 : known + 1] = right[:known].T * sizes[:known] / scale
    return path, loadings


def smoothed(
    counts: Float[np.ndarray, "neuron bin"], seen: Float[np.ndarray, "neuron bin"]
) -> Float[np.ndarray, "neuron bin"]:
    """Centred log counts, smoothed over what was observed."""
    from scipy.ndimage import gaussian_filter1d  # slow to import, and only here needed

    total = gaussian_filter1d(np.log(counts + 0.5) * seen, SMOOTH, axis=1)
    smooth = total / np.maximum(gaussian_filter1d(seen, SMOOTH, axis=1), 1e-6)
    return smooth - smooth.mean(axis=1, keepdims=True)


def group_neurons(
    smooth: Float[np.ndarray, "neuron bin"], groups: int, rng: np.random.Generator
) -> Int[np.ndarray, " neuron"]:
    """Neurons by spectral clustering of their absolute correlations; a silent one goes with nothing in particular."""
    from sklearn.cluster import SpectralClustering  # slow to import, and only here needed

    groups = min(groups, len(smooth) - 1)
    if groups < 2:
        return np.zeros(len(smooth), int)
    unit = smooth / np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-9)
    apart = np.abs(unit @ unit.T) + 1e-6
    made: Any = SpectralClustering(groups, affinity="precomputed", random_state=int(rng.integers(2**31)))
    return made.fit_predict(apart)


def group_bins(
    paths: Float[np.ndarray, "cluster bin coordinate"], groups: int, rng: np.random.Generator
) -> Int[np.ndarray, " bin"]:
    """Bins by how large trajectories and their steps are in windows: k-means, then the best path of lasting states."""
    from scipy.ndimage import uniform_filter1d  # as above
    from sklearn.cluster import KMeans

    step = np.diff(paths, axis=1, prepend=paths[:, :1])
    sizes = [uniform_filter1d((part**2).sum(axis=(0, 2)), WINDOW) for part in (paths, step)]
    table = np.log(np.stack(sizes, axis=1) + 1e-4)
    table = (table - table.mean(axis=0)) / np.maximum(table.std(axis=0), 1e-9)
    made: Any = KMeans(min(groups, len(table)), random_state=int(rng.integers(2**31)))
    found = made.fit_predict(table)
    for _ in range(ROUNDS if groups > 1 else 0):
        before, found = found, _best_path(table, found, groups)
        if (found == before).all():
            break
    return np.r_[found[1], found[1:]]


def _best_path(
    table: Float[np.ndarray, "bin feature"], found: Int[np.ndarray, " bin"], groups: int
) -> Int[np.ndarray, " bin"]:
    """The most probable path under normal laws of the groups as they are."""
    scores = np.full((len(table), groups), -1e6)
    for group in np.unique(found):
        own = table[found == group]
        spread = own.var(axis=0) + 0.05
        scores[:, group] = -0.5 * OWN * ((table - own.mean(axis=0)) ** 2 / spread + np.log(spread)).sum(axis=1)
    stay = np.full((groups, groups), (1 - STAY) / (groups - 1))
    np.fill_diagonal(stay, STAY)
    initial = np.full((1, groups), 1 / groups)
    path = hmm.viterbi(*map(jnp.asarray, (initial, stay, scores[None], np.full(1, len(table), np.int32))))
    return np.asarray(path.states[0])
