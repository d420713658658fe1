"""Choices that contradict each other and data that cannot be learned from are refused; doubtful data are warned of."""

import warnings
from typing import Any

import numpy as np

from neurolatent.checks import InputError, at_least, one_of, place, positive, whole_number
from neurolatent.models.hmmglm.families import Bernoulli, Categorical, Gaussian, Poisson
from neurolatent.models.hmmglm.history import Exponential, Learned, NoHistory
from neurolatent.models.hmmglm.onehot import OneHot
from neurolatent.models.hmmglm.select import Taken
from neurolatent.models.hmmglm.sparse import Horseshoe, SpikeSlab
from neurolatent.models.protocols import ModelWarning
from neurolatent.recording import Recording

FEW_SPIKES = 10  # spec of the method, section 12
RARE, FREQUENT = 1e-3, 20.0  # mean counts per bin beyond which the bin width is doubtful


def refuse_choices(model: Any) -> None:
    """Refuse choices that make no sense, each for itself or together."""
    whole_number("n_states", model.n_states, 1)
    one_of("self_coupling", model.self_coupling, ("none", "zero", "free", "shared"))
    one_of("bias", model.bias, ("state", "shared"))
    at_least("alpha (a concentration that has a mode)", model.alpha, 1.0)
    positive("taps_sd", model.taps_sd)
    if model.kappa is not None:
        at_least("kappa", model.kappa, 0.0)
    if model.bias_sd is not None:
        positive("bias_sd", model.bias_sd)
    _refuse_contradictions(model)


def _refuse_contradictions(model: Any) -> None:
    if model.lapses is not None and not isinstance(model.family, Bernoulli):
        raise InputError("lapses belong to choices between two: take family=Bernoulli(), or leave them out")
    if isinstance(model.family, Categorical) and not isinstance(model.kernel, NoHistory):
        raise InputError("the past of a choice among several classes is no regressor: put it into the covariates")
    if not isinstance(model.prior, (OneHot, Horseshoe, SpikeSlab)):
        return
    name = type(model.prior).__name__
    if not model.kernel.length or model.covariates is not None:
        raise InputError(f"{name} is a prior of couplings: give a history, and leave out the covariates")
    if not isinstance(model.kernel, (Exponential, Learned)):
        raise InputError(f"{name} needs one weight for each pair: take the kernel Exponential or Learned")


def unfit_engines(model: Any) -> dict[str, str]:
    """Names of the engines that do not learn under the prior, with the reason."""
    name = type(model.prior).__name__
    if isinstance(model.prior, (Horseshoe, SpikeSlab)):
        return {"EM": f"{name} has no mode for EM to find: take NUTS or SVI, or the prior OneHot or Hierarchical"}
    if isinstance(model.prior, OneHot):
        return dict.fromkeys(("NUTS", "SVI"), "OneHot is learned by EM: for draws take the prior SpikeSlab")
    return {}


def refuse_untrainable(taken: Taken, recording: Recording, model: Any, names: list[str]) -> None:
    """Refuse what cannot be learned from; warn of what is doubtful."""
    where = place(recording.title, f"signal {model.signal_of(recording)}")
    bins = int(taken.observed.any(axis=1).sum())
    if bins < 10 * model.n_states:
        raise InputError(
            f"{where}: {bins} observed samples are too few for n_states={model.n_states}: at least 10 for each state. "
            "Choose fewer states."
        )
    length = model.kernel.length
    short = np.flatnonzero(recording.lengths <= length)
    if length and len(short):
        raise InputError(
            f"{where}, sequence {recording.ids[short[0]]}: {recording.lengths[short[0]]} bins, but the history is "
            f"{length} long. Drop the sequence, or shorten the kernel."
        )
    _CHECKS[type(model.family)](taken, recording, where, model)
    _refuse_columns(taken, f"{recording.title}: covariates", names, with_bias=True)


def _refuse_columns(taken: Taken, where: str, names: list[str], *, with_bias: bool) -> None:
    """Refuse covariates that never change; warn where they nearly repeat each other."""
    seen = taken.observed.any(axis=1)
    x = taken.covariates[seen]
    flat = np.flatnonzero(np.ptp(x, axis=0) == 0) if x.size else []
    if len(flat):
        raise InputError(
            f"{where}: {names[flat[0]]!r} never changes ({x[0, flat[0]]:g}). Leave it out: the model has its own bias."
        )
    if not x.size:
        return
    scaled = np.concatenate([x / x.std(axis=0), np.ones((len(x), 1))], axis=1)
    if np.linalg.cond(scaled) > 1e8:
        loads = np.abs(np.linalg.svd(scaled, full_matrices=False)[2][-1])
        worst = [n for n, load in zip([*names, "bias"], loads, strict=True) if load > 0.1]
        message = (
            f"{where}: {', '.join(worst)} depend on each other linearly, so their weights are not determined apart."
        )
        warnings.warn(f"{message} Leave one of them out.", ModelWarning, stacklevel=5)


def _check_counts(taken: Taken, recording: Recording, where: str, model: Any) -> None:
    names = recording.signal(model.signal_of(recording)).names
    total = np.where(taken.observed, taken.y, 0.0).sum(axis=0)
    for label, count, seen in zip(names, total, taken.observed.sum(axis=0), strict=True):
        if seen == 0 or count == 0:
            raise InputError(f"{where}, channel {label}: not a single spike. Leave it out: prepare with DropSilent().")
    few = [f"{n} ({int(c)})" for n, c in zip(names, total, strict=True) if c < FEW_SPIKES]
    mean = total / np.maximum(taken.observed.sum(axis=0), 1)
    if few:
        _warn(f"{where}: fewer than {FEW_SPIKES} spikes in {', '.join(few)}: their weights are those of the prior")
    if (mean < RARE).any() or (mean > FREQUENT).any():
        _warn(f"{where}: mean counts per bin from {mean.min():.2g} to {mean.max():.2g}; choose another bin width")


def _check_choices(taken: Taken, recording: Recording, where: str, model: Any) -> None:
    seen = taken.observed.all(axis=1)
    chosen = taken.y[seen]
    counts = np.concatenate([[(chosen.sum(axis=1) == 0).sum()], chosen.sum(axis=0)])
    if (counts > 0).sum() < 2:
        raise InputError(f"{where}: every choice is {int(np.argmax(counts))}, so there is nothing to learn.")
    if (counts == 0).any():
        raise InputError(f"{where}: class {int(np.argmin(counts))} is never chosen. Take fewer n_classes.")


def _check_values(taken: Taken, recording: Recording, where: str, model: Any) -> None:
    names = recording.signal(model.signal_of(recording)).names
    for channel, label in enumerate(names):
        values = taken.y[taken.observed[:, channel], channel]
        if len(values) == 0 or np.ptp(values) == 0:
            raise InputError(f"{where}, channel {label}: it never changes. Prepare with DropSilent().")


_CHECKS = {Poisson: _check_counts, Bernoulli: _check_choices, Categorical: _check_choices, Gaussian: _check_values}


def _warn(message: str) -> None:
    warnings.warn(message, ModelWarning, stacklevel=6)
