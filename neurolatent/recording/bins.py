"""A coarser clock: several samples become one."""

from dataclasses import replace

import numpy as np

from neurolatent.checks import InputError, place, whole_number
from neurolatent.recording.cuts import counted_anew
from neurolatent.recording.parts import Parts
from neurolatent.recording.signal import Signal


def bin_sequences(parts: Parts, factor: int) -> Parts:
    """On a clock ``factor`` times coarser; a rest at the end of a sequence is dropped."""
    whole_number("factor", factor, 1)
    name = parts.name or "recording"
    if parts.knowledge.per_sample():
        raise InputError(f"{name}: bin before stating knowledge per sample.")
    lengths = parts.lengths // factor
    if (lengths < 1).any():
        number = int(np.argmax(lengths < 1))
        raise InputError(
            f"{place(name, f'sequence {parts.sequences.id.iloc[number]}')}: its {parts.lengths[number]} samples are "
            f"fewer than one bin of {factor}. Choose a smaller factor, or take the longer sequences only."
        )
    offsets = np.cumsum(parts.lengths) - parts.lengths
    firsts = np.concatenate([o + factor * np.arange(n) for o, n in zip(offsets, lengths, strict=True)])
    rows, width = firsts[:, None] + np.arange(factor), parts.bin_width * factor
    out = parts._replace(
        signals={n: bin_signal(s, rows, place(name, f"signal {n}")) for n, s in parts.signals.items()},
        lengths=lengths,
        start=parts.start + (factor - 1) * parts.bin_width / 2,
        bin_width=width,
        history=(*parts.history, f"binned by {factor}: one sample every {width:g} {parts.clock_unit}"),
    )
    return counted_anew(parts, out)


def bin_signal(signal: Signal, rows: np.ndarray, where: str) -> Signal:
    """The signal with each row of sample numbers ``rows`` (bins, samples in a bin) made one sample.

    Counts add up and are missing where one of them is; continuous values average over what was observed.
    """
    values, seen = signal.values[rows], signal.observed[rows]
    if signal.kind == "counts":
        observed = seen.all(axis=1)
        binned = np.where(observed, values.sum(axis=1, dtype=np.int64), 0)
    elif signal.kind in ("continuous", "image"):
        count = seen.sum(axis=1)
        observed = count > 0
        total = np.where(seen, values, 0).sum(axis=1, dtype=np.float64)
        binned = np.where(observed, total / np.maximum(count, 1), np.nan)
    else:
        raise InputError(
            f"{where}: kind {signal.kind!r} has no meaning on a coarser clock. Select other signals first."
        )
    return replace(signal, values=binned, observed=observed)
