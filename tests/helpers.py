"""Random hidden Markov inputs, and their posterior by listing every path: NumPy only, log space."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Chain(NamedTuple):
    """Arguments of the functions in neurolatent.ops.hmm, in their order."""

    initial: np.ndarray  # (sequences, states)
    transition: np.ndarray  # (states, states)
    log_emission: np.ndarray  # (sequences, time, states)
    lengths: np.ndarray  # (sequences,)

    def on_device(self) -> "Chain":
        return Chain(*map(jnp.asarray, self))

    def single(self, n: int) -> "Chain":
        """Sequence n alone, without padding."""
        length = self.lengths[n]
        return Chain(self.initial[[n]], self.transition, self.log_emission[[n], :length], self.lengths[[n]])


class Truth(NamedTuple):
    log_evidence: np.ndarray
    log_increments: np.ndarray
    filtered: np.ndarray
    smoothed: np.ndarray
    jumps: np.ndarray  # (sequences, states, states)
    states: np.ndarray
    log_score: np.ndarray


def random_chain(seed: int, states: int, lengths: list[int], *, zeros: float = 0.0, spread: float = 2.0) -> Chain:
    """A ragged batch; ``zeros`` is the share of forbidden starts, transitions and states: some data are impossible."""
    rng = np.random.default_rng(seed)
    shape = (len(lengths), max(lengths), states)

    def simplex(size: int) -> np.ndarray:
        p = rng.dirichlet(np.ones(states), size) * (rng.random((size, states)) >= zeros)
        p[p.sum(axis=1) == 0, rng.integers(states)] = 1
        return p / p.sum(axis=1, keepdims=True)

    scores = spread * rng.normal(size=shape)
    scores[rng.random(shape) < zeros / 2] = rng.choice([-np.inf, -1e30])
    return Chain(simplex(len(lengths)), simplex(states), scores, np.array(lengths))


def left_right(states: int, stay: float) -> np.ndarray:
    """Transitions that stay or go to the next state; the last one is absorbing."""
    moves = stay * np.eye(states) + (1 - stay) * np.eye(states, k=1)
    moves[-1, -1] = 1.0
    return moves


def enumerate_paths(chain: Chain) -> Truth:
    """Every quantity of a ragged batch from the list of all paths of each sequence."""
    time = chain.log_emission.shape[1]
    parts = [
        _one(chain.initial[n], chain.transition, chain.log_emission[n, :length], time)
        for n, length in enumerate(chain.lengths)
    ]
    return Truth(*map(np.stack, zip(*parts, strict=True)))


def list_paths(states: int, time: int) -> np.ndarray:
    """All paths, in the order in which ties are decided: the last state counts first."""
    return np.array(list(itertools.product(range(states), repeat=time)), int).reshape(-1, time)[:, ::-1]


def path_scores(initial: np.ndarray, transition: np.ndarray, log_emission: np.ndarray) -> np.ndarray:
    """Log p(y_1:t, s_1:t) of every path (rows) up to every step (columns)."""
    time, states = log_emission.shape
    paths = list_paths(states, time)
    with np.errstate(divide="ignore"):
        steps = np.log(initial)[paths[:, :1]]
        steps = np.hstack([steps, np.log(transition)[paths[:, :-1], paths[:, 1:]]])
    excluded = np.where(log_emission > -1e29, log_emission, -np.inf)
    return np.cumsum(steps + excluded[np.arange(time), paths], axis=1)


def _one(initial: np.ndarray, transition: np.ndarray, log_emission: np.ndarray, padded: int) -> Truth:
    length, states = log_emission.shape
    out = Truth(
        np.array(0.0),
        np.zeros(padded),
        np.zeros((padded, states)),
        np.zeros((padded, states)),
        np.zeros((states, states)),
        np.full(padded, -1),
        np.array(0.0),
    )
    if length == 0:
        return out
    paths, scores = list_paths(states, length), path_scores(initial, transition, log_emission)
    # a path up to step t is in the list once for each of its continuations
    evidence = np.array([_log_sum(scores[:, t]) - (length - 1 - t) * np.log(states) for t in range(length)])
    before = np.append(0.0, evidence[:-1])
    out.log_increments[:length] = np.where(
        np.isneginf(before), -np.inf, evidence - np.where(before > -np.inf, before, 0)
    )
    for t in range(length):
        for k in range(states):
            out.filtered[t, k] = _share(scores[:, t], paths[:, t] == k)
            out.smoothed[t, k] = _share(scores[:, -1], paths[:, t] == k)
    for t, i, j in itertools.product(range(length - 1), range(states), range(states)):
        out.jumps[i, j] += _share(scores[:, -1], (paths[:, t] == i) & (paths[:, t + 1] == j))
    best = int(np.argmax(scores[:, -1]))
    if scores[best, -1] > -np.inf:
        out.states[:length] = paths[best]
    return out._replace(log_evidence=evidence[-1], log_score=scores[best, -1])


def _log_sum(x: np.ndarray) -> float:
    top = x.max()
    return top if np.isneginf(top) else top + np.log(np.exp(x - top).sum())


def _share(scores: np.ndarray, chosen: np.ndarray) -> float:
    total = _log_sum(scores)
    return 0.0 if np.isneginf(total) or not chosen.any() else np.exp(_log_sum(scores[chosen]) - total)


def assert_trees_close(got: object, want: object, *, atol: float = 1e-10, rtol: float = 1e-10) -> None:
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, atol=atol, rtol=rtol)
