"""The figure of a sweep: one panel per figure, along the first key of its grid."""

from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurolatent.comparison import Sweep
from neurolatent.plots.curves import seed_curves
from neurolatent.plots.style import axes_or_new, house_style

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
    "kl": "divergence (nats per sequence)",
    "sigma_share": "share of sigma that stays",
    "test.kl": "divergence of unseen sequences (nats)",
}
HELD_OUT = ("states.agreement", "forecast.rmse")
PATTERNS = ("transition.b_to_c", "illegal_share", "ngram6", "rec", "kl", "sigma_share", "test.kl")
WIDE = 30.0  # an axis whose values differ by more than this factor is logarithmic


class Panel(NamedTuple):
    """What stands in one panel: a figure, or one of every layer."""

    name: str
    figures: dict[str, str]  # label of the curve to name of the figure

    @property
    def label(self) -> str:
        """Words for its axis."""
        return LABELS.get(self.name, self.name)


def panels_of(sweep: Sweep) -> list[Panel]:
    """What a sweep measured on data that its fits have not seen or of patterns, else the likelihood of its fits."""
    known, found = sweep.figures[0], []
    for name in (*HELD_OUT, *PATTERNS):
        layers = {f"layer {key.rpartition('.')[2]}": key for key in known if _is_layer(key, name)}
        figures = {name: name} if name in known else layers
        found += [Panel(name, figures)] if figures else []
    return found or [Panel("loglik", {"loglik": "loglik"})]


def _is_layer(key: str, name: str) -> bool:
    stem, _, layer = key.rpartition(".")
    return stem == name and layer.isdigit()


def sweep_panel(sweep: Sweep, panel: Panel, *, ax: Axes | None = None) -> Axes:
    """Centre and spread over seeds along the sweep; medians and ranges along a meta-prior, where single seeds fail."""
    ax = axes_or_new(ax)
    along, _ = sweep.axes()
    is_weight = along.rpartition(".")[2] == "w"
    how: Any = {"centre": "median", "band": "range"} if is_weight else {}
    values, series = np.zeros(0), {}
    for name, figure in panel.figures.items():
        values, own = sweep.series(figure)
        words = [name] if len(panel.figures) > 1 else []
        series |= {", ".join([*words, *([key] if key != figure else [])]) or name: v for key, v in own.items()}
    seed_curves(values, series, labels=(LABELS.get(along, along), panel.label), ax=ax, **how)
    if is_weight and values.min() > 0:
        ax.set_xscale("log")
        ax.set_yscale("log" if _is_wide(series) else "linear")
    return ax


def _is_wide(series: dict[str, np.ndarray]) -> bool:
    every = np.concatenate([v.ravel() for v in series.values()])
    above = every[np.isfinite(every) & (every > 0)]
    return len(above) > 0 and bool(above.max() > WIDE * above.min())


def sweep_figure(sweep: Sweep) -> Figure:
    """All panels of a sweep side by side."""
    panels = panels_of(sweep)
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    with house_style():
        drawn, axes = plt.subplots(
            rows, columns, figsize=(5.2 * columns, 3.6 * rows), squeeze=False, layout="constrained"
        )
        for ax in axes.ravel()[len(panels) :]:
            ax.remove()
        for ax, panel in zip(axes.ravel(), panels, strict=False):
            sweep_panel(sweep, panel, ax=ax)
    return drawn


def save_sweep(sweep: Sweep, path: Path) -> Path:
    """Write the figure of a sweep."""
    drawn = sweep_figure(sweep)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.savefig(path, dpi=150, facecolor="white")
    plt.close(drawn)
    return path
