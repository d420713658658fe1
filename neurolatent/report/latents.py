"""The page of continuous latents: their courses and bands, whether all are used, what they tell, and how they leak."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from neurolatent.diagnostics.latents import collapsed_latents, superfluous_latents
from neurolatent.ops.alignment import affine, align
from neurolatent.plots.latents import Course, latent_against, latent_courses, leakage_matrix
from neurolatent.report.blocks import Cell, Section, Table, Text, number, percent, plain
from neurolatent.report.figures import Painter
from neurolatent.report.material import Material

MOST_COLUMNS = 3  # sequences side by side
MOST_OUTPUTS = 4  # channels of behaviour that a latent is drawn against
TRUTH = "latents"  # signal that holds true latents
NARROW = 0.8  # share inside 95 % bands below which the page warns of them
HALF = (4.4, 3.2)  # inches: two pictures stand side by side


def latents_section(material: Material, painter: Painter) -> Section:
    """Table of the latents, and their courses over some sequences, group by group."""
    latents = names_of(material)
    groups = list(dict.fromkeys(name.split()[0] for name in latents))
    blocks: list[Any] = [Text(_summary(material)), Text(_bound(material)), collapse_table(material)]
    for group in groups:
        own = np.array([name.split()[0] == group for name in latents])
        blocks.append(_courses(material, painter, group, own))
    return Section("latents", "Which latents, and how sure?", [*blocks, *_against(material, painter)])


def names_of(material: Material) -> list[str]:
    """Names of the latents, group first."""
    return [str(name) for name in material.latents["latent"].values]


def with_figure(draw: Callable[..., object]) -> Callable[..., object]:
    """The same drawing, which wants a whole figure."""
    draw.wants_figure = True  # type: ignore[attr-defined]
    return draw


def rows_of(material: Material, sequence: str) -> np.ndarray:
    """Places of one sequence among the samples."""
    return np.flatnonzero(material.latents["sample_sequence"].values == sequence)


def spread_over(shown: list[str], most: int) -> list[str]:
    """So many of the sequences at most, evenly spread."""
    picks = np.unique(np.linspace(0, len(shown) - 1, min(most, len(shown))).round().astype(int))
    return [shown[i] for i in picks]


def truth_of(material: Material) -> tuple[np.ndarray, list[str]] | None:
    """(samples, latents) true latents and their names, where the recording holds them."""
    signal = material.prepared.signals.get(TRUTH)
    if signal is None or not signal.names or not signal.observed.all():
        return None
    return signal.values, list(signal.names)


def _summary(material: Material) -> str:
    model, gone = material.fit.model, collapsed_latents(material.fit)
    counts = (("neural", model.n_neural), ("shared", model.n_shared), ("behaviour", model.n_behaviour))
    groups = ", ".join(f"{count} {group}" for group, count in counts if count)
    used = "none has collapsed" if not gone else f"collapsed: {', '.join(gone)}"
    return (
        f"{model.n_latents} latents ({groups}); {used}. A latent is known up to a linear map within its group, its "
        "sign among them. A latent whose posterior is as wide as its prior and costs no divergence has collapsed: it "
        "says nothing."
    )


def _bound(material: Material) -> str:
    """The bound in its terms, and whether it is that of a tempered posterior."""
    told, model, weights = material.latents, material.fit.model, np.asarray(material.fit.params.scaling.weights)
    here = [name for name, has in (("neural", model.has_neural), ("behaviour", model.has_behaviour)) if has]
    terms = {name: float(told[f"log_likelihood_{name}"].values.mean()) for name in here}
    terms["divergence"] = -float(told["kl"].values.sum(axis=1).mean())
    said = f"Evidence lower bound per sequence of this page: {plain(sum(terms.values()), 6)} nats, of which "
    said += ", ".join(f"{name} {plain(value)}" for name, value in terms.items()) + "."
    if (weights != 1).any():
        said += f" It was climbed with weights {weights[0]:.3g} and {weights[1]:.3g}: the posterior is a tempered one."
    return said


def _in_bins(material: Material) -> bool:
    """Whether the clock counts the very bins of the recording."""
    return material.unit == "bin" and material.recording.bin_width == 1


def _scales(material: Material, place: int) -> list[Cell]:
    """The length scale of a latent in bins and in units of another clock; none where bins do not know each other."""
    widths = [1.0] if _in_bins(material) else [1.0, material.recording.bin_width]
    if not material.fit.model.has_lengthscale:
        return [Cell("none")] * len(widths)
    return [number(float(material.fit.params.lengthscale[place]) * width) for width in widths]


def collapse_table(material: Material) -> Table:
    """Each latent: length scale, divergence, variances and verdict, on the training sequences."""
    found = material.fit.idata["latents"]
    gone, idle = collapsed_latents(material.fit), superfluous_latents(material.fit)
    columns = [found[name].values.mean(axis=0) for name in ("kl", "gain", "var_ratio", "mean_square")]
    rows = []
    for place, name in enumerate(names_of(material)):
        word = "collapsed" if name in gone else "superfluous" if name in idle else "used"
        rows.append(
            [
                Cell(name),
                *_scales(material, place),
                *(number(float(column[place])) for column in columns),
                Cell(word, kind=f"verdict {'pass' if word == 'used' else 'warn'}"),
            ]
        )
    heads = (
        "latent",
        "length scale (bins)",
        *([] if _in_bins(material) else [f"length scale ({material.unit})"]),
        "divergence (nats per sequence)",
        "gain (nats per sequence)",
        "posterior / prior variance",
        "mean square / prior variance",
        "verdict",
    )
    said = (
        "The latents over the training sequences. Collapsed is one with less than 0.1 nats and a ratio above 0.95, "
        "superfluous one that gains the likelihood less than its divergence costs."
    )
    return Table(said, heads, rows)


def _courses(material: Material, painter: Painter, group: str, own: np.ndarray) -> Any:
    told, names = material.latents, np.array(names_of(material))[own]
    truth, courses = _on_estimates(material, group, own), []
    for sequence in spread_over(list(material.shown), MOST_COLUMNS):
        rows = rows_of(material, sequence)
        mean, sd = (told[name].values[rows][:, own] for name in ("latents", "latents_sd"))
        true = None if truth is None else truth[rows]
        courses.append(Course(f"sequence {sequence}", told["clock"].values[rows], mean, sd, true))
    draw = with_figure(functools.partial(latent_courses, courses, list(names), clock=material.unit))
    said = f"The {group} latents over {len(courses)} sequences, with 95 % bands."
    said += "" if truth is None else " Dashed: the true latents, mapped linearly on the estimated ones."
    return painter.picture(draw, said, said, size=(8.4, 0.9 + 1.35 * len(names)))


def _on_estimates(material: Material, group: str, own: np.ndarray) -> np.ndarray | None:
    """The true latents of a group in the coordinates of the estimated ones."""
    found = truth_of(material)
    if found is None:
        return None
    values, names = found
    mine = values[:, [name.split()[0] == group for name in names]]
    return affine(mine, material.latents["latents"].values[:, own]).moved(mine) if mine.shape[1] else None


def _against(material: Material, painter: Painter) -> list[Any]:
    """Each shared latent against each channel of behaviour, where these are few."""
    model = material.fit.model
    if not model.n_shared:
        return []
    signal = material.prepared.signal(str(model.behaviour))
    if signal.values.ndim > 2 or signal.values.shape[1] > MOST_OUTPUTS:
        return []
    pictures = []
    for place, name in enumerate(names_of(material)):
        for column, channel in enumerate(signal.names or [str(model.behaviour)]):
            if not name.startswith("shared"):
                continue
            values = material.latents["latents"].values[:, place]
            draw = functools.partial(latent_against, values, signal.values[:, column], name=name, label=str(channel))
            said = f"{name} against {channel}, a dot for each bin of the sequences of this page."
            pictures.append(painter.picture(draw, said, said, size=HALF))
    return pictures


def truth_section(material: Material, painter: Painter) -> list[Section]:
    """How well each true latent is told by its own group and by others, where the truth is known."""
    found = truth_of(material)
    if found is None or material.latents.sizes["sequence"] < 2:
        return []
    values, known = found
    order = material.latents["sample_sequence"].values
    ids = list(dict.fromkeys(order))
    first = np.isin(order, ids[::2])
    estimates, sd = (material.latents[name].values for name in ("latents", "latents_sd"))
    names = names_of(material)
    groups = np.array([[a.split()[0] == b.split()[0] for b in names] for a in known])
    got = align((estimates[first], values[first]), (estimates[~first], values[~first]), sd[~first], groups)
    rows = [
        [Cell(name), *(number(float(figure[n]), 3) for figure in (got.own, got.all, got.coverage))]
        for n, name in enumerate(known)
    ]
    table = Table(
        _truth_words(known, got.coverage),
        ("true latent", "from its own group", "from all", "inside the 95 % band"),
        rows,
    )
    draw = functools.partial(leakage_matrix, got.leakage, known, names)
    caption = (
        "R2 of each true latent from each single estimated one. Within a group latents may be mixed; what stands "
        "outside of a true latent's group has leaked."
    )
    picture = painter.picture(draw, f"Leakage matrix. {caption}", caption, size=HALF)
    return [Section("truth", "Did the true latents come back?", [table, picture])]


def _truth_words(names: list[str], coverage: np.ndarray) -> str:
    """What the table holds, and whose bands are too narrow."""
    said = "R2 of each true latent after a linear map that was found on every other sequence and is scored on the rest."
    narrow = [name for name, held in zip(names, coverage, strict=True) if held < NARROW]
    if not narrow:
        return said
    return (
        f"{said} Bands are too narrow: of {', '.join(narrow)} less than {percent(NARROW)} lies inside. They take what "
        "is observed at one time for independent given the latents, and the learned parameters for known."
    )
