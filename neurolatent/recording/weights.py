"""Builders of plausibility arrays: what is known of the state at each step, as (time, states) numbers in [0, 1].

1 means fully possible, 0 excluded, in between doubtful; a row of ones is ignorance, rows need not sum to one.
Information from several builders is combined by multiplying the arrays (Dempster's rule on contour functions;
Ramasso and Denoeux, 2014, IEEE Trans. Fuzzy Systems 22(2):395-405).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neurolatent.checks import InputError, within


class Span(NamedTuple):
    """A stretch of steps in which only some states are possible."""

    first: int  # first step, counted from 0
    last: int  # last step, included
    states: frozenset[int]  # states that are possible, counted from 0
    confidence: float | int = 1.0  # 1: the others are excluded; c: the others keep plausibility 1 - c


def unknown(time: int, n_states: int) -> np.ndarray:
    """Ignorance: ones, shape (time, n_states)."""
    return np.ones((time, n_states))


def labels(
    states: Sequence[float | int] | np.ndarray, n_states: int, *, nu: float | int | np.ndarray = 0.0
) -> np.ndarray:
    """One at the labelled state and ``nu`` elsewhere, shape (time, n_states).

    Args:
        states: State per step, counted from 0; NaN or a negative number where unlabelled (a row of ones).
        n_states: Number of states K.
        nu: Non-specificity in [0, 1]: 0 is supervised, 1 unsupervised; a number, or one per step.
    """
    label, known = _labels(states, n_states)
    nu = np.broadcast_to(np.asarray(nu, float), label.shape)
    if not ((nu >= 0) & (nu <= 1)).all():
        raise InputError(f"nu must lie in [0, 1], got values from {nu.min()} to {nu.max()}")
    at_label = label[:, None] == np.arange(n_states)
    return np.where(known[:, None] & ~at_label, nu[:, None], 1.0)


def noisy(states: Sequence[float | int] | np.ndarray, error: float | int | np.ndarray, n_states: int) -> np.ndarray:
    """Posterior of the true state if a label was replaced by a uniform draw with probability ``error``.

    ``q/K`` elsewhere and ``q/K + 1 - q`` at the stated label; NaN labels give rows of ones.

    Args:
        states: State per step, counted from 0; NaN or a negative number where unlabelled.
        n_states: Number of states K.
        error: Probability q that a label is wrong, in [0, 1]; a number, or one per step.
    """
    label, known = _labels(states, n_states)
    q = np.broadcast_to(np.asarray(error, float), label.shape)
    if not ((q >= 0) & (q <= 1)).all():
        raise InputError(f"error must lie in [0, 1], got values from {q.min()} to {q.max()}")
    at_label = label[:, None] == np.arange(n_states)
    soft = q[:, None] / n_states + np.where(at_label, 1 - q[:, None], 0.0)
    return np.where(known[:, None], soft, 1.0)


def start_end(time: int, n_states: int, n_start: int, n_end: int) -> np.ndarray:
    """Only the first state in the first ``n_start`` steps, only the last in the last ``n_end``; ones between."""
    if n_start + n_end > time:
        raise InputError(f"n_start + n_end is {n_start + n_end}, but the sequence has only {time} steps")
    spans = []
    if n_start:
        spans.append(Span(0, n_start - 1, frozenset({0})))
    if n_end:
        spans.append(Span(time - n_end, time - 1, frozenset({n_states - 1})))
    return intervals(spans, time, n_states)


def intervals(spans: Sequence[Span], time: int, n_states: int) -> np.ndarray:
    """In each span, states outside its set get plausibility 1 - confidence; overlapping spans multiply."""
    weights = np.ones((time, n_states))
    for number, span in enumerate(spans):
        within(f"span {number}: confidence", span.confidence, 0.0, 1.0)
        strange = sorted(k for k in span.states if not 0 <= k < n_states)
        if strange:
            raise InputError(f"span {number}: no state {strange[0]}; states run from 0 to {n_states - 1}")
        if span.first > span.last:
            raise InputError(f"span {number}: it starts at step {span.first} and ends at step {span.last}")
        outside = [k for k in range(n_states) if k not in span.states]
        weights[max(span.first, 0) : max(span.last + 1, 0), outside] *= 1 - span.confidence
    return weights


def life_fraction(
    time: int, edges: Sequence[float | int], *, overlap: float | int = 0.0, off: float | int = 0.0
) -> np.ndarray:
    """State k is possible where the life fraction lies in [edge_k - overlap, edge_k+1 + overlap], else ``off``.

    Args:
        time: Steps of a whole life; the life fraction of step t is t / (time - 1).
        edges: n_states + 1 rising numbers from 0 to 1.
        overlap: Share of life by which neighbouring states overlap on both sides.
        off: Plausibility elsewhere, in [0, 1].
    """
    edge = np.asarray(edges, float)
    if edge.ndim != 1 or len(edge) < 2 or not (np.diff(edge) > 0).all():
        raise InputError(f"edges must be at least two rising numbers, got {edge.tolist()}")
    within("overlap", overlap, 0.0, 1.0)
    within("off", off, 0.0, 1.0)
    fraction = np.arange(time)[:, None] / max(time - 1, 1)
    return np.where((fraction >= edge[:-1] - overlap) & (fraction <= edge[1:] + overlap), 1.0, off)


def changepoints(
    time: int, changes: Sequence[int], *, half_width: int = 0, neighbours_only: bool = False
) -> np.ndarray:
    """Labels between change points; steps within ``half_width`` of a change are open.

    Args:
        time: Number of steps.
        changes: First step of each state but the first, rising; len(changes) + 1 states.
        half_width: Steps on both sides of a change that are left open (Dama and Sinoquet, 2021, use 15 on C-MAPSS).
        neighbours_only: Leave only the two neighbouring states open there, not all of them.
    """
    first = np.asarray(changes, int)
    if len(first) and ((np.diff(first) <= 0).any() or first[0] <= 0 or first[-1] >= time):
        raise InputError(f"changes must rise and lie inside 1..{time - 1}, got {first.tolist()}")
    steps = np.arange(time)
    weights = labels(np.searchsorted(first, steps, side="right"), len(first) + 1)
    for before, change in enumerate(first):
        near = np.abs(steps - change) <= half_width if half_width else np.zeros(time, bool)
        weights[near, before : before + 2] = 1.0
        if not neighbours_only:
            weights[near] = 1.0
    return weights


def from_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities divided by the maximum of their row, shape (time, n_states)."""
    probabilities = np.asarray(probabilities, float)
    if probabilities.ndim != 2 or not (np.isfinite(probabilities) & (probabilities >= 0)).all():
        raise InputError("probabilities must be finite numbers of at least 0, shape (time, states)")
    highest = probabilities.max(axis=1, keepdims=True)
    empty = np.flatnonzero(highest[:, 0] == 0)
    if len(empty):
        raise InputError(f"row {int(empty[0])}: all probabilities are zero. Use a row of ones where nothing is known.")
    return probabilities / highest


