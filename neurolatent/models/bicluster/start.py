"""Where chains start: neurons grouped by how their smoothed counts go together, states by how these move.

Each chain starts from other numbers of groups, so that chains that agree have not merely stayed where they began. Ours.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from neurolatent.models.bicluster.params import BiclusterParams

GROUPS = (6, 4, 10, 8)  # of neurons, in the order of the chains: many, since warm-up merges and does not split
STATES = (6, 4, 8, 10)  # of bins
SMOOTH = 4.0  # bins, standard deviation
WINDOW = 10  # bins over which states are told
DISPERSION = 5.0


def start_of(model: Any, data: Any, rng: np.random.Generator, chain: int) -> BiclusterParams:
    """A starting point for one chain."""
    counts, seen = np.asarray(data.counts), np.asarray(data.seen)
    neurons, bins = counts.shape
    clusters, states, factors = model.n_slots(neurons), model.max_states, model.n_factors
    mean = (counts * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    smooth = smoothed(counts, seen)
    label = group_neurons(smooth, min(GROUPS[chain % len(GROUPS)], clusters), rng)
    paths = np.zeros((clusters, bins, factors + 1))
    for j in np.unique(label):
        own = smooth[label == j]
        paths[j, :, 0] = own.mean(axis=0)
        paths[j, :, 1:] = 0.1 * rng.normal(size=(bins, factors))
        left, sizes, right = np.linalg.svd(own - own.mean(axis=0), full_matrices=False)
        known = min(factors, len(sizes))
        scale = np.sqrt(np.maximum(sizes[:known] ** 2 / bins, 1e-6))
        paths[j, :, 1 : known + 1] = np.sqrt(bins) * right[:known].T * np.minimum(scale, 1.0)
    state = group_bins(paths[np.unique(label)], min(STATES[chain % len(STATES)], states), rng)
    size, shape = factors + 1, (states, clusters)
    moves = np.full((states, states), model.alpha / states)
    np.add.at(moves, (state[1:-1], state[2:]), 1.0)
    return BiclusterParams(
        label.astype(np.int32),
        state.astype(np.int32),
        np.log(mean + 0.1),
        0.1 * rng.normal(size=(neurons, factors)),
        np.full(neurons, DISPERSION),
        paths,
        np.broadcast_to(0.95 * np.eye(size), (*shape, size, size)).copy(),
        np.zeros((*shape, size)),
        np.broadcast_to(0.02 * np.eye(size), (*shape, size, size)).copy(),
        np.full(states, 1 / states),
        moves / moves.sum(axis=1, keepdims=True),
    )


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

    if groups == 1 or groups >= len(smooth):
        return np.zeros(len(smooth), int)
    unit = smooth / np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-9)
    apart = np.abs(unit @ unit.T) + 1e-6
    made: Any = SpectralClustering(groups, affinity="precomputed", random_state=int(rng.integers(2**31)))
    return made.fit_predict(apart)


def group_bins(
    paths: Float[np.ndarray, "cluster bin coordinate"], groups: int, rng: np.random.Generator
) -> Int[np.ndarray, " bin"]:
    """Bins by k-means of the size of trajectories and of their steps in windows."""
    from scipy.ndimage import uniform_filter1d  # as above
    from sklearn.cluster import KMeans

    step = np.diff(paths, axis=1, prepend=paths[:, :1])
    features = np.concatenate([np.log(uniform_filter1d(part**2, WINDOW, axis=1) + 1e-4) for part in (paths, step)])
    table = features.transpose(1, 0, 2).reshape(paths.shape[1], -1)
    table = (table - table.mean(axis=0)) / np.maximum(table.std(axis=0), 1e-9)
    made: Any = KMeans(min(groups, len(table)), random_state=int(rng.integers(2**31)))
    found = made.fit_predict(table)
    return np.r_[found[1], found[1:]]
