"""The simulated population of the method's paper (Wei 2023, section 4; details from its code), drawn with NumPy.

Three clusters of neurons share two states that alternate: one in which trajectories die out at once, and one in which
they turn and grow by 1 % in each bin. The recording holds its truth: ``cluster`` is a fact of the channels of
``spikes``, the signals ``state``, ``log_rate`` and ``trajectories`` hold the rest.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from neurolatent.checks import one_of, whole_number
from neurolatent.recording import Recording

GROWTH, TURN = 1.01, np.pi / 20  # of the second state, per bin
STILL = 0.01  # what is left of a trajectory after one bin of the first
NOISE = 0.01  # variance of the innovation
DISPERSION = 10.0


class Truth(NamedTuple):
    """What the counts were drawn from, in the notation of the specification."""

    label: Int[np.ndarray, " neuron"]
    state: Int[np.ndarray, " bin"]
    offset: Float[np.ndarray, " neuron"]
    loadings: Float[np.ndarray, "neuron factor"]
    trajectories: Float[np.ndarray, "cluster bin coordinate"]
    transition: Float[np.ndarray, "state cluster coordinate coordinate_from"]

    @property
    def log_rate(self) -> Float[np.ndarray, "neuron bin"]:
        """Logarithm of the expected count."""
        h = np.c_[np.ones(len(self.offset)), self.loadings]
        return self.offset[:, None] + np.einsum("na,nta->nt", h, self.trajectories[self.label])


def truth_of(seed: int, *, per_cluster: int = 10, clusters: int = 3, bins: int = 500, factors: int = 2) -> Truth:
    """Everything but the counts; trajectories are centred and their factors orthogonal."""
    for name, value, low in (("per_cluster", per_cluster, 1), ("clusters", clusters, 1), ("bins", bins, 10)):
        whole_number(name, value, low)
    whole_number("factors", factors, 1)
    rng = np.random.default_rng(seed)
    size, neurons = factors + 1, per_cluster * clusters
    offset, loadings = 0.5 * rng.normal(size=neurons), 0.5 * rng.normal(size=(neurons, factors))
    transition = np.stack([_laws(rng, size) for _ in range(clusters)], axis=1)
    state = _alternating(rng, 2 * bins)
    x = np.zeros((clusters, 2 * bins, size))
    for t in range(2 * bins):
        before = x[:, t - 1] if t else np.zeros((clusters, size))
        x[:, t] = np.einsum("jab,jb->ja", transition[state[t]], before)
        x[:, t] += np.sqrt(NOISE) * rng.normal(size=(clusters, size))
    state, label = state[-bins:], np.repeat(np.arange(clusters), per_cluster)
    x = x[:, -bins:] - x[:, -bins:].mean(axis=1, keepdims=True)
    for j in range(clusters):
        turn = np.linalg.svd(x[j, :, 1:], full_matrices=False)[2]
        x[j, :, 1:] = x[j, :, 1:] @ turn.T
        loadings[label == j] = loadings[label == j] @ turn.T
        whole = np.eye(size)
        whole[1:, 1:] = turn
        transition[:, j] = whole @ transition[:, j] @ whole.T
    return Truth(label, state, offset, loadings, x, transition)


def _laws(rng: np.random.Generator, size: int) -> Float[np.ndarray, "state coordinate coordinate_from"]:
    turn = np.eye(size)
    turn[:2, :2] = [[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]]
    frame = np.linalg.qr(rng.normal(size=(size, size)))[0]
    return np.stack([STILL * np.eye(size), GROWTH * frame @ turn @ frame.T])


def _alternating(rng: np.random.Generator, bins: int) -> Int[np.ndarray, " bin"]:
    """Two states in turn, each with a mean duration of its own (about 50 bins)."""
    rate, state = rng.gamma(100.0, 1 / 2.0, size=2), int(rng.integers(2))
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < bins:
        parts.append(np.full(1 + rng.poisson(rate[state]), state))
        state = 1 - state
    return np.concatenate(parts)[:bins]


def bicluster_case(
    seed: int, *, per_cluster: int = 10, clusters: int = 3, bins: int = 500, factors: int = 2, family: str = "nb"
) -> Recording:
    """Counts of the simulated population, with their truth.

    Args:
        family: ``nb`` for the published data, over-dispersed for both of its analyses, or ``poisson``.
    """
    one_of("family", family, ("nb", "poisson"))
    truth = truth_of(seed, per_cluster=per_cluster, clusters=clusters, bins=bins, factors=factors)
    rng = np.random.default_rng([seed, 1])
    rate = np.exp(truth.log_rate)
    mean = rate if family == "poisson" else rate * rng.gamma(DISPERSION, 1 / DISPERSION, rate.shape)
    neurons = [f"n{n}" for n in range(len(rate))]
    signals = {
        "spikes": rng.poisson(mean).T,
        "state": truth.state,
        "log_rate": truth.log_rate.T,
        "trajectories": truth.trajectories.transpose(1, 0, 2).reshape(bins, -1),
    }
    facts = pd.DataFrame({"cluster": truth.label}, index=neurons)
    return Recording.of(
        {name: [values] for name, values in signals.items()},
        kinds={"spikes": "counts", "state": "category"},
        channels={"spikes": facts, "log_rate": neurons},
        bin_width=1.0,
        clock_unit="bin",
        name=f"bi-clustering simulation, seed {seed}",
    )
