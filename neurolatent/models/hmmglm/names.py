"""Names of parameters and latent quantities, of their dimensions, and of the places along them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurolatent.checks import InputError
from neurolatent.models.hmmglm.door import inputs_of
from neurolatent.models.hmmglm.families import Categorical
from neurolatent.models.hmmglm.onehot import OneHot
from neurolatent.models.hmmglm.params import SIDES, TYPES, HMMGLMParams
from neurolatent.models.hmmglm.priors import Hierarchical
from neurolatent.models.hmmglm.select import columns_of
from neurolatent.models.hmmglm.sparse import Horseshoe, SpikeSlab
from neurolatent.recording import Recording


def dimensions(model: Any) -> Mapping[str, tuple[str, ...]]:
    """Dimensions of parameters and latent quantities, after draws, or after sequence and time."""
    full = {
        "initial": ("state",),
        "transition": ("state", "state_to"),
        "weights": ("state", "target", "regressor"),
        "bias": ("state", "target"),
        "taps": ("state", "target", "lag"),
        "noise": ("state", "target"),
        "kernel": ("lag",),
        "centre": ("target", "regressor"),
        "spread": (),
        "connectome": ("target", "regressor", "type"),
        "types": ("state", "target", "regressor", "type"),
        "strength": ("state", "target", "regressor"),
        "lapse": ("state", "side"),
        "drive": ("state", "input"),
    }
    learned = learned_fields(model)
    each = "target" if isinstance(model.family, Categorical) else "feature"
    latents = {
        "filtered": ("state",),
        "smoothed": ("state",),
        "predicted_mean": (each,),
        "predicted_sd": (each,),
        "residual": (each,),
        "occupancy": ("state",),
    }
    return {name: dims if name in learned else ("unused",) for name, dims in full.items()} | latents


def learned_fields(model: Any) -> set[str]:
    """Names of the parameters that this model has."""
    named = {"initial", "transition", "weights", "bias"}
    optional = {
        "taps": model.has_own_lags,
        "noise": model.has_noise,
        "kernel": model.learns_kernel,
        "centre": isinstance(model.prior, (Hierarchical, Horseshoe, SpikeSlab)),
        "spread": isinstance(model.prior, (Hierarchical, Horseshoe, SpikeSlab)),
        "connectome": isinstance(model.prior, (OneHot, SpikeSlab)),
        "types": isinstance(model.prior, OneHot),
        "strength": isinstance(model.prior, OneHot),
        "lapse": model.lapses is not None,
        "drive": model.driven is not None,
    }
    return named | {name for name, has in optional.items() if has}


def coordinates(model: Any, recording: Recording) -> Mapping[str, list[Any]]:
    """Labels: states, targets, regressors, lags (in bins), types of couplings, inputs."""
    name = model.signal_of(recording)
    features = list(model.channels) or recording.signal(name).names
    targets = features
    if isinstance(model.family, Categorical):
        words = recording.signal(name).levels() or [str(c) for c in range(model.family.n_classes)]
        targets = words[1 : model.family.n_classes]
    columns = columns_of(recording, model.covariates_of(recording), model.covariate_channels)[1]
    return {
        "state": model.state_names(),
        "state_to": model.state_names(),
        "feature": features,
        "target": targets,
        "regressor": [*model.kernel.names(features), *columns],
        "lag": list(range(1, model.kernel.length + 1)),
        "type": list(TYPES),
        "side": list(SIDES),
        "input": columns_of(recording, *inputs_of(model))[1],
        "unused": [],
    }


def params_from(model: Any, values: Mapping[str, Any]) -> HMMGLMParams:
    """Parameters from their names; what this model does not have may be left out."""
    missing = [n for n in sorted(learned_fields(model)) if n not in values]
    if missing:
        raise InputError(f"parameters of the HMM-GLM: {missing[0]!r} is missing. Given: {sorted(values)}")
    lead = np.shape(values["initial"])[:-1]
    empty = np.zeros((*lead, 0))
    params = HMMGLMParams(**{n: np.asarray(values.get(n, empty), float) for n in HMMGLMParams._fields})
    for name in ("initial", "transition"):
        rows = getattr(params, name)
        if (rows < 0).any() or not np.allclose(rows.sum(axis=-1), 1.0, atol=1e-6):
            raise InputError(f"{name}: rows of probabilities must sum to 1, got {rows.tolist()}")
    return params
