"""Squared distances and kernel weights between rows, in pieces that fit into memory."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

MOST_ENTRIES = 4_000_000  # of one piece of a distance matrix, 32 MB


def squared_distances(
    x: Float[np.ndarray, "rows inputs"], points: Float[np.ndarray, "points inputs"]
) -> Float[np.ndarray, "rows points"]:
    """|x - p|^2 of every pair, never negative."""
    crossed = x @ points.T
    crossed *= -2.0
    crossed += np.einsum("ij,ij->i", x, x)[:, None]
    crossed += np.einsum("ij,ij->i", points, points)
    return np.maximum(crossed, 0.0, out=crossed)


def pieces(rows: int, points: int) -> Iterator[slice]:
    """Slices of the rows whose distances to the points fit into memory."""
    size = max(MOST_ENTRIES // max(points, 1), 1)
    return (slice(begin, min(begin + size, rows)) for begin in range(0, rows, size))


def normalised_weights(log_weights: Float[np.ndarray, "rows points"]) -> Float[np.ndarray, "rows points"]:
    """Weights that sum to one in each row; the largest counts even where all are too small for a number."""
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
