"""What each state weighs: covariates of choices with their psychometric curves, or couplings and their connectome."""

import functools
from typing import Any

import numpy as np

from neurolatent.ops.metrics import wilson_interval
from neurolatent.plots.choices import Psychometric, psychometric_curves
from neurolatent.plots.weights import connectome_maps, covariate_weights, type_entropy, weight_maps
from neurolatent.report.blocks import Cell, Picture, Section, Table, Text, number, plain
from neurolatent.report.evidence import HALF
from neurolatent.report.figures import Painter
from neurolatent.report.material import Material

Z90 = 1.6448536269514722
MOST_LEVELS, BINS = 12, 8  # distinct values of a stimulus that stand by themselves; bins where there are more
MOST_COUPLINGS = 20  # rows of the table of couplings
CURVE_POINTS = 60
GIVEN_STATES = (
    "Standard errors are conditional on the states: they take the probabilities of the states as known, and are too "
    "small where states are hard to tell apart. Draws by NUTS do not have this fault."
)
OF_DRAWS = "Intervals hold 90 % of the draws of the posterior, with the states summed out."


def weights_section(material: Material, painter: Painter) -> list[Section]:
    """Weights of covariates, of couplings, or both."""
    estimate = material.fit.idata["point_estimate"].to_dataset()
    names, model = [str(r) for r in estimate["regressor"].values], material.fit.model
    covariates = covariates_shown(material)[1]
    first = len(names) - len(covariates)
    sections = []
    if covariates and estimate.sizes["target"] == 1:
        sections.append(_covariates(material, painter, covariates, first))
    if first and model.reach:
        sections.append(_couplings(material, painter, names[:first]))
    return sections


def covariates_shown(material: Material) -> tuple[np.ndarray, list[str]]:
    """(samples, covariates) values of the covariates of the recording shown, without the bias, and their names."""
    model, prepared = material.fit.model, material.prepared
    name = model.covariates_of(prepared)
    if name is None:
        return np.zeros((prepared.n_samples, 0)), []
    signal = prepared.signal(name)
    wanted = [c for c in (model.covariate_channels or signal.names) if c != "bias"]
    return signal.filled()[:, [signal.names.index(c) for c in wanted]], wanted


