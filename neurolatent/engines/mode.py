"""What the engines of the density share: a start at the mode that EM finds, and draws that come back as parameters."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PRNGKeyArray
from numpyro.infer.util import constrain_fn

from neurolatent.checks import InputError
from neurolatent.choices import EM, Run, TwoStage
from neurolatent.compiling import compiled, on_device
from neurolatent.engines import em, twostage
from neurolatent.engines.frame import Frame, at_peak
from neurolatent.engines.trained import Trained
from neurolatent.models.protocols import Data, DrawsPart, HasDensity, HasTwoStages


class Start(NamedTuple):
    """The mode, and what is needed to go on from it."""

    mode: Trained
    frame: Frame | None  # None where EM was interrupted
    data: Data  # on the device


def at_mode(settings: EM | TwoStage, model: HasDensity, data: Data, key: PRNGKeyArray) -> Start:
    """Run EM or the two stages, whichever the model learns by, and look at the density around what they found."""
    if isinstance(settings, TwoStage) and settings.calibrate:
        raise InputError(
            "calibrate=True in the start of a sampler would calibrate the state model before it is drawn. Use "
            "TwoStage(calibrate=True, state_draws=200), whose draws are exact and calibrated as a mixture."
        )
    if isinstance(model, HasTwoStages):
        mode = twostage.run(settings if isinstance(settings, TwoStage) else TwoStage(), model, data, key)
    else:
        mode = em.run(settings, model, data, key, options=Run(), identity={})  # type: ignore[arg-type]
    device_data = on_device(data)
    if mode.interrupted:
        return Start(mode, None, device_data)
    return Start(mode, at_peak(model, model.unconstrained_start(mode.params, data), device_data), device_data)


def without_draws(mode: Trained, engine: str) -> Trained:
    """What is returned where Ctrl-C came before the engine had anything to draw."""
    warning = f"Interrupted before the first draw of {engine}: the result is the mode that EM found, without draws."
    return mode._replace(interrupted=True, converged=False, warnings=(*mode.warnings, warning))


def as_parameters(
    model: HasDensity, start: Start, frame: Frame, rows: Sequence[Float[Array, "draws dimension"]]
) -> Any:
    """Draws of each chain, in the coordinates of the frame, as parameters (chain, draw), matched to the mode."""
    kind = model.drawn if isinstance(model, DrawsPart) else type(start.mode.params)
    values = [jax.device_get(_constrained(model, frame, start.data, chain)) for chain in rows]
    parts = [kind(*(value[name] for name in kind._fields)) for value in values]
    matched = [model.relabel(part, start.mode.params, start.data) for part in parts]
    return kind(*(np.stack([np.asarray(leaf) for leaf in leaves]) for leaves in zip(*matched, strict=True)))


def mean_of(draws: Any, model: HasDensity, mode: Trained) -> Any:
    """The parameters at the mean over chains and draws; what is not drawn is that of the mode."""
    mean = type(draws)(*(leaf.mean(axis=(0, 1)) for leaf in draws))
    return model.under(mode.params, mean) if isinstance(model, DrawsPart) else mean


@compiled(static=(0,))
def _constrained(model: HasDensity, frame: Frame, data: Data, draws: Array) -> dict[str, Array]:
    """The program's sites at the draws (leading axis)."""
    flat, unravel = ravel_pytree(frame.centre)

    def one(row: Array) -> dict[str, Array]:
        values = unravel(flat + frame.factor @ row)
        return constrain_fn(model.numpyro_model, (data,), {}, values, return_deterministic=True)

    return jax.lax.map(one, draws)
