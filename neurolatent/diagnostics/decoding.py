"""Does what was learned hold up, of a model that decodes a signal?"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from neurolatent.diagnostics.rows import Row, graded
from neurolatent.result import Fit

INDEFINITE_WARN = 0.1  # share of bins in which a rule stepped in; the specification warns above it
SKIPPED_WARN = 0.05
TOLD_PASS, TOLD_WARN = 0.2, 0.0  # share of the state's variance that the regression tells of unseen rows
OFF_PASS, OFF_WARN = 0.02, 0.05  # distance of the 95 % ellipses from 95 %
PARTICLES_PASS, PARTICLES_WARN = 50, 10  # effective sample size of a particle filter; ours


def decoding_rows(fit: Fit) -> Iterable[Row]:
    """Does the regression tell the state, is the state model stable, are bins usable, are the spreads honest?"""
    state, noise = fit.params.state, fit.params.noise
    told = 1 - float(np.trace(np.linalg.solve(state.stationary, noise.mean))) / len(state.stationary)
    radius = float(np.abs(np.linalg.eigvals(state.transition)).max())
    latents = fit.idata["latents"]
    indefinite, skipped = (float((latents[name].values == 1).mean()) for name in ("indefinite", "skipped"))
    gain = float(latents["log_increment"].values.mean())
    rows = [
        Row(
            "share of the state told by the regression on unseen rows",
            told,
            f">= {TOLD_PASS}",
            graded(told, told >= TOLD_PASS, told >= TOLD_WARN),
            "The inputs hardly tell the target: look at lags between them, add bins_before, or try another regressor.",
        ),
        Row(
            "spectral radius of the state's transition",
            radius,
            "< 0.999",
            graded(radius, radius < 0.999, radius < 1),
            "The state hardly returns to its mean: decode velocity instead of position, or use robust=True.",
        ),
        Row(
            "share of bins in which a rule stepped in",
            indefinite,
            f"<= {INDEFINITE_WARN}",
            graded(indefinite, indefinite <= INDEFINITE_WARN, True),
            "The three rules differ in such bins: compare on_indefinite, or use a constant noise.",
        ),
        Row(
            "share of bins that were skipped",
            skipped,
            f"<= {SKIPPED_WARN}",
            graded(skipped, skipped <= SKIPPED_WARN, True),
            "Bins are missing or have a channel beyond outlier: drop that channel, or saturate it.",
        ),
        Row(
            "evidence gained per bin by filtering (nats)",
            gain,
            "> 0",
            graded(gain, gain > 0, True),
            "The course of the state does not help: check that rows are in order of time and cut at gaps.",
        ),
    ]
    return [*rows, *_particles(latents), *_calibration(fit)]


def _particles(latents: Any) -> list[Row]:
    """How many particles count, in the mean of the bins; nothing where there are none."""
    if "effective_particles" not in latents:
        return []
    count = float(latents["effective_particles"].mean())
    advice = "Few particles carry each belief: raise particles, or take an unscented Kalman filter."
    shown = graded(count, count >= PARTICLES_PASS, count >= PARTICLES_WARN)
    return [Row("particles that count (effective sample size)", count, f">= {PARTICLES_PASS}", shown, advice)]


def _calibration(fit: Fit) -> list[Row]:
    """Coverage of held-out rows before and after the calibration; nothing without one."""
    trace = fit.idata["trace"]
    if "coverage_after" not in trace:
        return []
    after = float(trace["coverage_after"])
    off = abs(after - 0.95)
    advice = "The ellipses could not be calibrated: give more training rows."
    return [
        Row(
            "held-out coverage of the 95 % ellipses",
            after,
            "0.93 to 0.97",
            graded(off, off <= OFF_PASS, off <= OFF_WARN),
            advice,
        )
    ]
