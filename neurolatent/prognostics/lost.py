"""Sensors that stop speaking: how many have, and copies of units in which one does."""

import numpy as np
from jaxtyping import Float

from neurolatent.preparation.channels import pick, silent
from neurolatent.recording import Recording

QUIET = 5  # rows without any value after which a sensor counts as lost: ours


def speaking(recording: Recording) -> dict[str, list[str]]:
    """Channels of continuous signals that say something in training, by signal."""
    found = {}
    for name, signal in recording.signals.items():
        if signal.kind == "continuous" and signal.values.ndim == 2:
            found[name] = [str(c) for c in np.asarray(signal.names)[~silent(signal)]]
    return {name: channels for name, channels in found.items() if channels}


def lost_share(recording: Recording, channels: dict[str, list[str]]) -> Float[np.ndarray, " rows"]:
    """At each row the share of the channels of which the last rows hold nothing; it depends on the past only."""
    seen = np.concatenate([pick(recording, name, wanted).observed for name, wanted in channels.items()], axis=1)
    spoke = np.zeros(seen.shape, bool)
    for part in recording.slices():
        for lag in range(min(QUIET, part.stop - part.start)):
            spoke[part.start + lag : part.stop] |= seen[part.start : part.stop - lag]
    early = np.concatenate([np.arange(part.stop - part.start) < QUIET - 1 for part in recording.slices()])
    return np.where(early & spoke.any(axis=1), 0.0, (~spoke).mean(axis=1))


def lost_at_end(recording: Recording, channels: dict[str, list[str]]) -> dict[str, list[str]]:
    """The lost channels of each unit that has some at its last row."""
    out: dict[str, list[str]] = {}
    for name, wanted in channels.items():
        observed = pick(recording, name, wanted).observed
        for unit, part in zip(recording.ids, recording.slices(), strict=True):
            spoke = np.logical_or.reduce(observed[max(part.start, part.stop - QUIET) : part.stop], axis=0)
            if not spoke.all() and part.stop - part.start >= QUIET:
                out.setdefault(unit, []).extend(map(str, np.asarray(wanted)[~spoke]))
    return out


def with_dying_sensor(
    recording: Recording, channels: dict[str, list[str]], generator: np.random.Generator
) -> Recording:
    """A copy in which one random channel of every unit gives nothing from a random row on."""
    places = [(name, channel) for name, wanted in channels.items() for channel in wanted]
    keep = {name: np.ones(recording.signal(name).observed.shape, bool) for name in channels}
    for part in recording.slices():
        name, channel = places[int(generator.integers(len(places)))]
        begin = int(generator.integers(part.start, part.stop))
        keep[name][begin : part.stop, recording.signal(name).names.index(channel)] = False
    for name, kept in keep.items():
        recording = recording.with_signal(name, recording.signal(name).masked(kept))
    return recording
