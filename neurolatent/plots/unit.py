"""One unit: its signal with the one-step band, its states, a few sensors, the alarm and the forecast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from neurolatent.plots.states import state_handles, state_probabilities, state_ribbon
from neurolatent.plots.style import ACCENT, ALARM, INK, MUTED, axes_or_new, with_unit

Z90 = 1.6448536269514722  # 95 % point of the standard normal distribution


@dataclass(frozen=True, eq=False)
class Fan:
    """A forecast: quantiles along the time ahead.

    Attributes:
        time: (ahead,) clock time.
        quantile: (levels, ahead) in the units of the signal.
        levels: (levels,) in ascending order, symmetric about one half.
    """

    time: np.ndarray
    quantile: np.ndarray
    levels: tuple[float, ...] = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False)
class UnitView:
    """What the figure of a unit shows; arrays have one row per sample, NaN where nothing is known.

    Attributes:
        signals: Modelled signals by label: (values, predicted mean, predicted sd).
        sensors: Further signals by label.
        filtered: (samples, states) probabilities given the past.
        path: (samples,) most probable states in hindsight, -1 where unknown.
        alarm: Clock time of the alarm, NaN if there is none.
        fans: Forecasts of the modelled signals, by the same labels.
    """

    time: np.ndarray
    clock_unit: str
    state_names: Sequence[str]
    signals: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
    filtered: np.ndarray
    path: np.ndarray
    sensors: Mapping[str, np.ndarray] = field(default_factory=dict)
    alarm: float = float("nan")
    fans: Mapping[str, Fan] = field(default_factory=dict)


def signal_with_band(
    time: ArrayLike,
    values: ArrayLike,
    mean: ArrayLike,
    sd: ArrayLike,
    *,
    label: str = "signal",
    unit: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A signal over the 90 % band of its one-step predictions.

    Args:
        mean, sd: (samples,) of each sample given those before it, in the units of ``values``; NaN leaves a gap.
        label: Of the vertical axis, with its unit.
        unit: Of time.
    """
    ax = axes_or_new(ax, height=2.4)
    times, centre, spread = (np.asarray(a, float) for a in (time, mean, sd))
    ax.fill_between(
        times, centre - Z90 * spread, centre + Z90 * spread,
        facecolor=ACCENT, alpha=0.25, edgecolor="none", linewidth=0, label="90 % one-step band",
    )  # fmt: skip
    ax.plot(times, np.asarray(values, float), color=INK, linewidth=1.0, label="observed")
    ax.set_ylabel(label)
    ax.set_xlabel(with_unit("time", unit))
    return ax


def forecast_fan(fan: Fan, *, label: str = "signal", unit: str = "", ax: Axes | None = None) -> Axes:
    """Quantiles of the time ahead as bands, the median as a dashed line."""
    ax = axes_or_new(ax, height=2.4)
    count = len(fan.levels)
    for pair in range(count // 2):
        share = fan.levels[count - 1 - pair] - fan.levels[pair]
        ax.fill_between(
            fan.time, fan.quantile[pair], fan.quantile[count - 1 - pair],
            facecolor=ALARM, alpha=0.15 + 0.2 * pair, edgecolor="none", linewidth=0,
            label=f"{100 * share:.0f} % of forecasts",
        )  # fmt: skip
    if count % 2:
        ax.plot(fan.time, fan.quantile[count // 2], color=ALARM, linestyle="--", label="forecast median")
    ax.set_ylabel(label)
    ax.set_xlabel(with_unit("time", unit))
    return ax


def alarm_line(time: float, ax: Axes) -> None:
    """A vertical line at the time of an alarm; nothing where it is NaN."""
    if np.isfinite(time):
        ax.axvline(time, color=ALARM, linewidth=1.4, label="alarm")


def unit_figure(view: UnitView, *, figure: Figure | None = None) -> list[Axes]:
    """The figure of one unit, from top to bottom: signals, states given the past, states in hindsight, sensors."""
    heights = [2.3] * len(view.signals) + [1.0, 0.34] + [0.8] * len(view.sensors)
    size = (6.4, 1.1 + 0.95 * sum(heights) + 0.22 * (2 + len(view.sensors)))
    if figure is None:
        from matplotlib import pyplot  # so that a notebook shows it

        figure = pyplot.figure(figsize=size, layout="constrained")
    figure.set_size_inches(size)
    panels = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0])
    rest = iter(panels)
    for label in view.signals:
        _signal_panel(view, label, next(rest))
    state_probabilities(view.time, view.filtered, view.state_names, ax=(then := next(rest)))
    then.set_ylabel("P(state)")
    then.set_title("states, as they were known at the time", fontsize=8.5)
    state_ribbon(view.time, view.path, view.state_names, ax=(hindsight := next(rest)))
    hindsight.set_title("likeliest course of states, in hindsight", fontsize=8.5)
    for label, values in view.sensors.items():
        (panel := next(rest)).plot(view.time, values, color=MUTED, linewidth=0.9)
        panel.set_title(label, fontsize=8.5)
    for ax in panels:
        if ax is not hindsight:
            alarm_line(view.alarm, ax)
    _finish(view, panels, figure)
    return panels


def _signal_panel(view: UnitView, label: str, ax: Axes) -> None:
    signal_with_band(view.time, *view.signals[label], label=label, ax=ax)
    if label in view.fans:
        forecast_fan(view.fans[label], label=label, ax=ax)


def _finish(view: UnitView, panels: list[Axes], figure: Figure) -> None:
    step = np.min(np.diff(view.time)) if len(view.time) > 1 else 1.0
    ends = [fan.time[-1] for fan in view.fans.values()]
    for ax in panels:
        ax.set_xlabel("")
    panels[0].set_xlim(view.time[0] - step / 2, max([view.time[-1], *ends]) + step / 2)
    panels[-1].set_xlabel(with_unit("time", view.clock_unit))
    lines, labels = panels[0].get_legend_handles_labels()
    unique = dict(zip(labels, lines, strict=True))
    handles = [*unique.values(), *state_handles(view.state_names)]
    figure.legend(handles=handles, loc="outside upper left", ncols=4, columnspacing=1.2, handlelength=1.6)
