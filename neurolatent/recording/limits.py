"""Values that cannot be: masked, so that they count as not observed and their samples keep their place on the clock."""

from collections.abc import Mapping, Sequence

import numpy as np

from neurolatent.checks import InputError, did_you_mean, place
from neurolatent.recording.parts import Parts


def mask_outside(parts: Parts, valid: Mapping[str, Sequence[float | int]]) -> Parts:
    """Values of some channels outside their valid ranges masked: they count as not observed.

    Raises:
        InputError: No such channel, or a range that is none.
    """
    homes = {name: key for key, signal in parts.signals.items() for name in signal.names}
    title, signals, notes = parts.name or "recording", dict(parts.signals), []
    for channel, bounds in valid.items():
        if channel not in homes:
            raise InputError(f"{title}: no channel {channel!r}. {did_you_mean(channel, homes)}")
        if len(bounds) != 2 or not bounds[0] < bounds[1]:
            raise InputError(f"{place(title, f'channel {channel}')}: two rising numbers are needed, got {list(bounds)}")
        signal = signals[homes[channel]]
        column, keep = signal.names.index(channel), np.ones(signal.observed.shape, bool)
        values = signal.values[:, column]
        keep[:, column] = ~(signal.observed[:, column] & ((values < bounds[0]) | (values > bounds[1])))
        signals[homes[channel]] = signal.masked(keep)
        notes.append(f"masked {(~keep).sum()} values of {channel} outside {bounds[0]:g} to {bounds[1]:g}")
    return parts._replace(signals=signals, history=(*parts.history, *notes))