def validated(weights: np.ndarray, samples: int, n_states: int, where: str = "weights") -> np.ndarray:
    """The weights as floats, or an error that names the row.

    Raises:
        InputError: Wrong shape, numbers outside [0, 1] or not finite, a row of zeros.
    """
    weights = np.asarray(weights, float)
    if weights.shape != (samples, n_states):
        raise InputError(f"{where}: plausibilities must have shape ({samples}, {n_states}), got {weights.shape}")
    wrong = np.argwhere(~(np.isfinite(weights) & (weights >= 0) & (weights <= 1)))
    if len(wrong):
        row, state = (int(i) for i in wrong[0])
        raise InputError(
            f"{where}, row {row}, state {state}: the plausibility is {weights[row, state]}, but must lie in [0, 1]. "
            "Divide each row by its maximum if they are probabilities."
        )
    empty = np.flatnonzero((weights == 0).all(axis=1))
    if len(empty):
        raise InputError(
            f"{where}, row {int(empty[0])}: all states are excluded. Use a row of ones where nothing is known."
        )
    return weights


def _labels(states: Sequence[float | int] | np.ndarray, n_states: int) -> tuple[np.ndarray, np.ndarray]:
    states = np.asarray(states, float)
    known = states >= 0
    wrong = np.flatnonzero(known & (states != np.floor(states)))
    if len(wrong):
        raise InputError(f"row {int(wrong[0])}: the label is {states[wrong[0]]:g}, but labels are whole numbers")
    label = np.where(known & np.isfinite(states), states, np.where(known, n_states, 0)).astype(int)
    high = np.flatnonzero(known & (label >= n_states))
    if len(high):
        raise InputError(
            f"row {int(high[0])}: the label is {states[high[0]]:g}, but states run from 0 to {n_states - 1}"
        )
    return label, known
