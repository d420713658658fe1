"""Recordings drawn from the model, with their truth."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from neurolatent.checks import InputError
from neurolatent.models.hmmglm.families import Categorical
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.programs import simulate_paths
from neurolatent.models.hmmglm.rollout import HIGHEST, refuse_explosion
from neurolatent.recording import Recording

Rows = Sequence[np.ndarray] | None


def simulated(
    model: Any, params: HMMGLMParams, key: PRNGKeyArray, lengths: Sequence[int], *, covariates: Rows, inputs: Rows
) -> Recording:
    """Sequences of the given lengths: the targets, ``state``, and covariates and inputs where there are some."""
    refuse_explosion(model, params)
    key_paths, *keys = jax.random.split(key, 3)
    targets, width = params.bias.shape[-1], params.weights.shape[-1]
    functions = 1 if model.learns_kernel else model.kernel.basis().shape[1]
    sizes = (width - functions * targets, params.drive.shape[-1] if np.size(params.drive) else 0)
    given = [_padded(rows, lengths, k, n) for rows, k, n in zip((covariates, inputs), keys, sizes, strict=True)]
    device = HMMGLMParams(*map(jnp.asarray, params))
    paths = jax.random.split(key_paths, len(lengths))
    y, states, top = jax.device_get(simulate_paths(model, device, paths, *given))
    if model.kernel.length and not model.is_choice and top.max() > HIGHEST:
        raise InputError(f"a mean of {top.max():.3g} was reached, beyond {HIGHEST:g}: scale the weights down")
    return _recording(model, lengths, (y, states, *given))


def _padded(rows: Rows, lengths: Sequence[int], key: PRNGKeyArray, size: int) -> np.ndarray:
    """(sequences, longest, size)."""
    out = np.array(jax.random.normal(key, (len(lengths), max(lengths), size)))
    for number, row in enumerate(rows or ()):
        out[number, : lengths[number]] = row
    return out


def _recording(model: Any, lengths: Sequence[int], padded: tuple[np.ndarray, ...]) -> Recording:
    y, states, covariates, inputs = padded
    if isinstance(model.family, Categorical):
        y = (y @ np.arange(1, model.family.n_classes))[..., None]
    kind = model.family.kinds[-1] if isinstance(model.family, Categorical) else model.family.kinds[0]
    name = model.signal or ("choice" if model.is_choice else "signal")
    values = {name: y if kind == "continuous" else y.astype(int), "state": states[..., None]}
    kinds = {name: kind, "state": "category"}
    names = (model.covariates or "covariates", model.driven.signal if model.driven else "inputs")
    for label, rows in zip(names, (covariates, inputs), strict=True):
        if rows.shape[-1] and label not in values:
            values[label], kinds[label] = rows, "continuous"
    cut = {n: [row[:length] for row, length in zip(v, lengths, strict=True)] for n, v in values.items()}
    return Recording.of(cut, kinds=kinds, clock_unit="trial" if model.is_choice else "bin", name="simulated")