def intervals(material: Material, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard error (or standard deviation of the draws), and ends of the 90 % interval, of a parameter."""
    groups = material.fit.idata
    if material.fit.draws is not None:
        draws = groups["posterior"][name].values
        low, high = np.quantile(draws, [0.05, 0.95], axis=(0, 1))
        return draws.std(axis=(0, 1)), low, high
    value, error = groups["point_estimate"][name].values, groups["standard_error"][name].values
    return error, value - Z90 * error, value + Z90 * error


# --- choices ------------------------------------------------------------------------------------------------------


def _covariates(material: Material, painter: Painter, covariates: list[str], first: int) -> Section:
    labels = [*covariates, "bias"]
    value, error, low, high = (
        np.concatenate([w[:, 0, first:], b[:, :1]], axis=1)
        for w, b in zip(_triple(material, "weights"), _triple(material, "bias"), strict=True)
    )
    draw = functools.partial(covariate_weights, value, low, high, labels, material.state_names)
    said = "; ".join(
        f"state {n}: " + ", ".join(f"{c} {plain(v, 3)}" for c, v in zip(labels, row, strict=True))
        for n, row in zip(material.state_names, value, strict=True)
    )
    how = OF_DRAWS if material.fit.draws is not None else GIVEN_STATES
    blocks: list[Any] = [
        Text(_words(material, value, covariates)),
        painter.picture(draw, f"Weights with 90 % intervals. {said}.", "Weights with 90 % intervals.", size=HALF),
        _psychometric(material, painter, value, covariates),
        _table(material, labels, value, error, low, high),
        Text(how, "small"),
    ]
    return Section("weights", "What does each state go by?", blocks)


def _triple(material: Material, name: str) -> tuple[np.ndarray, ...]:
    """A parameter, its standard error and the ends of its interval."""
    return material.fit.idata["point_estimate"][name].values, *intervals(material, name)


def _words(material: Material, value: np.ndarray, covariates: list[str]) -> str:
    """Every state in a few words: the covariate that moves it most, over the spread of that covariate, and the side."""
    spread = np.append(covariates_shown(material)[0].std(axis=0), 1.0)
    moved, said = np.abs(value * spread), []
    zero, one = material.choice_names[:2]
    for k, name in enumerate(material.state_names):
        top = int(np.argmax(moved[k, :-1]))
        side = "no side" if abs(value[k, -1]) < 0.5 else one if value[k, -1] > 0 else zero
        leads = f"the bias, towards {side}" if moved[k, -1] > moved[k, top] and side != "no side" else covariates[top]
        tilt = "" if leads.startswith("the bias") else f" (bias towards {side})" if side != "no side" else " (no bias)"
        said.append(f"state {name} goes most by {leads}{tilt}")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}. Weights are log odds of a choice of {one} for one more unit of the covariate."


def _table(
    material: Material, labels: list[str], value: np.ndarray, error: np.ndarray, low: np.ndarray, high: np.ndarray
) -> Table:
    spread = "sd of draws" if material.fit.draws is not None else "standard error"
    rows = [
        [
            Cell(f"state {name}", k, "state", swatch=k + 1),
            Cell(label),
            *(number(float(part[k, c]), 3) for part in (value, error, low, high)),
        ]
        for k, name in enumerate(material.state_names)
        for c, label in enumerate(labels)
    ]
    columns = ("state", "covariate", "weight", spread, "90 % from", "to")
    return Table(f"Weights (log odds of a choice of {material.choice_names[1]}).", columns, rows, is_sortable=True)


def _psychometric(material: Material, painter: Painter, value: np.ndarray, covariates: list[str]) -> Picture:
    x, one = covariates_shown(material)[0], material.choice_names[1]
    y = material.fit.model.modelled_values(material.prepared)[:, 0]
    smoothed = material.latents["smoothed"].values
    seen = np.isfinite(y) & np.isfinite(smoothed).all(axis=1)
    at = _levels(x[seen, 0])
    curves = {
        name: _one_curve(x[seen], y[seen], smoothed[seen, k], value[k], at, _lapse(material, k))
        for k, name in enumerate(material.state_names)
    }
    draw = functools.partial(psychometric_curves, curves, stimulus=covariates[0], choice=one)
    said = "; ".join(f"state {n} from {c.curve[0]:.2f} to {c.curve[-1]:.2f}" for n, c in curves.items())
    return painter.picture(
        draw, f"Probability of a choice of {one} along {covariates[0]}: {said}.",
        f"Choices along {covariates[0]} in each state: markers are shares of the data, every sample weighted by the "
        "probability of the state, with 90 % binomial intervals; lines are the model, averaged over the other "
        "covariates.", size=HALF,
    )  # fmt: skip


def _lapse(material: Material, state: int) -> tuple[float, float]:
    lapse = np.asarray(material.fit.params.lapse)
    return (float(lapse[state, 0]), float(lapse[state, 1])) if lapse.size else (0.0, 0.0)


def _levels(stimulus: np.ndarray) -> np.ndarray:
    """Centres of the groups of a stimulus: its values, or bins of equal count where there are many."""
    values = np.unique(stimulus)
    return values if len(values) <= MOST_LEVELS else np.unique(np.quantile(stimulus, (np.arange(BINS) + 0.5) / BINS))


def _one_curve(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, value: np.ndarray, at: np.ndarray, lapse: tuple[float, float]
) -> Psychometric:
    group = np.abs(x[:, :1] - at).argmin(axis=1)
    amount = np.bincount(group, weight, len(at))
    share = np.bincount(group, weight * y, len(at)) / np.maximum(amount, 1e-12)
    low, high = wilson_interval(share, amount)
    shown = amount >= 1
    grid = np.linspace(at.min(), at.max(), CURVE_POINTS)
    rest = x[:, 1:] @ value[1:-1] + value[-1]
    mean = [np.average(1 / (1 + np.exp(-(value[0] * g + rest))), weights=weight) for g in grid]
    curve = lapse[0] + (1 - sum(lapse)) * np.array(mean)
    share, low, high = (np.where(shown, v, np.nan) for v in (share, low, high))
    return Psychometric(at, share, low, high, grid, curve)


# --- couplings ----------------------------------------------------------------------------------------------------


def _couplings(material: Material, painter: Painter, sources: list[str]) -> Section:
    estimate = material.fit.idata["point_estimate"].to_dataset()
    targets = [str(t) for t in estimate["target"].values]
    value, error, _, _ = (part[..., : len(sources)] for part in _triple(material, "weights"))
    centre = estimate["centre"].values
    shared = centre[:, : len(sources)] if centre.size else value.mean(axis=0)
    what = "the mean W0 of the prior" if centre.size else "their mean over states"
    titles = [f"state {n}" for n in material.state_names]
    how = OF_DRAWS if material.fit.draws is not None else GIVEN_STATES
    blocks: list[Any] = [
        Text(_coupling_words(material, value, error)),
        _maps(value, titles, targets, sources, "Couplings in each state, from the column to the row.", painter),
    ]
    if len(titles) > 1:
        apart = np.concatenate([shared[None], value - shared])
        caption = f"Left: {what}; then what each state differs from it."
        blocks.append(
            _maps(apart, ["shared", *(f"{t} less shared" for t in titles)], targets, sources, caption, painter)
        )
    if estimate["connectome"].size:
        blocks += _connectome(estimate["connectome"].values, targets, sources, painter)
    blocks += [_strongest(material, value, error, targets, sources), Text(how, "small")]
    return Section("couplings", "How do the units act on each other in each state?", blocks)


def _coupling_words(material: Material, value: np.ndarray, error: np.ndarray) -> str:
    clear = np.abs(value) > 3 * error
    signs = [[int((clear[k] & (sign * value[k] > 0)).sum()) for sign in (1, -1)] for k in range(len(value))]
    parts = [
        f"state {n} {up} positive and {down} negative"
        for n, (up, down) in zip(material.state_names, signs, strict=True)
    ]
    return (
        f"Of {value[0].size} possible couplings, more than three standard errors from zero are {', '.join(parts)}. "
        "A coupling is the change of the linear predictor by one more spike in the filtered past; it need not be a "
        "synapse, since common input looks the same."
    )


def _maps(
    maps: np.ndarray, titles: list[str], rows: list[str], columns: list[str], caption: str, painter: Painter
) -> Picture:
    def draw(figure: Any) -> None:
        weight_maps(maps, titles, rows, columns, figure=figure)

    draw.wants_figure = True  # type: ignore[attr-defined]
    top = np.unravel_index(np.argmax(np.abs(maps)), maps.shape)
    where = f"from {columns[top[2]]} to {rows[top[1]]} ({titles[top[0]]})"
    said = f"{caption} The largest is {plain(float(maps[top]), 3)}, {where}."
    return painter.picture(draw, said, caption, size=(max(5.2, 2.6 * len(maps) + 0.4), 3.5))


def _connectome(probability: np.ndarray, targets: list[str], sources: list[str], painter: Painter) -> list[Any]:
    def draw(figure: Any) -> None:
        connectome_maps(probability, targets, sources, figure=figure)

    draw.wants_figure = True  # type: ignore[attr-defined]
    kind, entropy = probability.argmax(axis=-1), type_entropy(probability)
    counts = [int((kind == k).sum()) for k in range(3)]
    said = f"{counts[0]} pairs are most likely inhibitory, {counts[1]} absent, {counts[2]} excitatory"
    caption = f"The connectome that all states share: {said}; mean entropy {entropy.mean():.2f} bits of 1.58."
    return [painter.picture(draw, caption, caption, size=(7.6, 3.7))]


def _strongest(
    material: Material, value: np.ndarray, error: np.ndarray, targets: list[str], sources: list[str]
) -> Table:
    order = np.argsort(-np.abs(value), axis=None)[:MOST_COUPLINGS]
    rows = []
    for k, t, s in zip(*np.unravel_index(order, value.shape), strict=True):
        ratio = value[k, t, s] / error[k, t, s] if error[k, t, s] > 0 else np.nan
        state = Cell(f"state {material.state_names[k]}", int(k), "state", swatch=int(k) + 1)
        numbers = (number(float(v), 3) for v in (value[k, t, s], error[k, t, s], ratio))
        rows.append([state, Cell(sources[s], kind="name"), Cell(targets[t], kind="name"), *numbers])
    spread = "sd of draws" if material.fit.draws is not None else "standard error"
    said = f"The {len(rows)} strongest of {value.size} couplings; all are in the file of the fit."
    return Table(said, ("state", "from", "to", "weight", spread, "weight / error"), rows, is_sortable=True)
