"""The page of temporal patterns: the objective in its parts, latents by layer, what the network makes and foresees."""

import base64
import functools
from typing import Any

import jax
import numpy as np
from markupsafe import Markup

from neurolatent.compiling import key_of
from neurolatent.diagnostics.patterns import collapsed_layers, steps_of
from neurolatent.models.pvrnn import PVRNN
from neurolatent.models.pvrnn.generation import largest_exponent, sampled
from neurolatent.ops.symbols import transition_counts, transition_shares
from neurolatent.plots.patterns import (
    LatentCourse,
    Watched,
    latent_layers,
    lead_curve,
    objective_parts,
    plane_paths,
    regression_animation,
    regression_frame,
    told_courses,
    told_symbols,
)
from neurolatent.plots.transitions import transition_matrix
from neurolatent.precision import in_double
from neurolatent.report.blocks import Cell, Html, Section, Table, Text, number, plain
from neurolatent.report.figures import Painter
from neurolatent.report.latents import rows_of, spread_over, with_figure
from neurolatent.report.material import Material

MOST_LATENTS = 2  # of a layer are drawn
MOST_SEQUENCES = 4
MOST_CHANNELS = 5
MOST_PATHS = 30  # of the training data, and made
MOST_FILMED = 3  # channels
MOST_FORESEEN = 8  # sequences over which the error by lead time is taken
LOOP = 5_000  # steps of the closed loop of this page
HALF = (4.4, 3.2)  # inches: two pictures stand side by side


