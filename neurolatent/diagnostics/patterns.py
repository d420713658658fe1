"""Does what was learned hold up, of a recurrent network whose latents may collapse, explode or stick at a limit?"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from neurolatent.diagnostics.rows import Row, graded
from neurolatent.models.pvrnn.joint import CLIP
from neurolatent.result import Fit

COLLAPSED = 1e-3  # nats per step: specification, section 10
EXPLODED = 1e3  # nats per step: the same
AT_CLIP = 0.01  # share of standard deviations; ours
SLACK = 1e-3  # of a logarithm, within which it is at its limit


def pattern_rows(fit: Fit) -> Iterable[Row]:
    """Did all epochs have a number, is every layer used, did a divergence explode, are standard deviations free?"""
    engine: Any = fit.engine
    planned, finite = engine.epochs, finite_epochs(fit)
    whole = fit.interrupted or finite >= planned or not any("no number" in words for words in fit.warnings)
    worst = float(max(np.nanmax(trace) for trace in divergence_traces(fit)) / steps_of(fit))
    stuck = share_at_clip(fit)
    return [
        Row(
            "epochs whose objective was a number",
            float(finite),
            f"{planned}",
            "pass" if whole else "fail",
            "Training stopped there; the warnings name the layer. Lower learning_rate, or set clip to 1 or 10.",
        ),
        *_collapse(fit),
        Row(
            "largest divergence of a layer in any epoch (nats per step)",
            worst,
            f"<= {EXPLODED:g}",
            graded(worst, worst <= EXPLODED, True),
            "The divergence exploded: set clip to between 1 and 10, or adaptive_start='prior'.",
        ),
        Row(
            "share of standard deviations at a limit of their clip",
            stuck,
            f"<= {AT_CLIP}",
            graded(stuck, stuck <= AT_CLIP, True),
            "A clipped deviation has no gradient. At the lower limit the layer is deterministic: choose another w.",
        ),
    ]


def _collapse(fit: Fit) -> list[Row]:
    if fit.model.deterministic:
        return []
    each = divergences(fit)
    return [
        Row(
            f"divergence of layer {n} (nats per step)",
            float(value),
            f">= {COLLAPSED:g}",
            graded(float(value), bool(value >= COLLAPSED), True),
            f"Layer {n} has collapsed: its posterior is its prior and tells nothing. Lower its w.",
        )
        for n, value in enumerate(each, 1)
    ]


def divergences(fit: Fit) -> np.ndarray:
    """(layers,) mean divergence of posterior from prior per step of the training sequences, nats."""
    return fit.idata["latents"]["kl"].values.mean(axis=0) / steps_of(fit)


def collapsed_layers(fit: Fit) -> list[str]:
    """Names of the layers that tell nothing."""
    return [str(n) for n, value in enumerate(divergences(fit), 1) if value < COLLAPSED]


def steps_of(fit: Fit) -> float:
    """Mean length of the training sequences."""
    return fit.facts["n_samples"] / fit.facts["n_sequences"]


def finite_epochs(fit: Fit) -> int:
    """Epochs of the kept restart whose objective was a number."""
    trace = fit.idata["trace"]
    return int(np.isfinite(trace["objective"].values[int(trace["best"])]).sum())


def divergence_traces(fit: Fit) -> list[np.ndarray]:
    """The divergence of each layer in every epoch, nats per sequence."""
    trace = fit.idata["trace"]
    return [trace[f"kl.{n}"].values[int(trace["best"])] for n in range(1, len(fit.model.layers) + 1)]


def share_at_clip(fit: Fit) -> float:
    """Share of prior and posterior standard deviations that are clipped."""
    found = fit.idata["latents"]
    if fit.model.deterministic:
        return 0.0
    logs = np.log(np.stack([found[name].values for name in ("prior_sd", "posterior_sd")]))
    return float(((logs <= CLIP[0] + SLACK) | (logs >= CLIP[1] - SLACK)).mean())
