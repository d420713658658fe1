"""Sequences end to end as one array, padded at the end to one of few lengths."""

import numpy as np


def padded_length(longest: int) -> int:
    """The padded length: one of few sizes, so that similar recordings share one compiled program."""
    if longest <= 64:
        return max(8, -(-longest // 8) * 8)
    step = 2 ** (int(np.log2(longest)) - 3)
    return -(-longest // step) * step


def pad(flat: np.ndarray, lengths: np.ndarray, skip: int, longest: int, filler: float | bool) -> np.ndarray:
    """(samples, ...) as (sequences, longest, ...), without the first ``skip`` samples of each sequence."""
    out = np.full((len(lengths), longest, *flat.shape[1:]), filler, flat.dtype)
    ends = np.cumsum(lengths)
    for number, (end, length) in enumerate(zip(ends, lengths, strict=True)):
        kept = max(length - skip, 0)
        out[number, :kept] = flat[end - kept : end]
    return out
