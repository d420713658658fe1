"""Agreement of two labellings, from their table of counts."""

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
