"""The synthetic network of the method's specification (section 7.2), drawn with NumPy in a fixed order.

The design is that of Li et al. (2024): a connectome shared by the states, of which every state draws its own types.
"""

from typing import NamedTuple

import numpy as np

from neurolatent.checks import whole_number
from neurolatent.models.hmmglm.history import Exponential
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.recording import Recording


class Network(NamedTuple):
    """A recording with its truth."""

    recording: Recording  # signals: spikes (counts) and state
    params: HMMGLMParams  # with the connectome, the types and the strengths that made it


def synthetic_network(
    seed: int,
    *,
    n_states: int = 3,
    n_neurons: int = 10,
    n_trials: int = 15,
    bins: int = 1000,
    sparsity: float = 0.2,
    share_excitatory: float = 0.5,
    stay: float = 0.98,
) -> Network:
    """Counts of neurons whose couplings change with a hidden state; sigmoid rates, exponential kernel of five bins.

    Args:
        sparsity: Expected share of pairs that are coupled.
        stay: Probability of staying in a state from one bin to the next.
    """
    for name, value, low in (("n_states", n_states, 2), ("n_neurons", n_neurons, 1), ("bins", bins, 6)):
        whole_number(name, value, low)
    rng = np.random.default_rng(seed)
    shape = (n_states, n_neurons, n_neurons)
    concentration = 2 * np.array([sparsity * (1 - share_excitatory), 1 - sparsity, sparsity * share_excitatory])
    connectome = rng.dirichlet(concentration, size=shape[1:])
    strength = np.log1p(3 * rng.random(shape))
    draws = rng.random((*shape, 1))
    types = (draws > np.cumsum(connectome, axis=-1)[..., :2]).sum(axis=-1) - 1
    weights = types * strength
    bias = 0.1 * (rng.random(n_neurons) - 0.5)
    off = (1 - stay) / (n_states - 1)
    transition = np.full((n_states, n_states), off) + (stay - off) * np.eye(n_states)
    states = _states(rng, transition, n_trials, bins)
    counts = _counts(rng, weights, bias, states)
    none = np.zeros(0)
    params = HMMGLMParams(
        initial=np.full(n_states, 1 / n_states),
        transition=transition,
        weights=weights,
        bias=np.tile(bias, (n_states, 1)),
        taps=none,
        noise=none,
        kernel=none,
        centre=none,
        spread=none,
        connectome=connectome,
        types=np.eye(3)[types + 1],
        strength=strength,
        lapse=none,
        drive=none,
    )
    recording = Recording.of(
        {"spikes": list(counts), "state": list(states[..., None])},
        kinds={"spikes": "counts", "state": "category"},
        clock_unit="bin",
        name=f"synthetic network, seed {seed}",
    )
    return Network(recording, params)


def _states(rng: np.random.Generator, transition: np.ndarray, trials: int, bins: int) -> np.ndarray:
    """(trials, bins) paths by inversion of the rows' sums."""
    states = np.zeros((trials, bins), int)
    states[:, 0] = rng.integers(0, len(transition), size=trials)
    sums = np.cumsum(transition, axis=1)
    for time in range(1, bins):
        below = sums[states[:, time - 1]] < rng.random(trials)[:, None]
        states[:, time] = np.minimum(below.sum(axis=1), len(transition) - 1)
    return states


def _counts(rng: np.random.Generator, weights: np.ndarray, bias: np.ndarray, states: np.ndarray) -> np.ndarray:
    """(trials, bins, neurons) Poisson counts with sigmoid rates; bins before the first one count as 0."""
    kernel = Exponential().basis()[:, 0]
    trials, bins = states.shape
    counts = np.zeros((trials, bins + len(kernel), len(bias)))
    for time in range(bins):
        past = np.einsum("k,rkn->rn", kernel[::-1], counts[:, time : time + len(kernel)])
        eta = bias + np.einsum("rnm,rm->rn", weights[states[:, time]], past)
        counts[:, time + len(kernel)] = rng.poisson(1 / (1 + np.exp(-eta)))
    return counts[:, len(kernel) :].astype(int)
