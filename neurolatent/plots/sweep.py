"""The figure of a sweep: one panel per figure, along the first key of its grid."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from neurolatent.comparison import Sweep
from neurolatent.plots.curves import seed_curves
from neurolatent.plots.style import house_style

LABELS = {
    "states.agreement": "adjusted Rand index of states",
    "states.accuracy": "share of steps in the right state",
    "forecast.rmse": "forecast error (units of the signal)",
    "loglik": "log likelihood (nats)",
    "data.knowledge.labels.nu": "non-specificity of the labels, nu",
    "data.knowledge.labels.share": "share of labelled steps",
    "data.knowledge.noisy_labels.error": "mean probability that a label is wrong",
}


def sweep_figure(sweep: Sweep, figures: Sequence[str]) -> Figure:
    """Mean and spread over seeds of the named figures along the sweep, one panel each."""
    along, _ = sweep.axes()
    with house_style():
        drawn, axes = plt.subplots(
            1, len(figures), figsize=(5.2 * len(figures), 3.6), squeeze=False, layout="constrained"
        )
        for ax, figure in zip(axes[0], figures, strict=True):
            values, series = sweep.series(figure)
            seed_curves(values, series, labels=(LABELS.get(along, along), LABELS.get(figure, figure)), ax=ax)
    return drawn


def save_sweep(sweep: Sweep, path: Path) -> Path:
    """Write the figure of what a sweep measured on data that its fits have not seen, else of its likelihood."""
    measured = [f for f in ("states.agreement", "forecast.rmse") if f in sweep.figures[0]]
    drawn = sweep_figure(sweep, measured or ["loglik"])
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.savefig(path, dpi=150, facecolor="white")
    plt.close(drawn)
    return path
