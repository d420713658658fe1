"""A recording in a few words, and in sixteen letters."""

import hashlib

import numpy as np

from neurolatent.recording.parts import Parts


def fingerprint(parts: Parts) -> str:
    """Short hash of all values, masks, names, clock and ids: equal data, equal fingerprint, also in narrower types."""
    digest = hashlib.sha256()
    for name in sorted(parts.signals):
        signal = parts.signals[name]
        wide = np.int64 if signal.values.dtype.kind in "iu" else np.float64
        digest.update("\0".join([name, signal.kind, *signal.names]).encode())
        digest.update(np.where(signal.observed, signal.values, 0).astype(wide).tobytes())
        digest.update(np.packbits(signal.observed).tobytes())
    digest.update(np.asarray(parts.lengths, np.int64).tobytes() + np.asarray(parts.start, float).tobytes())
    digest.update(repr(float(parts.bin_width)).encode())
    digest.update("\0".join(str(i) for i in parts.sequences["id"]).encode())
    return digest.hexdigest()[:16]


def describe(parts: Parts) -> str:
    """What is in it, in a few lines."""
    shortest, longest = int(np.min(parts.lengths)), int(np.max(parts.lengths))
    plural = "s" if len(parts.lengths) > 1 else ""
    span = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
    lines = [
        f"{parts.name or 'recording'}: {len(parts.lengths)} sequence{plural} of {span} samples, "
        f"one sample every {parts.bin_width:g} {parts.clock_unit}"
    ]
    for name, signal in parts.signals.items():
        shape = " x ".join(str(n) for n in signal.values.shape[1:])
        lines.append(f"  {name}: {signal.kind}, {shape} channels, {1 - signal.observed.mean():.1%} not observed")
        axes = tuple(range(signal.observed.ndim - 1))
        seen = np.atleast_1d(signal.observed.any(axis=axes))
        silent = [name for number, name in enumerate(signal.names) if not seen[number]]
        if silent:
            lines.append(f"  {name}: never observed: {', '.join(silent)}")
    lines.append(f"  knowledge: {parts.knowledge.describe()}")
    return "\n".join(lines + [f"  {step}" for step in parts.history])
