"""Fewer sequences, or less of each: what stays keeps its place on the clock, its facts and what is known of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurolatent.checks import InputError, did_you_mean, place, whole_number
from neurolatent.recording.faults import true_or_false
from neurolatent.recording.parts import Parts


def take_sequences(parts: Parts, ids: Sequence[str]) -> Parts:
    """Only some sequences, by id, in the order given."""
    known = {str(name): n for n, name in enumerate(parts.sequences["id"])}
    unknown = [i for i in ids if i not in known]
    if unknown:
        raise InputError(f"{parts.name or 'recording'}: no sequence {unknown[0]!r}. {did_you_mean(unknown[0], known)}")
    numbers = np.array([known[i] for i in ids], int)
    begins = np.zeros(len(numbers), np.int64)
    return _keep(parts, numbers, begins, parts.lengths[numbers], f"took {len(ids)} of {len(known)} sequences")


def cut_sequences(parts: Parts, first: Any, last: Any) -> Parts:
    """Samples ``first`` to ``last`` - 1 of each sequence; one number for all, or one per sequence."""
    begins = _bounds(parts, "first", first)
    ends = np.minimum(_bounds(parts, "last", parts.lengths if last is None else last), parts.lengths)
    ids = [str(i) for i in parts.sequences["id"]]
    if (begins >= ends).any():
        number = int(np.argmax(begins >= ends))
        raise InputError(
            f"{place(parts.name, f'sequence {ids[number]}')}: the cut leaves none of its "
            f"{parts.lengths[number]} samples. "
            "Choose another cut, or take the longer sequences only."
        )
    step = f"cut to {int(np.sum(ends - begins))} of {int(np.sum(parts.lengths))} samples"
    out = _keep(parts, np.arange(len(ids)), begins, ends, step)
    if "failed" in parts.sequences:
        failed = true_or_false(parts.sequences["failed"], ids, parts.name) & (ends == parts.lengths)
        out = out._replace(sequences=out.sequences.assign(failed=failed))
    return counted_anew(parts, out)


def cut_into_blocks(parts: Parts, samples: int) -> Parts:
    """Each sequence as blocks of so many samples, which become sequences; a rest at the end is dropped."""
    whole_number("samples", samples, 1)
    name = parts.name or "recording"
    if len(parts.knowledge.statements):
        raise InputError(f"{name}: cut into blocks before stating knowledge of sequences")
    counts = parts.lengths // samples
    if not counts.all():
        short = int(np.argmin(counts))
        raise InputError(
            f"{place(name, f'sequence {parts.sequences.id.iloc[short]}')}: its {parts.lengths[short]} samples are "
            f"fewer than one block of {samples}. Choose shorter blocks, or take the longer sequences only."
        )
    numbers = np.repeat(np.arange(len(counts)), counts)
    block = np.concatenate([np.arange(n) for n in counts])
    begins = block * samples
    dropped = int(np.sum(parts.lengths - counts * samples))
    step = f"cut into {len(numbers)} blocks of {samples} samples, {dropped} at the ends dropped"
    out = _keep(parts, numbers, begins, begins + samples, step)
    owner = [str(i) for i in out.sequences["id"]]
    ids = [f"{i}.{n + 1}" if len(counts) > 1 else str(n + 1) for i, n in zip(owner, block, strict=True)]
    table = out.sequences.drop(columns=["failed", "remaining"], errors="ignore").assign(
        id=ids, of=owner, block=block + 1
    )
    return out._replace(sequences=table)


def counted_anew(before: Parts, after: Parts) -> Parts:
    """With true remaining lives counted from the last samples that are left."""
    if "remaining" not in after.sequences:
        return after
    ends = [p.start + (p.lengths - 1) * p.bin_width for p in (before, after)]
    remaining = after.sequences["remaining"].to_numpy(float) + ends[0] - ends[1]
    return after._replace(sequences=after.sequences.assign(remaining=remaining))


def _bounds(parts: Parts, name: str, value: Any) -> np.ndarray:
    """One sample number per sequence."""
    numbers = np.asarray(value)
    if numbers.shape not in ((), parts.lengths.shape) or numbers.dtype.kind not in "iu" or (numbers < 0).any():
        raise InputError(
            f"{parts.name or 'recording'}: {name} must be one whole number of at least 0, or one per sequence "
            f"({len(parts.lengths)}), got {value!r}"
        )
    return np.broadcast_to(numbers, parts.lengths.shape).astype(np.int64)


def _keep(parts: Parts, numbers: np.ndarray, begins: np.ndarray, ends: np.ndarray, step: str) -> Parts:
    """Samples ``begins`` to ``ends`` of the sequences ``numbers``."""
    offsets = (np.cumsum(parts.lengths) - parts.lengths)[numbers]
    runs = [np.arange(o + b, o + e) for o, b, e in zip(offsets, begins, ends, strict=True)]
    rows = np.concatenate(runs) if runs else np.zeros(0, int)
    is_run = len(rows) > 0 and bool((np.diff(rows) == 1).all())  # then a view will do, without a copy
    index = slice(int(rows[0]), int(rows[-1]) + 1) if is_run else rows
    sequences = parts.sequences.iloc[numbers].reset_index(drop=True)
    return parts._replace(
        signals={name: signal.rows(index) for name, signal in parts.signals.items()},
        lengths=ends - begins,
        start=parts.start[numbers] + begins * parts.bin_width,
        sequences=sequences,
        knowledge=parts.knowledge.rows(index).of_sequences(str(i) for i in sequences["id"]),
        history=(*parts.history, step),
    )