def objective_section(material: Material, painter: Painter) -> Section:
    """The parts of the objective by layer, with beta beside w, and how they fell."""
    fit = material.fit
    trace, best = fit.idata["trace"], int(fit.idata["trace"]["best"])
    layers = range(1, len(fit.model.layers) + 1)
    parts = {"reconstruction": trace["rec"].values[best]}
    parts |= {f"divergence of layer {n}": trace[f"kl.{n}"].values[best] for n in layers}
    last = {name: plain(float(np.nanmean(values[-max(1, len(values) // 100) :])), 3) for name, values in parts.items()}
    said = "Reconstruction and divergences over the epochs, not weighted; one draw of the noise in each."
    words = "; ".join(f"{name} {value}" for name, value in last.items())
    picture = painter.picture(functools.partial(objective_parts, parts), f"{said} At the end: {words}.", said)
    return Section("objective", "What was traded for what?", [Text(_told(material)), _layer_table(material), picture])


def _told(material: Material) -> str:
    fit, gone = material.fit, collapsed_layers(material.fit)
    own = fit.idata["latents"]
    used = "No layer has collapsed." if not gone else f"Collapsed: layer {', '.join(gone)}; it tells nothing."
    bound = float(own["log_evidence"].values.mean())
    return (
        f"w weighs the divergence of posterior from prior, after the normalisation '{fit.model.normalise}'; beta is "
        f"the temperature that it stands for, and 1 would be the evidence lower bound itself. That bound is "
        f"{plain(bound, 5)} nats per training sequence, {plain(bound / steps_of(fit), 3)} per step. {used}"
    )


def _layer_table(material: Material) -> Table:
    fit = material.fit
    own, model = fit.idata["latents"], fit.model
    w, first = model.tempering()
    beta, of_layer = model.betas(len(fit.facts["channels"])), _of_layer(own)
    rows = []
    for n, layer in enumerate(model.layers):
        taus = sorted(set(layer.taus))
        sds = (float(own[f"{word}_sd"].values[:, of_layer == n + 1].mean()) for word in ("prior", "posterior"))
        cells = [Cell(str(n + 1)), Cell(str(layer.units)), Cell(str(layer.latent)), Cell(", ".join(map(plain, taus)))]
        nats = float(own["kl"].values[:, n].mean())
        rows.append([*cells, *(number(float(v), 3) for v in (w[n], first[n], beta[n], nats, *sds))])
    heads = ("layer", "d", "z", "time constant", "w", "w at step 1", "beta", "divergence (nats per sequence)")
    said = (
        f"Layers, the lowest first, over the training sequences. Reconstruction: "
        f"{plain(float(own['rec'].values.mean()), 3)} nats per sequence."
    )
    return Table(said, (*heads, "sd of the prior", "sd of the posterior"), rows)


def _of_layer(latents: Any) -> np.ndarray:
    """(latents,) number of the layer of each."""
    return np.array([int(str(name).split()[1]) for name in latents["latent"].values])


def layers_section(material: Material, painter: Painter) -> Section:
    """Prior and posterior of the latents by layer, and the activity, over the first sequence of the page."""
    sequence, told = material.shown[0], material.latents
    rows, of_layer, courses, activity = rows_of(material, sequence), _of_layer(told), [], {}
    unit_layer = np.array([int(str(name).split()[1]) for name in told["unit"].values])
    for n in range(1, len(material.fit.model.layers) + 1):
        for column in np.flatnonzero(of_layer == n)[:MOST_LATENTS]:
            pair = [
                np.stack([told[f"{word}_{what}"].values[rows, column] for what in ("mean", "sd")])
                for word in ("posterior", "prior")
            ]
            courses.append(LatentCourse(str(told["latent"].values[column]), *pair))
        activity[f"layer {n}"] = told["activity"].values[rows][:, unit_layer == n]
    time = told["clock"].values[rows]
    draw = with_figure(functools.partial(latent_layers, time, courses, activity, clock=material.unit))
    said = (
        f"Sequence {sequence}: latents z of posterior and prior, and below the activity d of each layer, the top layer "
        f"first. Where the two part, the data told the network something that it did not expect."
    )
    picture = painter.picture(draw, said, said, size=(8.4, 1.0 + 0.95 * (len(courses) + len(activity))))
    return Section("layers", "What do the latents do?", [picture])


def told_section(material: Material, painter: Painter) -> Section:
    """Some sequences and their reconstructions."""
    model, names = material.fit.model, spread_over(list(material.shown), MOST_SEQUENCES)
    said = f"{len(names)} sequences of this page, as the latents tell them after they were recognised."
    told, courses = material.latents, []
    for name in names:
        rows = rows_of(material, name)
        values = material.observed[rows]
        word = "probability" if model.is_symbolic else "reconstruction_mean"
        seen = values[:, 0] if model.is_symbolic else values[:, :MOST_CHANNELS]
        courses.append(
            (f"sequence {name}", seen, told[word].values[rows][:, : None if model.is_symbolic else MOST_CHANNELS])
        )
    if model.is_symbolic:
        symbols = [str(s) for s in told["symbol"].values]
        draw = with_figure(functools.partial(told_symbols, courses, symbols, clock=material.unit))
        said += " Dark: likely; dots: observed."
        return Section(
            "told", "What do they tell?", [painter.picture(draw, said, said, size=(8.4, 0.7 + 0.8 * len(names)))]
        )
    channels = [str(c) for c in told["feature"].values][:MOST_CHANNELS]
    draw = with_figure(functools.partial(told_courses, courses, channels, clock=material.unit))
    return Section(
        "told", "What do they tell?", [painter.picture(draw, said, said, size=(8.4, 1.0 + 1.2 * len(channels)))]
    )


@in_double
def made_section(material: Material, painter: Painter) -> list[Section]:
    """What the prior of a PV-RNN makes by itself."""
    fit = material.fit
    if not isinstance(fit.model, PVRNN):
        return []
    model, params = fit.model, fit.params._replace(adaptive=None)
    blocks: list[Any] = []
    if model.is_symbolic:
        loop = np.asarray(sampled(model, params, key_of(fit.seed), 1, LOOP, 1.0).told)[0, LOOP // 10 :, 0].argmax(
            axis=1
        )
        counts = transition_counts(loop, model.likelihood.per_channel)
        words, shares = [str(s) for s in material.latents["symbol"].values], transition_shares(counts)
        listed = ", ".join(
            f"{a} to {b} {shares[i, j]:.3f}" for i, a in enumerate(words) for j, b in enumerate(words) if counts[i, j]
        )
        said = f"Transitions in {len(loop)} steps that the network made by itself."
        draw = functools.partial(transition_matrix, np.nan_to_num(shares), words)
        blocks.append(painter.picture(draw, f"{said} {listed}.", said, size=(3.6, 3.4)))
    else:
        blocks.append(_paths(material, painter))
    steps = 4_000
    exponents = [float(largest_exponent(model, params, key_of(fit.seed), steps, noise)) for noise in (0.0, 1.0)]
    words = (
        "chaotic"
        if exponents[0] > 0.01
        else "settles on a point or a cycle"
        if exponents[0] < -0.01
        else "quasi-periodic"
    )
    blocks.append(
        Text(
            f"Largest Lyapunov exponent over {steps} steps: {exponents[0]:.3f} per step without noise ({words}), "
            f"{exponents[1]:.3f} with the prior's noise."
        )
    )
    return [Section("made", "What does the network make by itself?", blocks)]


def _paths(material: Material, painter: Painter) -> Any:
    fit = material.fit
    observed = fit.idata["observed_data"]
    ids, values = observed["sample_sequence"].values, observed["y"].values
    training = [values[ids == name] for name in list(dict.fromkeys(ids))[:MOST_PATHS]]
    time = max(len(path) for path in training)
    made = np.asarray(
        sampled(fit.model, fit.params._replace(adaptive=None), key_of(fit.seed), MOST_PATHS, time, 1.0).told
    )
    channels = [str(c) for c in material.latents["feature"].values]
    said = f"{MOST_PATHS} courses of {time} steps that the prior made, from the first step on, without any data"
    if len(channels) == 2:
        draw = functools.partial(plane_paths, training, list(made), channels)
        return painter.picture(draw, f"{said}, over training sequences.", f"{said}.", size=(4.6, 4.4))
    four = [(f"made {n + 1}", np.full_like(made[n], np.nan), made[n]) for n in range(MOST_SEQUENCES)]
    draw = with_figure(functools.partial(told_courses, four, channels[:MOST_CHANNELS], clock=material.unit))
    return painter.picture(
        draw, f"{said}; four are shown.", f"{said}; four are shown.", size=(8.4, 1.0 + 1.2 * len(channels[:5]))
    )


@in_double
def foresight_section(material: Material, painter: Painter) -> list[Section]:
    """Sequences of the page, seen one step at a time: errors by lead time, and one of them as a film."""
    fit, model = material.fit, material.fit.model
    if model.is_symbolic:
        return []
    shown = material.recording.take(list(material.shown)[:MOST_FORESEEN])
    selected = fit.prepared(shown)
    told = jax.device_get(model.foresee(fit.params, selected.data, key_of(fit.seed)))
    values, parts = selected.recording.signal(fit.facts["signal"]).values, selected.recording.slices()
    leads = np.arange(1, min(model.horizon, int(shown.lengths.min()) - 1) + 1)
    errors = _lead_errors(told.mean, [values[part] for part in parts], leads)
    said = f"Errors over all steps of {len(parts)} sequences, which are seen one step at a time: {model.foresight}."
    first, last = (errors["foreseen"][at] for at in (0, -1))
    ends = f"{first:.3g} one step ahead, {last:.3g} {leads[-1]} steps ahead"
    curve = painter.picture(functools.partial(lead_curve, leads, errors), f"{said} Foreseen: {ends}.", said)
    few, count = slice(0, MOST_FILMED), parts[0].stop - parts[0].start
    mean, low, high = (part[:count, 0, :, few] for part in (told.mean, told.low, told.high))
    watched = Watched(values[parts[0]][:, few], told.told[:count, 0, few], mean, low, high, model.window)
    return [Section("foresight", "What does it foresee?", [curve, *_film(material, painter, watched, shown.ids[0])])]


def _film(material: Material, painter: Painter, watched: Watched, name: str) -> list[Any]:
    """One moment of a sequence for who reads on paper, and the whole as a film."""
    channels = [str(c) for c in material.latents["feature"].values][: watched.seen.shape[1]]
    at = len(watched.seen) // 2
    draw = with_figure(functools.partial(regression_frame, watched, at, channels))
    said = (
        f"Sequence {name} after {at + 1} steps. Grey: the window that is still revised; beyond it the coming steps "
        "with their band; below the error one step ahead so far."
    )
    still = painter.picture(draw, said, said, size=(6.8, 1.2 + 1.1 * (len(channels) + 1)))
    film = base64.b64encode(regression_animation(watched, channels)).decode()
    alt = f"The same along the whole of sequence {name}, as a film."
    image = '<figure><img class="card" alt="{}" src="data:image/gif;base64,{}"><figcaption>{}</figcaption></figure>'
    return [still, Html(Markup(image).format(alt, Markup(film), alt))]


def _lead_errors(mean: np.ndarray, truths: list[np.ndarray], leads: np.ndarray) -> dict[str, list[float]]:
    """Root mean squared errors by lead time of what was foreseen, and of repeating the last value."""
    errors: dict[str, list[float]] = {"foreseen": [], "repeating the last value": []}
    for lead in leads:
        told = [mean[: len(t) - lead, n, lead - 1] - t[lead:] for n, t in enumerate(truths)]
        same = [t[:-lead] - t[lead:] for t in truths]
        for name, off in zip(errors, (told, same), strict=True):
            errors[name].append(float(np.sqrt(np.nanmean(np.concatenate(off) ** 2))))
    return errors
