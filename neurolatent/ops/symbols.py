"""Statistics of strings of symbols: transitions, and how far two sources differ in their words."""

import numpy as np
from jaxtyping import Float, Int

LEAST = 0.5  # added to every count


def transition_counts(symbols: Int[np.ndarray, " time"], count: int) -> Int[np.ndarray, "symbols symbols"]:
    """How often each symbol (row) is followed by each other one."""
    pairs = symbols[:-1] * count + symbols[1:]
    return np.bincount(pairs, minlength=count * count).reshape(count, count)


def transition_shares(counts: Int[np.ndarray, "symbols symbols"]) -> Float[np.ndarray, "symbols symbols"]:
    """Rows of counts as shares; a symbol that never stands before another has no numbers."""
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), np.nan)


def row_divergences(
    truth: Float[np.ndarray, "symbols symbols"], counts: Int[np.ndarray, "symbols symbols"]
) -> Float[np.ndarray, " symbols"]:
    """KL of each true row of transition probabilities from the counted one, half a count added to each, nats."""
    told = (counts + LEAST) / (counts + LEAST).sum(axis=1, keepdims=True)
    return np.where(truth > 0, truth * np.log(np.where(truth > 0, truth, 1.0) / told), 0.0).sum(axis=1)


def word_divergence(target: Int[np.ndarray, " time"], other: Int[np.ndarray, " time_2"], length: int) -> float:
    r"""KL of the words of one string from those of another, nats.

    .. math:: \sum_v p(v) \log \frac{p(v)}{g(v)}, \qquad g(v) = \frac{n_v + 1/2}{n + V/2}

    V is the number of words that stand in either string. Two strings of one source differ as well: compare with that.
    """
    windows = [np.lib.stride_tricks.sliding_window_view(s, length) for s in (target, other)]
    _, where = np.unique(np.concatenate(windows), axis=0, return_inverse=True)
    where = where.ravel()
    words = where.max() + 1
    ours, theirs = (np.bincount(part, minlength=words) for part in np.split(where, [len(windows[0])]))
    p, g = ours / ours.sum(), (theirs + LEAST) / (theirs.sum() + words * LEAST)
    return float(np.sum(np.where(ours > 0, p * np.log(np.where(ours > 0, p, 1.0) / g), 0.0)))
