"""Agreement of two labellings from their table of counts; differences in pairs, bits, information criterion."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment


def contingency(
    first: Int[np.ndarray, " samples"], second: Int[np.ndarray, " samples"], n_first: int, n_second: int
) -> Float[np.ndarray, "first second"]:
    """How often label i of the first meets label j of the second."""
    table = np.zeros((n_first, n_second))
    np.add.at(table, (first, second), 1.0)
    return table


def adjusted_rand(table: Float[np.ndarray, "first second"]) -> float:
    """Adjusted Rand index of two labellings (Hubert and Arabie, 1985); 1 where both are the same partition."""
    pairs = lambda counts: float(np.sum(counts * (counts - 1)) / 2)  # noqa: E731
    both, first, second = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    total = pairs(table.sum())
    expected = first * second / total if total else 0.0
    highest = (first + second) / 2
    return 1.0 if highest == expected else (both - expected) / (highest - expected)


def matched_accuracy(table: Float[np.ndarray, "first second"]) -> float:
    """Share of samples on which the labellings agree, after the best one-to-one matching of labels."""
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / max(table.sum(), 1.0))


def matching(table: Float[np.ndarray, "labels labels"]) -> Int[np.ndarray, " labels"]:
    """Label of the second that belongs to each label of the first, one to one, with the most samples in common."""
    return linear_sum_assignment(-table)[1].astype(int)


class PairedDifference(NamedTuple):
    """The sum of differences over units that are measured in pairs, and its standard error."""

    total: float
    standard_error: float  # NaN with a single unit


def paired_difference(first: Float[np.ndarray, " units"], second: Float[np.ndarray, " units"]) -> PairedDifference:
    """Sum of first less second over units; the units are taken for independent draws."""
    gap = first - second
    error = np.sqrt(len(gap)) * gap.std(ddof=1) if len(gap) > 1 else np.nan
    return PairedDifference(float(gap.sum()), float(error))


def bits_per(log_score: float, baseline: float, amount: float) -> float:
    """Bits by which a score beats a baseline (both nats), per spike, trial or sample; NaN where there is none."""
    return (log_score - baseline) / (amount * np.log(2)) if amount else float("nan")


def bayes_information(log_likelihood: float, n_parameters: int, n_samples: int) -> float:
    """Bayesian information criterion (Schwarz, 1978): lower is better."""
    return -2 * log_likelihood + n_parameters * float(np.log(n_samples))


def wilson_interval(
    share: Float[np.ndarray, " groups"], count: Float[np.ndarray, " groups"], z: float = 1.6448536269514722
) -> tuple[Float[np.ndarray, " groups"], Float[np.ndarray, " groups"]]:
    """Ends of the score interval of a binomial share (Wilson, 1927), 90 % unless told; counts may be fractions."""
    size = np.maximum(count, 1e-12)
    centre = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2))
    return centre - half, centre + half
