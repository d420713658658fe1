"""One section per chosen unit: what is known of it in a sentence, and its figure."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurolatent.models.protocols import Forecasts
from neurolatent.plots.style import with_unit
from neurolatent.plots.unit import Fan, UnitView, unit_figure
from neurolatent.recording import Recording
from neurolatent.report.blocks import Picture, Section, Text, as_probability, plain
from neurolatent.report.figures import Painter
from neurolatent.report.fleet import beyond
from neurolatent.report.material import Material
from neurolatent.report.risk import as_risk, unit_curve

MOST_SIGNALS, MOST_SENSORS = 3, 3
FORECAST_SHARE = 0.25  # of the median length of the units: how far a forecast looks
LONGEST_FORECAST = 60  # samples
FORECAST_PATHS = 400
CURVES = (
    "First: remaining life as it was told at each time from the past alone, with its intervals, and the truth where it "
    "is known (units that were trained on look better than new ones). Lives above {cap} are not told apart: young "
    "units have a flat curve. Then the states. "
)


def units_section(material: Material, painter: Painter) -> Section:
    """The chosen units, each with its figure."""
    shown = list(material.shown)
    count = len(material.fleet)
    top = "likeliest faults" if material.outlook is None else "greatest risks"
    some = f"{len(shown)} of {count} units: running ones first, {top} on top, then some whose life is over"
    which = f"All {count} units" if len(shown) == count else some
    labels = modelled(material), companions(material)
    fans = forecasts(material)
    curves = life_curves(material, painter)
    caption = (
        f"{which}. {curve_words(material)}Top: the modelled signal over the 90 % band of its one-step "
        "predictions, and the forecast where the unit still runs. Below: state probabilities as they were known at the "
        "time, and the likeliest course of states in hindsight."
    )
    if labels[1]:
        caption += " Then the sensors that follow the states most closely in this recording."
    parts = [_part(material, painter, name, labels, fans, curves.get(name, [])) for name in shown]
    return Section("units", "Units", [Text(caption, "small")], parts)


def _part(
    material: Material,
    painter: Painter,
    name: str,
    labels: tuple[dict[str, int], dict[str, tuple[str, int]]],
    fans: xr.Dataset | None,
    curve: list[Picture],
) -> Section:
    row = material.fleet[material.fleet["unit"] == name].iloc[0].to_dict()
    view = view_of(material, name, row, labels, fans)

    def draw(figure: Any) -> None:
        unit_figure(view, figure=figure)

    draw.wants_figure = True  # type: ignore[attr-defined]
    said = sentence(row, material)
    alt = f"Unit {name}: {', '.join(view.signals)} over {material.units}, with state probabilities. {said}"
    return Section(material.sections_of()[name], f"Unit {name}", [Text(said), *curve, painter.picture(draw, alt)])


def curve_words(material: Material) -> str:
    """What the curves of remaining life show."""
    if material.outlook is None:
        return ""
    return CURVES.format(cap=f"{plain(material.outlook.measured.held_out.cap, 3)} {material.units}")


def life_curves(material: Material, painter: Painter) -> dict[str, list[Picture]]:
    """The picture of each shown unit's remaining life; nothing without a prognosis."""
    if material.outlook is None:
        return {}
    found = material.outlook.curves(list(material.shown))
    return {name: unit_curve(material, material.outlook, found, name, painter) for name in material.shown}


def sentence(row: dict[Any, Any], material: Material) -> str:
    """State, fault, alarm and remaining life of one unit in words."""
    unit, many = material.unit, len(material.state_names)
    sure = as_probability(row["state_probability"])
    parts = [f"state {row['state']} of {many} (probability {sure}) at {unit} {plain(row['last'])}"]
    since = f", above 0.5 since {unit} {plain(row['fault_since'])}" if pd.notna(row["fault_since"]) else ""
    parts.append(f"fault probability {as_probability(row['fault_probability'])}{since}")
    if pd.notna(row["alarm"]):
        parts.append(f"alarm at {unit} {plain(row['alarm'])}")
    if row["failed"]:
        parts.append("its life is over")
    elif pd.notna(row["rul_median"]):
        low, median, high = (_life(row[k], material) for k in ("rul_low", "rul_median", "rul_high"))
        parts.append(f"life left about {median} {material.units} (90 %: {low} to {high})")
    if material.outlook is not None and pd.notna(row["risk"]):
        within = f"{plain(material.outlook.horizon)} {material.units}"
        parts.insert(0, f"Risk to fail within {within}: {as_risk(row['risk'])}")
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]}."


