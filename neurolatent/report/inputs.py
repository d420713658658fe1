"""Transitions that inputs push: what each input does to going to a state, and how likely each step becomes along it."""

import functools
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import softmax

from neurolatent.models.hmmglm.door import inputs_of
from neurolatent.models.hmmglm.select import columns_of
from neurolatent.plots.transitions import Pushed, transition_curves
from neurolatent.report.blocks import Cell, Picture, Section, Table, Text, number, plain
from neurolatent.report.figures import Painter
from neurolatent.report.material import Material

MOST_PICTURES = 4  # inputs with a picture of their own
POINTS = 40
ZERO = (
    "An effect is the change of the log odds of going to a state by one more unit of the input, less the mean over "
    "states: only differences between states count. The transition matrix and the stays above are those where all "
    "inputs are zero."
)


def inputs_section(material: Material, painter: Painter) -> list[Section]:
    """Effects of the inputs on the transitions; nothing where these are constant."""
    if not np.asarray(material.fit.params.drive).size:
        return []
    values, names = columns_of(material.prepared, *inputs_of(material.fit.model))
    pictures = [_curves(material, painter, values, names, column) for column in range(min(len(names), MOST_PICTURES))]
    blocks = [Text(_words(material, values, names)), *pictures, _table(material, names), Text(ZERO, "small")]
    return [Section("inputs", "What moves it from state to state?", blocks)]


def pushed(material: Material, at: np.ndarray) -> np.ndarray:
    """(sets, points, states, states) transitions at these inputs (points, inputs), of every set of parameters.

    Reference: ssm's convention of input-driven transitions, as in the model.
    """
    sets = material.fit.parameter_sets()
    base = np.stack([np.log(np.maximum(np.asarray(p.transition), 1e-300)) for p in sets])
    push = np.einsum("pu,dju->dpj", at, np.stack([np.asarray(p.drive) for p in sets]))
    return softmax(base[:, None] + push[:, :, None, :], axis=-1)


def _words(material: Material, values: np.ndarray, names: list[str]) -> str:
    """The input that moves the chance of leaving most, over the spread of the inputs, and how far."""
    ends = np.quantile(values, [0.05, 0.95], axis=0)
    found = []
    for column, name in enumerate(names):
        at = np.tile(values.mean(axis=0), (2, 1))
        at[:, column] = ends[:, column]
        stay = pushed(material, at).mean(axis=0).diagonal(axis1=1, axis2=2)
        state = int(np.abs(stay[1] - stay[0]).argmax())
        found.append((abs(stay[1, state] - stay[0, state]), name, state, ends[:, column], stay[:, state]))
    _, name, state, (low, high), (first, last) = max(found, key=lambda one: one[0])
    most = "" if len(names) == 1 else f"Of {len(names)} inputs {name} matters most. "
    return (
        f"{most}As {name} goes from {plain(float(low), 3)} to {plain(float(high), 3)} (90 % of its values), the "
        f"probability to stay in state {material.state_names[state]} goes from {first:.3f} to {last:.3f}."
    )


def _curves(material: Material, painter: Painter, values: np.ndarray, names: list[str], column: int) -> Picture:
    grid = np.linspace(values[:, column].min(), values[:, column].max(), POINTS)
    at = np.tile(values.mean(axis=0), (POINTS, 1))
    at[:, column] = grid
    every, states = pushed(material, at), material.state_names
    low, high = np.quantile(every, [0.05, 0.95], axis=0)
    curves = Pushed(grid, every.mean(axis=0), low, high)
    draw: Any = functools.partial(transition_curves, curves, states, label=names[column])
    draw.wants_figure = True
    stay = curves.probability.diagonal(axis1=1, axis2=2)
    said = "; ".join(f"state {n} from {stay[0, k]:.3f} to {stay[-1, k]:.3f}" for k, n in enumerate(states))
    rest = ", the other inputs at their mean" if len(names) > 1 else ""
    band = "; bands hold 90 % of the draws" if material.fit.draws is not None else ""
    return painter.picture(
        draw, f"Probability to stay along {names[column]}: {said}.",
        f"Where the next {material.unit} leads from each state along {names[column]}{rest}{band}.", size=(6.4, 2.7),
    )  # fmt: skip


def _table(material: Material, names: list[str]) -> Table:
    columns, parts = ["going to", "input", "effect"], [_apart(np.asarray(material.fit.params.drive))]
    if material.fit.draws is not None:
        draws = _apart(material.fit.idata["posterior"]["drive"].values)
        parts += [draws.std(axis=(0, 1)), *np.quantile(draws, [0.05, 0.95], axis=(0, 1))]
        columns += ["sd of draws", "90 % from", "to"]
    rows = [
        [Cell(f"state {state}", k, "state", swatch=k + 1), Cell(name), *(number(float(p[k, c]), 3) for p in parts)]
        for k, state in enumerate(material.state_names)
        for c, name in enumerate(names)
    ]
    return Table("Effects of the inputs on going to each state (log odds).", columns, rows, is_sortable=True)


def _apart(drive: Float[np.ndarray, "*draws states inputs"]) -> Float[np.ndarray, "*draws states inputs"]:
    """Less their mean over states, which the transitions do not depend on and the data do not tell."""
    return drive - drive.mean(axis=-2, keepdims=True)
