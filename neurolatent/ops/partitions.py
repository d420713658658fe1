r"""Partitions of items: their prior under a mixture of finite mixtures, how often items meet, one that stands for all.

Mixture of finite mixtures: :math:`K \sim p_K`, weights :math:`\sim Dirichlet_K(\gamma, ..., \gamma)`. A partition of n
items with t blocks of sizes :math:`n_c` has probability :math:`V_n(t) \prod_c \Gamma(\gamma + n_c) / \Gamma(\gamma)`,

.. math:: V_n(t) = \sum_{k \ge t} \frac{k!}{(k - t)!} \frac{\Gamma(\gamma k)}{\Gamma(\gamma k + n)} p_K(k).

References: Miller and Harrison (2018), JASA 113(521):340-356, theorem 3.1; Wade and Ghahramani (2018), Bayesian
Analysis 13(2):559-626, section 2 (variation of information); Fritsch and Ickstadt (2009), Bayesian Analysis
4(2):367-391 (PEAR).
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln, logsumexp

GROUPS = 25  # most groups of a cut through the tree
PASSES = 10  # over all items, of single moves

Labels = Int[np.ndarray, " items"]
Score = Callable[[Labels, Float[np.ndarray, "items items"]], float]


def geometric_log_prior(rho: float, most: int) -> Float[np.ndarray, " most"]:
    """Log probabilities of K = 1, ..., ``most`` under a geometric law that is cut there and sums to one."""
    logs = np.log(rho) + np.arange(most) * np.log1p(-rho)
    return logs - logsumexp(logs)


def log_mixture_coefficients(
    items: int, gamma: float, log_prior: Float[np.ndarray, " most"]
) -> Float[np.ndarray, " most"]:
    """Log V_n(t) for t = 1, 2, ..., as many as the prior of K has places; -inf where t exceeds the items."""
    most = len(log_prior)
    k, t = np.arange(1, most + 1)[:, None], np.arange(1, most + 1)[None, :]
    falling = np.where(k >= t, gammaln(k + 1) - gammaln(np.maximum(k - t, 0) + 1), -np.inf)
    terms = falling + gammaln(gamma * k) - gammaln(gamma * k + items) + log_prior[:, None]
    return np.where(t[0] <= items, np.asarray(logsumexp(terms, axis=0)), -np.inf)


def relabelled(labels: Int[np.ndarray, "*draws items"]) -> Int[np.ndarray, "*draws items"]:
    """The same partitions with blocks numbered from 0 in the order in which they first occur."""
    flat = np.asarray(labels).reshape(-1, np.shape(labels)[-1])
    out = np.empty_like(flat)
    for row, given in enumerate(flat):
        _, first, inverse = np.unique(given, return_index=True, return_inverse=True)
        out[row] = np.argsort(np.argsort(first))[inverse]
    return out.reshape(np.shape(labels))


def similarity(labels: Int[np.ndarray, "draws items"]) -> Float[np.ndarray, "items items"]:
    """Share of the draws in which two items are in one block (posterior similarity)."""
    total = np.zeros((labels.shape[1],) * 2)
    for row in labels:
        total += row[:, None] == row[None, :]
    return total / len(labels)


def entropy(labels: Labels) -> float:
    """Entropy of the shares of the blocks, nats."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log(shares)).sum())


def variation_of_information(first: Labels, second: Labels) -> float:
    """Distance of two partitions, nats: 2 H(both) - H(first) - H(second) (Meila, 2007)."""
    both = relabelled(first) * (int(np.max(relabelled(second))) + 1) + relabelled(second)
    return 2 * entropy(both) - entropy(first) - entropy(second)


def expected_information(labels: Labels, together: Float[np.ndarray, "items items"]) -> float:
    """Expected variation of information, by Jensen's lower bound, nats and up to a constant: lower is better."""
    same = labels[:, None] == labels[None, :]
    return float(np.mean(np.log(same.sum(axis=1)) - 2 * np.log((same * together).sum(axis=1))))


def expected_rand(labels: Labels, together: Float[np.ndarray, "items items"]) -> float:
    """Minus the posterior expected adjusted Rand index (PEAR, taken apart in its ratio): lower is better."""
    upper = np.triu_indices(len(labels), 1)
    same, shares = (labels[:, None] == labels[None, :])[upper], together[upper]
    chance = same.sum() * shares.sum() / len(same)
    highest = 0.5 * (same.sum() + shares.sum())
    return 0.0 if highest == chance else -float(((same * shares).sum() - chance) / (highest - chance))


def point_partition(
    draws: Int[np.ndarray, "draws items"],
    *,
    together: Float[np.ndarray, "items items"] | None = None,
    score: Score = expected_information,
    candidates: int = 200,
) -> Labels:
    """The partition with the lowest score among cuts of an average-linkage tree and draws, then moved item by item.

    Args:
        draws: Sampled partitions.
        together: Their similarity, where it is known already.
        candidates: Draws that are tried, evenly spaced.
    """
    together = similarity(draws) if together is None else together
    picks = np.unique(np.linspace(0, len(draws) - 1, min(candidates, len(draws))).astype(int))
    tried = [*_cuts(together), *(draws[n] for n in picks)]
    best = min(tried, key=lambda labels: score(labels, together))
    moved = _moved(relabelled(best), together) if score is expected_information else relabelled(best)
    return relabelled(moved)


def _cuts(together: Float[np.ndarray, "items items"]) -> list[Labels]:
    from scipy.cluster.hierarchy import fcluster, linkage  # slow to import, and only here needed
    from scipy.spatial.distance import squareform

    if len(together) < 3:
        return [np.zeros(len(together), int)]
    apart = squareform(np.clip(1 - together, 0, 1), checks=False)
    tree = linkage(apart, "average")
    return [fcluster(tree, groups, "maxclust") - 1 for groups in range(1, min(GROUPS, len(together)) + 1)]


def _moved(labels: Labels, together: Float[np.ndarray, "items items"]) -> Labels:
    """Each item in turn where the bound of the expected information is lowest, until none moves."""
    labels, moved = labels.copy(), True
    for _ in range(PASSES):
        if not moved:
            break
        moved = False
        member = np.eye(labels.max() + 2)[labels]  # one block more, which is empty
        for item in range(len(labels)):
            best = _best_block(item, member, together)
            if best != labels[item]:
                member[item, labels[item]], member[item, best] = 0.0, 1.0
                labels[item], moved = best, True
                if best == member.shape[1] - 1:
                    member = np.c_[member, np.zeros(len(labels))]
    return labels


def _best_block(item: int, member: Float[np.ndarray, "items blocks"], together: np.ndarray) -> int:
    """The block in which the sum of the bound over all items is lowest, the other items staying where they are."""
    own = member.copy()
    own[item] = 0.0
    sizes, weight = own.sum(axis=0), together @ own  # of each item with each block, without this one
    after = weight + together[:, item][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        without = own * (np.log(sizes) - 2 * np.log(weight))
        joined = own * (np.log(sizes + 1) - 2 * np.log(after))
    change = np.nansum(joined - without, axis=0)
    change += np.log(sizes + 1) - 2 * np.log(together[item] @ own + together[item, item])
    return int(np.argmin(change))
