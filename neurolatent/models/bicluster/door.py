"""The door of the model: counts of one sequence, and what cannot be learned from."""

import warnings
from typing import Any

import jax
import numpy as np

from neurolatent.checks import InputError, place
from neurolatent.models.bicluster.dynamics import stable_share
from neurolatent.models.bicluster.params import MOST_STEPS, BiclusterData, BiclusterParams, data_of
from neurolatent.models.protocols import ModelWarning, Selected
from neurolatent.recording import Recording, Signal

LEAST_BINS = 10
LEAST_STABLE = 0.002  # share of the laws of the prior
RARE = 0.05  # mean count per bin
MANY = 1000  # events in a bin
ALIKE = 8  # largest counts are rounded up to a multiple, so that like recordings share a compiled program; ours


def signal_of(model: Any, recording: Recording) -> str:
    """Name of the signal of counts: the one that the model names, or the only one of that kind."""
    if model.signal is not None:
        recording.signal(model.signal)
        return model.signal
    counts = [name for name, signal in recording.signals.items() if signal.kind == "counts"]
    if len(counts) != 1:
        kinds = {name: signal.kind for name, signal in recording.signals.items()}
        raise InputError(
            f"{recording.title}: {len(counts)} signals are counts ({kinds}). Name one by signal=..., or say "
            "kinds={...: 'counts'} when the recording is made."
        )
    return counts[0]


def selected(model: Any, recording: Recording, *, for_training: bool) -> Selected:
    """Counts (neuron, bin) of the only sequence."""
    name = signal_of(model, recording)
    signal, where = recording.signal(name), place(recording.title, f"signal {name}")
    if signal.kind != "counts":
        raise InputError(f"{where}: counts are needed, and this is {signal.kind}. Bin spikes, do not smooth them.")
    if signal.values.ndim != 2:
        raise InputError(f"{where}: counts must be (bins, neurons), got shape {signal.values.shape}. Flatten channels.")
    if recording.n_sequences != 1:
        raise InputError(
            f"{recording.title}: {recording.n_sequences} sequences, but trajectories run through one. Take one by "
            "recording.take, or make the recording of the whole session."
        )
    counts, seen = signal.filled().T, signal.observed.T.astype(float)
    if for_training:
        _refuse_untrainable(model, signal, where)
        if model.birth == "heuristic":
            _warn("birth='heuristic': clusters are not born from the prior, so draws are not of the posterior.")
        if model.coupling == "full":
            _warn("coupling='full': births and deaths put zeros in the laws, so draws are not of the posterior.")
    most = int(counts.max(initial=0))
    data = data_of(counts, seen, steps=-(-most // ALIKE) * ALIKE if most <= MOST_STEPS else 0)
    return Selected(jax.device_get(data), recording, 0, {})


def refuse_other(params: BiclusterParams, data: BiclusterData) -> None:
    """Refuse counts that a draw's trajectories are not of: they belong to the bins and neurons that were fitted."""
    fitted = (params.label.shape[-1], params.state.shape[-1])
    if data.counts.shape != fitted:
        raise InputError(
            f"the draws are of {fitted[0]} neurons in {fitted[1]} bins, the recording has {data.counts.shape[0]} in "
            f"{data.counts.shape[1]}: trajectories are those of the bins that were fitted. Fit the new recording."
        )


def _refuse_untrainable(model: Any, signal: Signal, where: str) -> None:
    """Refuse what is too little; warn of neurons whose cluster the counts cannot tell."""
    bins, neurons = signal.values.shape[0], signal.n_channels
    if neurons < 2:
        raise InputError(f"{where}: {neurons} neuron; at least 2 are needed for clusters of them")
    if bins < LEAST_BINS:
        raise InputError(f"{where}: {bins} bins; at least {LEAST_BINS} are needed")
    if model.n_factors >= min(neurons, bins):
        raise InputError(
            f"n_factors must be below the number of neurons ({neurons}) and that of bins ({bins}), "
            f"got {model.n_factors}"
        )
    if model.max_clusters is not None and model.max_clusters > neurons:
        raise InputError(f"max_clusters must be at most the number of neurons ({neurons}), got {model.max_clusters}")
    share = stable_share(model)
    if share < LEAST_STABLE:
        raise InputError(
            f"n_factors={model.n_factors}, law_precision={model.law_precision:g}: {100 * share:.2g} % of the "
            "prior's laws of motion are stable, too few to draw from. Raise law_precision, or take fewer factors."
        )
    names, observed = np.array(signal.names), signal.observed.sum(axis=0)
    if (observed == 0).any():
        raise InputError(f"{where}: nothing was observed of {str(names[observed == 0][0])!r}. Drop it (DropSilent).")
    mean = signal.filled().sum(axis=0) / observed
    for low, words in ((mean == 0, "are silent: their cluster is that of the prior"), (mean < RARE, "are rare")):
        if low.any():
            _warn(f"{where}: {', '.join(names[low][:5])} ({low.sum()} neurons) {words} (mean count {mean.min():.3g}).")
            break
    if signal.values.max() > MANY:
        _warn(f"{where}: up to {signal.values.max()} events in a bin. Shorter bins sample faster.")


def _warn(words: str) -> None:
    warnings.warn(words, ModelWarning, stacklevel=2)