def _life(value: float, material: Material) -> str:
    return beyond(material) if np.isinf(value) else plain(value, 3)


def modelled(material: Material) -> dict[str, int]:
    """Labels and columns of the modelled channels that are shown: those that follow the states most closely."""
    given, name = material.recording.signals, material.fit.model.signal_of(material.prepared)
    signal = given[name] if name in given else material.prepared.signal(name)
    names = [str(f) for f in material.latents["feature"].values]
    strength = closeness(material.observed, material)
    picks = sorted(np.argsort(-strength, kind="stable")[:MOST_SIGNALS])
    return {label_of(names[i], signal, name): int(i) for i in picks}


def companions(material: Material) -> dict[str, tuple[str, int]]:
    """Labels of further channels, with their signal and column: those that follow the states most closely."""
    own = material.fit.model.signal_of(material.prepared)
    found = []
    for name, signal in material.prepared.signals.items():
        if name == own or signal.kind != "continuous" or signal.values.ndim != 2:
            continue
        strength = closeness(signal.values, material)
        found += [
            (s, label_of(n, signal, name), name, i) for i, (s, n) in enumerate(zip(strength, signal.names, strict=True))
        ]
    found = sorted((f for f in found if f[0] > 0), key=lambda f: -f[0])[:MOST_SENSORS]
    return {label: (name, column) for _, label, name, column in found}


def closeness(values: np.ndarray, material: Material) -> np.ndarray:
    """(channels,) absolute correlation with the expected state; 0 for channels that never change."""
    level = material.latents["filtered"].values @ np.arange(len(material.state_names))
    out = np.zeros(values.shape[1])
    for column in range(len(out)):
        seen = np.isfinite(values[:, column]) & np.isfinite(level)
        a, b = values[seen, column], level[seen]
        if len(a) > 2 and np.ptp(a) > 0 and np.ptp(b) > 0:
            out[column] = abs(np.corrcoef(a, b)[0, 1])
    return out


def label_of(channel: str, signal: Any, name: str) -> str:
    """Name of a channel of the signal ``name`` with its unit; a channel that is only numbered goes by its signal."""
    facts = signal.channels
    own = facts.loc[channel, "unit"] if "unit" in facts and channel in facts.index else ""
    numbered = name if signal.n_channels == 1 else f"{name} {channel}"
    return with_unit(numbered if channel.isdigit() else channel, signal.units or ("" if pd.isna(own) else str(own)))


def forecasts(material: Material) -> xr.Dataset | None:
    """Forecasts of the running units that are shown."""
    failed = dict(zip(material.fleet["unit"], material.fleet["failed"], strict=True))
    running = [name for name in material.shown if not failed[name]]
    if not running or not isinstance(material.fit.model, Forecasts):
        return None
    ahead = int(np.clip(FORECAST_SHARE * np.median(material.recording.lengths), 5, LONGEST_FORECAST))
    units: Recording = material.recording.take(running)
    return material.fit.forecast(units, ahead, seed=material.fit.seed, n_paths=FORECAST_PATHS)


def view_of(
    material: Material,
    name: str,
    row: dict[Any, Any],
    labels: tuple[dict[str, int], dict[str, tuple[str, int]]],
    fans: xr.Dataset | None,
) -> UnitView:
    """What the figure of one unit shows."""
    latents = material.latents
    mine = np.flatnonzero(latents["sample_sequence"].values == name)
    signals = {
        label: (
            material.observed[mine, c],
            latents["predicted_mean"].values[mine, c],
            latents["predicted_sd"].values[mine, c],
        )
        for label, c in labels[0].items()
    }
    time = latents["clock"].values[mine]
    return UnitView(
        time,
        material.unit,
        material.state_names,
        signals,
        latents["filtered"].values[mine],
        latents["path"].values[mine],
        {label: material.prepared.signal(s).values[mine, c] for label, (s, c) in labels[1].items()},
        float(row["alarm"]) if pd.notna(row["alarm"]) else float("nan"),
        {label: _fan(fans, name, c, time[-1]) for label, c in labels[0].items()} if _has(fans, name) else {},
    )


def _has(fans: xr.Dataset | None, name: str) -> bool:
    return fans is not None and name in fans["sequence"].values


def _fan(fans: Any, name: str, column: int, last: float) -> Fan:
    quantile = fans["quantile"].sel(sequence=name).isel(feature=column).values
    return Fan(last + fans["ahead"].values, quantile, tuple(float(v) for v in fans["level"].values))
