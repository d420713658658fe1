"""The figure of a sweep: one panel per figure, along the first key of its grid."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    "model.w": "meta-prior w",
    "transition.b_to_c": "rate of B to C in a closed loop",
    "illegal_share": "share of illegal transitions",
    "ngram6": "divergence of 6-symbol words (nats)",
    "rec": "reconstruction (nats per sequence)",
    "kl.1": "divergence of layer 1 (nats per sequence)",
}
HELD_OUT = ("states.agreement", "forecast.rmse")
PATTERNS = ("transition.b_to_c", "illegal_share", "ngram6", "rec", "kl.1")  # medians: single seeds may fail
LOGARITHMIC = ("illegal_share", "ngram6", "rec")


def sweep_figure(sweep: Sweep, figures: Sequence[str]) -> Figure:
    """Centre and spread over seeds of the named figures along the sweep, one panel each."""
    along, _ = sweep.axes()
    is_weight = along.rpartition(".")[2] == "w"
    how: Any = {"centre": "median", "band": "range"} if is_weight else {}
    columns = min(len(figures), 3)
    rows = -(-len(figures) // columns)
    with house_style():
        drawn, axes = plt.subplots(
            rows, columns, figsize=(5.2 * columns, 3.6 * rows), squeeze=False, layout="constrained"
        )
        for ax in axes.ravel()[len(figures) :]:
            ax.remove()
        for ax, figure in zip(axes.ravel(), figures, strict=False):
            values, series = sweep.series(figure)
            seed_curves(values, series, labels=(LABELS.get(along, along), LABELS.get(figure, figure)), ax=ax, **how)
            if is_weight and values.min() > 0:
                ax.set_xscale("log")
                ax.set_yscale("log" if figure in LOGARITHMIC else "linear")
    return drawn


def save_sweep(sweep: Sweep, path: Path) -> Path:
    """Write the figure of what a sweep measured on data that its fits have not seen, else of its likelihood."""
    measured = [f for f in (*HELD_OUT, *PATTERNS) if f in sweep.figures[0]]
    drawn = sweep_figure(sweep, measured or ["loglik"])
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.savefig(path, dpi=150, facecolor="white")
    plt.close(drawn)
    return path
