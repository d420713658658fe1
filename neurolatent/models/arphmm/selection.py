"""The door of the model: a recording becomes padded arrays, and what cannot be used is refused by name."""

import numpy as np

from neurolatent.checks import IncompatibleKnowledgeError, InputError, place
from neurolatent.models.arphmm.data import ARPHMMData, Lagged, Scale, data_scale, lagged
from neurolatent.ops.padding import pad, padded_length
from neurolatent.recording import Recording


def make_data(
    recording: Recording, name: str, weights: np.ndarray, *, order: int, pads_start: bool, for_training: bool
) -> ARPHMMData:
    """Padded arrays of one signal and of the plausibilities (samples, states) of its samples."""
    rows = lagged(recording.signal(name), recording.lengths, order, pads_start=pads_start)
    skipped = 0 if pads_start else order
    lengths = recording.lengths - skipped
    longest = padded_length(int(lengths.max()))
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    packed = [
        pad(flat, recording.lengths, skipped, longest, filler)
        for flat, filler in (*zip(rows, (0.0, 0.0, False, False, False), strict=True), (log_weights, 0.0))
    ]
    ones = np.ones(rows.y.shape[1])
    scale = _training_scale(rows, recording, name, order) if for_training else Scale(ones, ones)
    belief = np.full((len(lengths), weights.shape[1]), np.nan)
    return ARPHMMData._make([*packed, lengths.astype(np.int32), belief, scale])


def _training_scale(rows: Lagged, recording: Recording, name: str, order: int) -> Scale:
    where = place(recording.name, f"signal {name}")
    if not rows.usable.any():
        raise InputError(
            f"{where}: no sample has been observed together with the {order} before it, so there is nothing to learn "
            "from. Lower the order, or leave out channels with many missing values."
        )
    scale = data_scale(rows.y, rows.z, rows.usable)
    flat = np.flatnonzero(~(scale.spread > 0))
    if len(flat):
        label = recording.signal(name).names[flat[0]]
        raise InputError(
            f"{place(where, f'channel {label}')}: it never changes in the samples that can be learned from "
            f"(observed together with the {order} before them). Leave it out, or lower the order."
        )
    return scale


def refuse_untrainable(recording: Recording, name: str, order: int) -> None:
    """Refuse what cannot be learned from: sequences shorter than order + 2, channels that never change."""
    short = np.flatnonzero(recording.lengths < order + 2)
    if len(short):
        unit = int(short[0])
        raise InputError(
            f"{place(recording.name, f'sequence {recording.ids[unit]}')}: {int(recording.lengths[unit])} samples, but "
            f"an autoregression of order {order} needs at least {order + 2} to learn from. Drop it, or lower the order."
        )
    signal = recording.signal(name)
    for channel, label in enumerate(signal.names):
        values = signal.values[..., channel][signal.observed[..., channel]]
        where = place(recording.name, f"signal {name}", f"channel {label}")
        if values.size == 0:
            raise InputError(f"{where}: no value was observed. Prepare with DropSilent().")
        if np.ptp(values) == 0:
            raise InputError(f"{where}: it never changes ({values.flat[0]:g}). Prepare with DropSilent().")


def long_enough(recording: Recording, skipped: int) -> tuple[Recording, dict[str, str]]:
    """The sequences that can be answered, and the reason for each of the others.

    Args:
        skipped: Samples that are conditioned on.

    Raises:
        InputError: If none can be answered.
    """
    short = recording.lengths < skipped + 1
    ids = np.asarray(recording.ids)
    refused = {
        str(i): f"{n} samples, but an autoregression of order {skipped} needs at least {skipped + 1}"
        for i, n in zip(ids[short], recording.lengths[short], strict=True)
    }
    if short.all():
        raise InputError(f"{place(recording.name)}: no sequence is long enough: {refused}")
    return (recording.take(ids[~short]) if refused else recording), refused


def refuse_contradiction(
    data: ARPHMMData, recording: Recording, chain: np.ndarray, n_substates: int, transitions: str
) -> None:
    """Refuse knowledge under which no path of states is possible, naming the first row where none is left.

    Args:
        chain: Mask of the allowed transitions of the expanded chain.
    """
    possible = np.isfinite(np.repeat(data.log_weights, n_substates, axis=-1))
    if possible.all():
        return
    skipped = int(recording.lengths[0] - data.lengths[0])
    first = np.arange(possible.shape[-1]) % n_substates == 0
    alive = np.broadcast_to(first, possible[:, 0].shape)
    for time in range(possible.shape[1]):
        alive = (alive if time == 0 else alive @ chain) & possible[:, time]
        dead = ~alive.any(axis=1) & (time < np.asarray(data.lengths))
        if dead.any():
            number = int(np.argmax(dead))
            sample = int(np.sum(recording.lengths[:number])) + time + skipped
            raise IncompatibleKnowledgeError(
                f"{recording.whereabouts(sample)}: what is known of the states leaves no way to get here with "
                f"transitions={transitions!r}. Correct the knowledge up to this row, or allow more transitions."
            )
        alive = np.where(alive.any(axis=1, keepdims=True), alive, True)  # past the end of a sequence
