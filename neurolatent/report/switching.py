"""States that come and go: which they are, when they hold, how sure that is, and the sequences with their data."""

import functools
from typing import Any

import numpy as np

from neurolatent.plots.choices import occupancy_bars
from neurolatent.plots.dwell import Stays, dwell_times, stays_of
from neurolatent.plots.raster import choice_strip, over_states, spike_raster
from neurolatent.report.blocks import Section, Text, percent, plain
from neurolatent.report.evidence import HALF, durations, expected_stays, transitions
from neurolatent.report.figures import Painter
from neurolatent.report.fleet import count
from neurolatent.report.material import Material
from neurolatent.report.weights import covariates_shown
from neurolatent.validation.choice import RARE

MOST_SHOWN = 6  # sequences with a picture of their own


def states_section(material: Material, painter: Painter) -> Section:
    """Which states there are, how often, how long, and how surely they are told apart."""
    pictures = [
        _occupancy(material, painter), _stays(material, painter), transitions(material, painter),
    ]  # fmt: skip
    blocks = [Text(summary(material)), *_rare(material), durations(material), *pictures]
    return Section("states", "Which states, when, how sure?", blocks)


def shares(material: Material) -> np.ndarray:
    """(sequences, states) share of the training samples of each sequence in each state."""
    spent = material.fit.idata["latents"].to_dataset()["occupancy"].values
    return spent / spent.sum(axis=1, keepdims=True)


def summary(material: Material) -> str:
    """The states in two sentences."""
    smoothed = material.fit.idata["latents"]["smoothed"].values
    sure = smoothed[np.isfinite(smoothed).all(axis=1)].max(axis=1)
    names, share = material.state_names, smoothed[np.isfinite(smoothed).all(axis=1)].mean(axis=0)
    held = ", ".join(f"state {n} {percent(s)}" for n, s in zip(names, share, strict=True))
    lasts = [f"{plain(stay, 3)}" for stay in expected_stays(material)]
    return (
        f"{count(len(names), 'state')}: {held} of the training {material.units}; once entered they last "
        f"{', '.join(lasts)} {material.units} on average. At {percent((sure > 0.9).mean())} of the samples one state "
        f"has a probability above 0.9, given all data; on average the likeliest one has {sure.mean():.2f}."
    )


def _rare(material: Material) -> list[Text]:
    smoothed = material.fit.idata["latents"]["smoothed"].values
    share = smoothed[np.isfinite(smoothed).all(axis=1)].mean(axis=0)
    rare = [f"state {n} ({percent(s, 1)})" for n, s in zip(material.state_names, share, strict=True) if s < RARE]
    said = f"Rare: {', '.join(rare)}. Likelihood often rises a little with states that hold hardly anything."
    return [Text(f"{said} Compare fewer states on held-out data before believing in it.", "caution")] if rare else []


def _occupancy(material: Material, painter: Painter) -> Any:
    share, names = shares(material), material.state_names
    said = ", ".join(f"state {n} {percent(s)}" for n, s in zip(names, share.mean(axis=0), strict=True))
    size = (HALF[0], 1.3 + 0.42 * len(names))
    return painter.picture(
        functools.partial(occupancy_bars, share, names, rare=RARE),
        f"Share of time in each state over {len(share)} training sequences: {said}.",
        "Share of time in each state: bars are means, dots are training sequences.", size=size,
    )  # fmt: skip


def _paths(material: Material) -> list[np.ndarray]:
    latents = material.fit.idata["latents"].to_dataset()
    ids, path = latents["sample_sequence"].values, latents["path"].values
    edges = np.flatnonzero(ids[1:] != ids[:-1]) + 1
    return np.split(path, edges)


def _stays(material: Material, painter: Painter) -> Any:
    matrix, paths = np.asarray(material.fit.params.transition), _paths(material)
    found: dict[str, Stays] = {
        name: stays_of(paths, k, 1 - float(matrix[k, k])) for k, name in enumerate(material.state_names)
    }
    draw = functools.partial(dwell_times, found, bin_width=material.recording.bin_width, unit=material.unit)
    number = ", ".join(f"state {name} {len(s.samples)}" for name, s in found.items())
    return painter.picture(
        draw, f"Survival of the stays in each state against the geometric law of the chain. Stays: {number}.",
        "How long states last: steps are stays along the likeliest paths (those cut by the end of a sequence allowed "
        "for), dashed is the geometric law of the chain; a marker stands at its mean. The likeliest path leaves out "
        "short and doubtful visits, so that its stays are longer than those of the chain; a shape that is far from "
        "geometric says that the chain is too simple.", size=HALF,
    )  # fmt: skip


def sequences_section(material: Material, painter: Painter) -> Section:
    """Some sequences: their data, the probability of each state given all of them, and the likeliest course."""
    shown = list(material.shown)
    picks = np.unique(np.linspace(0, len(shown) - 1, min(MOST_SHOWN, len(shown))).round().astype(int))
    parts = [_sequence(material, shown[i], f"sequence-{n}", painter) for n, i in enumerate(picks, 1)]
    said = f"{len(parts)} of {material.latents.sizes['sequence']} sequences, spread evenly over the recording."
    return Section("sequences", "States along the data", [Text(said, "small")], parts)


def _sequence(material: Material, name: str, anchor: str, painter: Painter) -> Section:
    latents = material.latents
    mine = np.flatnonzero(latents["sample_sequence"].values == name)
    time, smoothed = latents["clock"].values[mine], latents["smoothed"].values[mine]
    path = latents["path"].values[mine]
    draw_data = _data(material, mine, time)

    def draw(figure: Any) -> None:
        over_states(draw_data, time, smoothed, path, material.state_names, unit=material.unit, figure=figure)

    draw.wants_figure = True  # type: ignore[attr-defined]
    share = ", ".join(
        f"state {n} {percent((path == k).mean())}" for k, n in enumerate(material.state_names) if (path == k).any()
    )
    said = f"{len(path)} samples: {share}."
    picture = painter.picture(draw, f"Sequence {name}: its data over the states. {said}", size=(6.4, 3.6))
    return Section(anchor, f"Sequence {name}", [Text(said), picture])


def _data(material: Material, mine: np.ndarray, time: np.ndarray) -> Any:
    """The drawing of the data of some samples: choices over their stimulus, or a raster."""
    model, prepared = material.fit.model, material.prepared
    values = model.modelled_values(prepared)[mine]
    if not model.is_choice:
        names = list(model.channels) or prepared.signal(model.signal_of(prepared)).names
        return functools.partial(spike_raster, time, values, names)
    signal, labels = covariates_shown(material)
    first = signal[mine, 0] if labels else np.zeros(len(mine))
    zero, one = material.choice_names[:2]
    return functools.partial(
        choice_strip, time, values[:, 0], first, names=(zero, one), label=labels[0] if labels else "no covariate"
    )
