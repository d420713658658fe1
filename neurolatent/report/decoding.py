"""The page of a decoded signal: its course against the truth, whether its spread is honest, how the state moves."""

import functools
from typing import Any

import numpy as np

from neurolatent.ops import decoding
from neurolatent.plots.calibration import coverage_curve, pit_histogram
from neurolatent.plots.decoded import decoded_course
from neurolatent.report.blocks import Cell, Section, Table, Text, number
from neurolatent.report.figures import Painter
from neurolatent.report.material import Material

SHOWN = 200  # bins of the stretch that is drawn
MOST_OUTPUTS = 4
MOST_SOURCES = 6  # outputs whose transition fits in a table
HALF = (4.4, 3.2)  # inches: two pictures stand side by side


def decoded_section(material: Material, painter: Painter) -> Section:
    """Errors where the truth is known, and the course of each output over the liveliest stretch."""
    known = _known(material)
    blocks: list[Any] = [errors(material, known)] if known.any() else [Text("The true signal is not known here.")]
    told, part = material.latents, stretch(material)
    signal = material.fit.facts["signal"]
    unit = material.recording.signals[signal].units if signal in material.recording.signals else ""
    outputs = _outputs(material)
    if len(outputs) > MOST_OUTPUTS:
        blocks.append(Text(f"Drawn are the first {MOST_OUTPUTS} of {len(outputs)} outputs."))
    for place, output in enumerate(outputs[:MOST_OUTPUTS]):
        mean, sd = (told[f"filtered_{name}"].values[part, place] for name in ("mean", "sd"))
        course = functools.partial(
            decoded_course,
            told["clock"].values[part],
            mean,
            sd,
            material.observed[part, place],
            skipped=told["skipped"].values[part] == 1,
            label=output,
            unit=unit,
            clock=material.unit,
        )
        alt = f"Decoded {output} with its 95 % band over {len(mean)} bins, and the true course where it is known."
        said = f"{output}, decoded from the past alone, over the stretch in which it moves most."
        blocks.append(painter.picture(course, alt, said))
    return Section("decoded", "What was decoded", blocks)


def errors(material: Material, known: np.ndarray) -> Table:
    """Measures of the regression alone, of the filter and of the smoother."""
    truth, told = material.observed[known], material.latents
    is_plane, rows = truth.shape[1] == 2, []
    for name, words in (
        ("regressed", "bin by bin"),
        ("filtered", "filtered"),
        ("smoothed", "smoothed, given all bins"),
    ):
        mean = told[f"{name}_mean"].values[known]
        heard = np.isfinite(mean).all(axis=1)
        mean, true = mean[heard], truth[heard]
        angles = [number(decoding.angle_error(true, mean))] if is_plane else []
        shares = decoding.r_squared(true, mean)
        rows.append([Cell(words), number(decoding.nrmse(true, mean)), *angles, *(number(v) for v in shares)])
    columns = (
        "nRMSE",
        *(["angle error (rad)"] if is_plane else []),
        *(f"R2 {output}" for output in _outputs(material)),
    )
    said = f"Errors over {int(known.sum())} bins. nRMSE: guessing zero gives 1."
    return Table(said + " Angle: chance gives 1.57." * is_plane, ("state", *columns), rows)


def stretch(material: Material) -> slice:
    """The bins that are drawn: those of the first sequence in which the decoded signal varies most about its mean."""
    ids = material.latents["sample_sequence"].values
    first = int(np.argmax(ids != ids[0])) if (ids != ids[0]).any() else len(ids)
    return liveliest(material.latents["filtered_mean"].values[:first])


def liveliest(course: np.ndarray) -> slice:
    """The bins of a course (bins, outputs) in which it varies most, each output by its own size."""
    if len(course) <= SHOWN:
        return slice(0, len(course))
    scaled = (course - course.mean(axis=0)) / np.maximum(course.std(axis=0), 1e-300)
    windows = np.lib.stride_tricks.sliding_window_view(scaled, SHOWN, axis=0)
    begin = int(np.argmax(windows.var(axis=-1).sum(axis=1)))
    return slice(begin, begin + SHOWN)


def honesty_section(material: Material, painter: Painter) -> list[Section]:
    """Promised against found coverage of the decoded beliefs; nothing where the truth is not known."""
    known = _known(material)
    if not known.any():
        return []
    told, truth = material.latents, material.observed[known]
    mean, sd, cov = (told[f"filtered_{name}"].values[known] for name in ("mean", "sd", "cov"))
    z = (truth - mean) / sd
    ellipses = decoding.ellipse_coverage(truth, mean, cov, 0.95)
    spread = float(material.fit.params.scaling.spread)
    said = f"The 95 % ellipses hold {ellipses:.1%} of {len(truth)} true states."
    if spread != 1 and material.fit.draws is None:  # of a mixture the factor is not that of the whole covariance
        before = decoding.ellipse_coverage(truth, mean, cov / spread, 0.95)
        said += f" Before the calibration, which widened them by {np.sqrt(spread):.2f}, it was {before:.1%}."
    curve = painter.picture(
        functools.partial(coverage_curve, z),
        f"Reliability diagram: promised against found coverage of the decoded intervals. {said}",
        "Reliability: above the line the bands are too wide, below it too narrow.",
        size=HALF,
    )
    histogram = painter.picture(
        functools.partial(pit_histogram, z),
        f"Histogram of the probability integral transform of {len(z)} decoded beliefs; flat means calibrated.",
        "Where the truth falls in its belief: a hump means too wide, a bowl too narrow, a slope a bias.",
        size=HALF,
    )
    return [Section("honesty", "Are the bands honest?", [Text(said), curve, histogram])]


def state_section(material: Material) -> Section:
    """How the state moves by itself, and how far the regression is off."""
    params, outputs, motion = material.fit.params, _outputs(material), material.fit.model.motion
    sources, values = _sources(params.state.transition, outputs)
    rows = [
        [
            Cell(output),
            *(number(v) for v in values[place]),
            number(float(np.sqrt(params.state.innovation[place, place]))),
            number(float(np.sqrt(params.state.stationary[place, place]))),
            number(float(np.sqrt(params.noise.mean[place, place]))),
        ]
        for place, output in enumerate(outputs)
    ]
    columns = ("output", *sources, "innovation sd", "long-run sd", "sd of the regression")
    said = "How each output follows from the bin before, what is new in each bin, and how far the regression is off."
    said += "" if motion is None else f" Before this step the state is moved by {motion.function} ({motion.push})."
    return Section("state", "How the state moves", [Table(said, columns, rows)])


def _sources(transition: np.ndarray, outputs: list[str]) -> tuple[list[str], np.ndarray]:
    """Columns of what an output is made of: all outputs, or of many itself and the range of the others."""
    if len(outputs) <= MOST_SOURCES:
        return [f"from {o}" for o in outputs], transition
    others = transition[~np.eye(len(outputs), dtype=bool)].reshape(len(outputs), -1)
    own = np.diag(transition)
    return ["from itself", "least from another", "most from another"], np.stack(
        [own, others.min(axis=1), others.max(axis=1)], axis=1
    )


def _known(material: Material) -> np.ndarray:
    return np.all(np.isfinite(material.observed), axis=1)


def _outputs(material: Material) -> list[str]:
    return [str(name) for name in material.latents["feature"].values]
