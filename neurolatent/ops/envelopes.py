"""Similarity of two noisy curves: how far the bands in which they move overlap.

The band of a curve runs between its values above a moving average and those below it. All functions take many curves at
once, each with its own length; what stands after its end is never read.

Reference: Ramasso (2014), RULCLIPPER, IJPHM 5:005: envelopes, and similarity as the F1 of overlapping areas.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

EDGE = 4  # first and last points where the band spans the value and the average (authors' code)
LEAST_PART, PART = 3, 15  # the first and last parts of a curve: a fifteenth of it, at least three points


class Band(NamedTuple):
    """Upper and lower envelope; anything after the end."""

    upper: Float[np.ndarray, "curves time"]
    lower: Float[np.ndarray, "curves time"]


def centred_mean(
    y: Float[np.ndarray, "curves time"], lengths: Int[np.ndarray, " curves"], window: int
) -> Float[np.ndarray, "curves time"]:
    """Moving average over ``window`` points around each; the window shrinks at the ends."""
    inside = np.arange(y.shape[1]) < lengths[:, None]
    sums = np.concatenate([np.zeros((len(y), 1)), np.cumsum(np.where(inside, y, 0.0), axis=1)], axis=1)
    place, half = np.arange(y.shape[1]), window // 2
    end = np.minimum(np.minimum(place + half + 1, y.shape[1])[None], lengths[:, None])
    begin = np.broadcast_to(np.maximum(place - half, 0), end.shape)
    total = np.take_along_axis(sums, end, axis=1) - np.take_along_axis(sums, begin, axis=1)
    return total / np.maximum(end - begin, 1)


def band(y: Float[np.ndarray, "curves time"], lengths: Int[np.ndarray, " curves"], window: int) -> Band:
    """The band in which each curve moves."""
    middle = centred_mean(y, lengths, window)
    place = np.arange(y.shape[1])
    inside = place < lengths[:, None]
    at_edge = (place < EDGE) | (place >= lengths[:, None] - EDGE)
    above, below = inside & (y > middle), inside & (y < middle)
    upper = np.where(at_edge, np.maximum(middle, y), _between(y, above, middle))
    lower = np.where(at_edge, np.minimum(middle, y), _between(y, below, middle))
    return Band(np.maximum(upper, lower), np.minimum(upper, lower))


def _between(
    y: Float[np.ndarray, "curves time"], chosen: Bool[np.ndarray, "curves time"], default: np.ndarray
) -> Float[np.ndarray, "curves time"]:
    """Chosen values where they stand; elsewhere the mean of the last and the next one."""
    place = np.arange(y.shape[1])
    last = np.maximum.accumulate(np.where(chosen, place, -1), axis=1)
    ahead = np.minimum.accumulate(np.where(chosen, place, y.shape[1])[:, ::-1], axis=1)[:, ::-1]
    before = np.take_along_axis(y, np.maximum(last, 0), axis=1)
    after = np.take_along_axis(y, np.minimum(ahead, y.shape[1] - 1), axis=1)
    has_before, has_after = last >= 0, ahead < y.shape[1]
    mean = 0.5 * (np.where(has_before, before, after) + np.where(has_after, after, before))
    return np.where(has_before | has_after, mean, default)


def overlap(a: Band, b: Band, lengths: Int[np.ndarray, " curves"]) -> Float[np.ndarray, " curves"]:
    r"""Similarity of bands over their first ``lengths`` points, in [0, 1].

    F1 of the areas, :math:`2 A_{ab} / (A_a + A_b)`, for the first part, the middle and the last part, weighed 1, 2, 2.
    """
    place = np.arange(a.upper.shape[1])[None]
    part = np.maximum(lengths // PART, LEAST_PART)[:, None]
    inside = place < lengths[:, None]
    first, last = inside & (place < part), inside & (place >= lengths[:, None] - part)
    middle = inside & ~first & ~last
    shared = np.maximum(np.minimum(a.upper, b.upper) - np.maximum(a.lower, b.lower), 0.0)
    both = (a.upper - a.lower) + (b.upper - b.lower)
    score = [_share(shared, both, chosen) for chosen in (first, middle, last)]
    return (score[0] + 2 * score[1] + 2 * score[2]) / 5


def _share(shared: np.ndarray, both: np.ndarray, chosen: np.ndarray) -> Float[np.ndarray, " curves"]:
    total = np.where(chosen, both, 0.0).sum(axis=1)
    return 2 * np.where(chosen, shared, 0.0).sum(axis=1) / np.where(total > 0, total, 1.0)


def stays_apart(
    a: Float[np.ndarray, "curves time"], b: Float[np.ndarray, "curves time"], *, limit: float = 25.0, fade: float = 0.8
) -> Bool[np.ndarray, " curves"]:
    """Whether one smoothed curve stays on one side of the other: a count that fades at each change of side."""
    side = np.sign(a - b)
    count, apart = np.zeros(len(side)), np.zeros(len(side), bool)
    for step in range(side.shape[1]):
        same = side[:, step] == side[:, max(step - 1, 0)]
        count = np.where(same, count + 1.0, count * fade)
        apart |= count >= limit
    return apart
