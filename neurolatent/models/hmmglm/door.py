"""The door of the model: which signals of a recording it reads, and what it makes of them."""

from typing import Any

import numpy as np
from jaxtyping import Float

from neurolatent.checks import InputError, place
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.families import Poisson
from neurolatent.models.hmmglm.refusals import refuse_untrainable
from neurolatent.models.hmmglm.select import Taken, columns_of, make_data, mask_missing, targets_of
from neurolatent.models.protocols import Selected
from neurolatent.recording import Recording


def signal_of(model: Any, recording: Recording) -> str:
    """Name of the signal that is modelled: the chosen one, or the only one of a kind that suits the family."""
    if model.signal is not None:
        recording.signal(model.signal)
        return model.signal
    kinds, others = model.family.kinds, ("state", model.covariates)
    found = [n for n, s in recording.signals.items() if s.kind in kinds and n not in others]
    usual = "choice" if model.is_choice else "spikes"
    if usual in found:
        return usual
    exact = [n for n in found if recording.signal(n).kind == kinds[0]]
    found = exact if len(found) > 1 and len(exact) == 1 else found
    if len(found) != 1:
        raise InputError(
            f"{place(recording.title)}: which signal shall be modelled? {type(model.family).__name__} wants one of "
            f"kind {' or '.join(kinds)}. Choose signal= among {found or list(recording.signals)}, or "
            f"say what it is when the recording is made: kinds={{name: {kinds[0]!r}}}."
        )
    return found[0]


def covariates_of(model: Any, recording: Recording) -> str | None:
    """Name of the signal of covariates; None where there is none."""
    if model.covariates is not None:
        recording.signal(model.covariates)
        return model.covariates
    return "covariates" if model.is_choice and "covariates" in recording.signals else None


def inputs_of(model: Any) -> tuple[str | None, tuple[str, ...]]:
    """Signal and channels of the inputs of the transitions; None where they are constant."""
    return (None, ()) if model.driven is None else (model.driven.signal, model.driven.channels)


def modelled_values(model: Any, recording: Recording) -> Float[np.ndarray, "samples features"]:
    """Values of the signal that is modelled, sequences end to end; NaN where nothing was observed."""
    name = signal_of(model, recording)
    signal = recording.with_channels(name, model.channels).signal(name)
    return np.where(signal.observed, signal.values, np.nan).reshape(len(signal.values), -1)


def selected(model: Any, recording: Recording, *, for_training: bool, use_knowledge: bool) -> Selected:
    """Padded arrays of the recording; the past never crosses sequences, and what was not observed counts as 0."""
    name = signal_of(model, recording)
    recording = recording.with_channels(name, model.channels)
    y, seen = targets_of(recording.signal(name), model.family, place(recording.title, f"signal {name}"))
    covariates = covariates_of(model, recording)
    x, labels = columns_of(recording, covariates, model.covariate_channels)
    inputs, _ = columns_of(recording, *inputs_of(model))
    taken = Taken(y, mask_missing(seen, recording, covariates), x, inputs)
    if for_training:
        refuse_untrainable(taken, recording, model, labels)
    weights = np.ones((recording.n_samples, model.n_states))
    if use_knowledge:
        weights = recording.knowledge.render(recording, model.n_states)
    data = make_data(taken, recording, weights, kernel=model.kernel, own_lags=model.has_own_lags)
    return Selected(_scaled(model, data, taken) if for_training else data, recording, model.skipped, {})


def _scaled(model: Any, data: HMMGLMData, taken: Taken) -> HMMGLMData:
    """With the centre of the bias and the spread of the targets."""
    if model.is_choice:
        return data
    columns = [column[seen] for column, seen in zip(taken.y.T, taken.observed.T, strict=True)]
    mean = np.array([column.mean() for column in columns])
    if isinstance(model.family, Poisson):
        return data._replace(centre=np.asarray(model.family.link.inverse(mean)))
    return data._replace(centre=mean, scale=np.array([column.std() for column in columns]))
