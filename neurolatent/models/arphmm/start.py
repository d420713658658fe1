"""Starting responsibilities for EM: from the knowledge, from equal pieces, from k-means, or at random."""

import warnings
from typing import Literal

import numpy as np

from neurolatent.models.arphmm.data import ARPHMMData

Start = Literal["auto", "knowledge", "segments", "kmeans", "random"]
BLOCK = 10  # steps that share one random draw
PSEUDO_ROWS = 10  # rows that the pooled regression counts for in the start of each state


def starting_responsibilities(
    start: Start, data: ARPHMMData, allowed: np.ndarray, *, restart: int, generator: np.random.Generator
) -> np.ndarray:
    """First guess of the state probabilities, (sequences, time, states); zero on padding.

    ``auto`` takes the knowledge where it tells states apart; else equal consecutive pieces for states in order, and
    k-means on targets and regressors otherwise. Its later restarts are random, or k-means from other seeds.
    """
    n_states = data.log_weights.shape[-1]
    is_ordered = not np.tril(allowed, -1).any()
    if start == "auto":
        start = _automatic(data, is_ordered=is_ordered, restart=restart)
    if start == "knowledge":
        guess = np.exp(data.log_weights)
    elif start == "segments":
        guess = _segments(data, n_states)
    elif start == "kmeans":
        guess = _clusters(data, n_states, generator)
    else:
        guess = _random_blocks(data, n_states, generator)
    return _within_knowledge(guess, data)


def _automatic(data: ARPHMMData, *, is_ordered: bool, restart: int) -> Start:
    if restart == 0 and tells_states_apart(data):
        return "knowledge"
    if is_ordered:
        return "segments" if restart == 0 else "random"
    return "kmeans"


def tells_states_apart(data: ARPHMMData) -> bool:
    """Whether every state is preferred to some other by the knowledge of some step."""
    steps = np.arange(data.y.shape[1]) < np.asarray(data.lengths)[:, None]
    weights = np.exp(np.asarray(data.log_weights)[steps])
    return bool((weights > weights.min(axis=1, keepdims=True)).any(axis=0).all())


def _segments(data: ARPHMMData, n_states: int) -> np.ndarray:
    lengths = np.maximum(np.asarray(data.lengths), 1)[:, None]
    piece = np.minimum(np.arange(data.y.shape[1]) * n_states // lengths, n_states - 1)
    return np.eye(n_states)[piece]


def _clusters(data: ARPHMMData, n_states: int, generator: np.random.Generator) -> np.ndarray:
    from scipy.cluster.vq import kmeans2  # slow to import, and not needed by every fit

    usable = np.asarray(data.usable)
    rows = np.concatenate([data.y, np.asarray(data.z)[..., :-1]], axis=-1)[usable]
    spread = rows.std(axis=0)
    rows = rows[:, spread > 0] / spread[spread > 0]
    with warnings.catch_warnings():  # a cluster may stay empty: it is a start, and EM says which states are starved
        warnings.simplefilter("ignore", UserWarning)
        label = kmeans2(rows, min(n_states, len(np.unique(rows, axis=0))), minit="++", rng=generator, iter=25)[1]
    guess = np.full((*usable.shape, n_states), 1 / n_states)
    guess[usable] = np.eye(n_states)[label]
    return guess


def _random_blocks(data: ARPHMMData, n_states: int, generator: np.random.Generator) -> np.ndarray:
    sequences, time = data.y.shape[:2]
    blocks = generator.dirichlet(np.ones(n_states), size=(sequences, -(-time // BLOCK)))
    return np.repeat(blocks, BLOCK, axis=1)[:, :time]


def _within_knowledge(guess: np.ndarray, data: ARPHMMData) -> np.ndarray:
    weights = np.exp(np.asarray(data.log_weights))
    both = guess * weights
    total = both.sum(axis=-1, keepdims=True)
    both = np.where(total > 0, both, weights)
    total = np.where(total > 0, total, weights.sum(axis=-1, keepdims=True))
    inside = np.arange(guess.shape[1]) < np.asarray(data.lengths)[:, None]
    return np.where(inside[..., None], both / np.maximum(total, 1e-300), 0.0)


def starting_transition(guess: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Transitions counted from neighbouring steps of the guess, smoothed by one pseudo-count on allowed entries."""
    counts = np.einsum("ntk,ntl->kl", guess[:, :-1], guess[:, 1:])
    counts = np.where(allowed, counts + 1.0, 0.0)
    return counts / counts.sum(axis=1, keepdims=True)


def spread_over_substates(transition: np.ndarray, n_substates: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Transitions per sub-state with the same mean stays, and the advance of inner sub-states."""
    off = transition * (1 - np.eye(len(transition)))
    has_exit = off.sum(axis=1) > 0
    leave = np.minimum(n_substates * (1 - np.diag(transition)), 0.5)
    share = off / np.maximum(off.sum(axis=1, keepdims=True), 1e-300)
    spread = np.where(has_exit[:, None], share * leave[:, None] + np.diag(1 - leave), transition)
    return spread, np.where(has_exit, leave, min(0.5, 4 * n_substates / longest))


def starting_regression(data: ARPHMMData, guess: np.ndarray, structure: str) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and covariances of each state by least squares weighted with the guess, drawn to the pooled ones.

    The pooled regression counts as much as PSEUDO_ROWS rows, so that an empty state has a start too. In NumPy: a
    compiled program for one use would cost more time than it saves.
    """
    usable = np.asarray(data.usable)
    y, z, weight = data.y[usable], data.z[usable], guess[usable]
    pooled = np.linalg.lstsq(z, y, rcond=None)[0]
    size = PSEUDO_ROWS * np.diag(np.mean(z**2, axis=0) + 1e-12)
    noise = PSEUDO_ROWS * np.diag(data.scale.residual)
    coefficients, covariances = [], []
    for row in weight.T:
        weighted = z * row[:, None]
        found = np.linalg.solve(weighted.T @ z + size, weighted.T @ y + size @ pooled)
        error = y - z @ found
        coefficients.append(found.T)
        covariances.append(((error * row[:, None]).T @ error + noise) / (row.sum() + PSEUDO_ROWS))
    return np.stack(coefficients), _shaped(np.stack(covariances), structure)


def _shaped(covariance: np.ndarray, structure: str) -> np.ndarray:
    if structure == "full":
        return covariance
    if structure == "tied":
        return np.broadcast_to(covariance.mean(axis=0), covariance.shape).copy()
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    variance = variance.mean(axis=1, keepdims=True) if structure == "spherical" else variance
    return variance[:, :, None] * np.eye(covariance.shape[-1])
