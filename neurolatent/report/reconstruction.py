"""What the latents tell of the data: rates beside spikes, behaviour beside its reconstruction."""

import functools
from typing import Any

import numpy as np

from neurolatent.ops.decoding import r_squared
from neurolatent.plots.latents import image_strip, signal_and_reconstruction, spikes_and_rates
from neurolatent.report.blocks import Section, Text
from neurolatent.report.figures import Painter
from neurolatent.report.latents import MOST_OUTPUTS, rows_of, with_figure
from neurolatent.report.material import Material

FRAMES = 8  # images of a strip


def reconstruction_section(material: Material, painter: Painter) -> Section:
    """The first sequence of the page: its spikes and rates, its behaviour and what is told of it."""
    sequence = material.shown[0]
    rows, model = rows_of(material, sequence), material.fit.model
    said = f"Sequence {sequence}, from latents that have seen it: how well held-out data are told, the figures say."
    blocks: list[Any] = [Text(said)]
    if model.has_neural:
        blocks.append(_rates(material, rows, painter))
    if model.has_behaviour:
        blocks += _behaviour(material, rows, painter)
    return Section("reconstruction", "What do they tell?", blocks)


def _rates(material: Material, rows: np.ndarray, painter: Painter) -> Any:
    told, model = material.latents, material.fit.model
    values = material.prepared.signal(str(model.signal)).values[rows]
    unit = "Hz" if model.rates_in_hz(material.prepared) else "per bin"
    time = told["clock"].values[rows]
    draw = functools.partial(spikes_and_rates, time, values, told["rates"].values[rows], clock=material.unit, unit=unit)
    alt = f"Spikes and posterior mean rates of {values.shape[1]} neurons over {len(rows)} bins."
    return painter.picture(with_figure(draw), alt, alt, size=(8.4, 3.2))


def _behaviour(material: Material, rows: np.ndarray, painter: Painter) -> list[Any]:
    told, model = material.latents, material.fit.model
    signal = material.prepared.signal(str(model.behaviour))
    seen, guess = signal.values[rows], told["reconstruction"].values[rows]
    if seen.ndim > 2:
        frames = np.linspace(0, len(rows) - 1, FRAMES).round().astype(int)
        pair, times = (seen[frames], guess.reshape(seen.shape)[frames]), told["clock"].values[rows][frames]
        draw = functools.partial(image_strip, *pair, times=times.tolist(), clock=material.unit)
        said = f"{FRAMES} images, evenly spread over the sequence, and what the latents tell of them."
        return [painter.picture(with_figure(draw), said, said, size=(8.4, 2.6))]
    pictures = []
    for place, label in enumerate(str(n) for n in told["output"].values[:MOST_OUTPUTS]):
        draw = functools.partial(
            signal_and_reconstruction,
            told["clock"].values[rows],
            seen[:, place],
            guess[:, place],
            clock=material.unit,
            label=label,
        )
        known = np.isfinite(seen[:, place])
        r2 = float(r_squared(seen[known, place, None], guess[known, place, None])[0]) if known.any() else np.nan
        alt = f"{label} and its reconstruction over {len(rows)} bins; R2 {r2:.2f}."
        pictures.append(painter.picture(draw, alt, alt))
    return pictures
