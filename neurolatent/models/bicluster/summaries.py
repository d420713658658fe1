"""What survives that labels mean nothing: similarity, one partition that stands for the draws, agreement of chains.

Everything takes ``fit.draws`` or what :class:`neurolatent.Fit` holds of it, and works on the host.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from neurolatent.checks import one_of
from neurolatent.models.bicluster.params import BiclusterParams
from neurolatent.ops import partitions
from neurolatent.ops.metrics import adjusted_rand, contingency, matching

SCORES = {"vi": partitions.expected_information, "pear": partitions.expected_rand}
MOST_BINS = 2000  # of a similarity matrix; longer recordings are thinned


class Summary(NamedTuple):
    """Items, which are neurons or bins, as the draws put them together."""

    together: Float[np.ndarray, "items items"]  # share of draws in which two items are in one block
    partition: Int[np.ndarray, " items"]  # blocks numbered as they occur
    chains: list[Int[np.ndarray, " items"]]  # the same of each chain by itself

    @property
    def agreement(self) -> float:
        """Smallest adjusted Rand index between the partitions of two chains; 1 with a single chain."""
        pairs = [(a, b) for n, a in enumerate(self.chains) for b in self.chains[:n]]
        return min((rand(a, b) for a, b in pairs), default=1.0)


def neurons(draws: BiclusterParams, *, method: Literal["vi", "pear"] = "vi") -> Summary:
    """Clusters of the neurons over all kept draws.

    Args:
        method: ``vi`` minimises the expected variation of information, ``pear`` maximises the expected adjusted Rand
            index, as the paper does.
    """
    return _summary(np.asarray(draws.label), method)


def bins(draws: BiclusterParams, *, method: Literal["vi", "pear"] = "vi") -> Summary:
    """States of the bins over all kept draws; the first bin, into which no step leads, has the state of the second.

    Of more than 2,000 bins as many are taken, evenly spaced: :func:`bin_places` tells which.
    """
    state = np.asarray(draws.state)
    return _summary(state[..., bin_places(state.shape[-1])], method)


def bin_places(count: int) -> Int[np.ndarray, " bins"]:
    """Numbers of the bins that :func:`bins` looks at."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_BINS)).astype(int))


def _summary(labels: Int[np.ndarray, "chains draws items"], method: str) -> Summary:
    one_of("method", method, list(SCORES))
    score: Callable = SCORES[method]
    labels = labels.astype(int)
    each = [partitions.similarity(chain) for chain in labels]
    together = np.mean(each, axis=0)
    whole = partitions.point_partition(labels.reshape(-1, labels.shape[-1]), together=together, score=score)
    chains = [partitions.point_partition(c, together=s, score=score) for c, s in zip(labels, each, strict=True)]
    return Summary(together, whole, chains)


def rand(first: Int[np.ndarray, " items"], second: Int[np.ndarray, " items"]) -> float:
    """Adjusted Rand index of two labellings."""
    return adjusted_rand(_table(first, second))


def agreement(first: Int[np.ndarray, " items"], second: Int[np.ndarray, " items"]) -> float:
    """Share of items on which two labellings agree, after matching labels one to one."""
    table = _table(first, second)
    size = max(table.shape)
    square = np.pad(table, [(0, size - n) for n in table.shape])
    return float(square[np.arange(size), matching(square)].sum() / table.sum())


def _table(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    a, b = partitions.relabelled(np.asarray(first)), partitions.relabelled(np.asarray(second))
    return contingency(a, b, int(a.max()) + 1, int(b.max()) + 1)


class Aligned(NamedTuple):
    """Trajectories of the blocks of a partition over draws: centred, factors turned to those of one draw."""

    paths: Float[np.ndarray, "draws cluster bin coordinate"]  # NaN where a draw has no cluster for the block

    def band(self, level: float = 0.95) -> Float[np.ndarray, "2 cluster bin coordinate"]:
        """Ends of the narrowest interval of each entry that holds the share ``level`` of the draws."""
        ordered = np.sort(self.paths, axis=0)
        count = np.isfinite(ordered).sum(axis=0)
        out = np.full((2, *ordered.shape[1:]), np.nan)
        for cluster in range(ordered.shape[1]):
            n = int(count[cluster].min())
            inside = max(int(np.ceil(level * n)), 1)
            if n < 2:
                continue
            column = ordered[:n, cluster]
            width = column[inside - 1 :] - column[: n - inside + 1]
            start = width.argmin(axis=0)[None]
            out[0, cluster] = np.take_along_axis(column, start, axis=0)[0]
            out[1, cluster] = np.take_along_axis(column, start + inside - 1, axis=0)[0]
        return out


def aligned(draws: BiclusterParams, partition: Int[np.ndarray, " neuron"], *, most: int = 200) -> Aligned:
    """Trajectories of each block of ``partition`` in (thinned) draws.

    Clusters of a draw are matched to blocks one to one by the neurons they share; time means are taken away, and the
    factors are rotated onto those of the first draw that has the block (orthogonal Procrustes).
    """
    label = np.asarray(draws.label)
    flat = label.reshape(-1, label.shape[-1]).astype(int)
    paths = np.asarray(draws.trajectories).reshape(len(flat), *np.shape(draws.trajectories)[2:]).astype(float)
    picks = np.unique(np.linspace(0, len(flat) - 1, min(most, len(flat))).astype(int))
    blocks = int(partition.max()) + 1
    out = np.full((len(picks), blocks, *paths.shape[2:]), np.nan)
    for row, pick in enumerate(picks):
        size = max(blocks, paths.shape[1])
        table = contingency(partition, flat[pick], size, size)
        for block, cluster in enumerate(matching(table)[:blocks]):
            if table[block, cluster]:
                x = paths[pick, cluster] - paths[pick, cluster].mean(axis=0)
                out[row, block] = _turned(x, out[:row, block])
    return Aligned(out)


def _turned(path: Float[np.ndarray, "bin coordinate"], former: np.ndarray) -> Float[np.ndarray, "bin coordinate"]:
    known = [f for f in former if np.isfinite(f).all()]
    if not known:
        return path
    left, _, right = np.linalg.svd(path[:, 1:].T @ known[0][:, 1:])
    return np.c_[path[:, :1], path[:, 1:] @ (left @ right)]
