"""What is known of hidden states, stored without a number of states so that numbers of states stay comparable.

Knowledge speaks of ordered *levels* (healthy, worn, faulty: level 0 to m - 1) on the recording's clock. A model
renders it for its own number of states: level i of m covers states floor(i K / m) to floor((i + 1) K / m) - 1, and
with more levels than states neighbouring levels share a state.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, did_you_mean, place, within
from neurolatent.recording import weights

ENDS = 0  # a statement "of 0 levels" speaks of the very first state (0) and the very last (-1), whatever their number
STATEMENT = ("sequence", "first", "last", "levels", "of", "confidence")


@runtime_checkable
class Clocked(Protocol):
    """What knowledge must know of a recording: its sequences and their clock."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def bin_width(self) -> float: ...  # noqa: D102
    @property
    def ids(self) -> list[str]: ...  # noqa: D102
    @property
    def n_samples(self) -> int: ...  # noqa: D102
    def slices(self) -> list[slice]: ...  # noqa: D102
    def times(self) -> list[np.ndarray]: ...  # noqa: D102
    def clock(self) -> np.ndarray: ...  # noqa: D102
    def failed(self, needed: bool, asked_by: str) -> np.ndarray: ...  # noqa: D102
    def whereabouts(self, sample: int) -> str: ...  # noqa: D102


class LabelTrack(NamedTuple):
    """A stated level per sample, NaN where none is stated."""

    level: np.ndarray  # (samples,)
    of: int  # number of levels
    doubt: np.ndarray  # (samples,) in [0, 1]: non-specificity nu, or the probability of an error
    is_noisy: bool  # True: doubt is the probability that a label is wrong


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Partial knowledge of the hidden states of a recording; ``a & b`` combines two bodies of knowledge.

    Attributes:
        statements: One row per statement: between clock times ``first`` and ``last`` (included) of ``sequence`` only
            some ``levels`` (JSON list) ``of`` so many are possible; the others keep plausibility 1 - ``confidence``.
        labels: Stated levels per sample.
        plausibilities: Ready arrays (samples, states), for a fixed number of states.
    """

    statements: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(STATEMENT)))
    labels: tuple[LabelTrack, ...] = ()
    plausibilities: tuple[np.ndarray, ...] = ()

    def __and__(self, other: "Knowledge") -> "Knowledge":
        tables = [k.statements for k in (self, other) if len(k.statements)]
        statements = pd.concat(tables, ignore_index=True) if tables else self.statements
        return Knowledge(statements, self.labels + other.labels, self.plausibilities + other.plausibilities)

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is known."""
        return not (len(self.statements) or self.labels or self.plausibilities)

    def per_sample(self) -> list[np.ndarray]:
        """The arrays that hold one row per sample."""
        return [*(t.level for t in self.labels), *self.plausibilities]

    def rows(self, index: np.ndarray | slice) -> "Knowledge":
        """Knowledge of some samples only; statements keep their place on the clock."""
        tracks = tuple(t._replace(level=t.level[index], doubt=t.doubt[index]) for t in self.labels)
        return replace(self, labels=tracks, plausibilities=tuple(p[index] for p in self.plausibilities))

    def of_sequences(self, ids: Iterable[str]) -> "Knowledge":
        """Without the statements on sequences that are not among ``ids``."""
        keep = self.statements["sequence"].isin(list(ids))
        return replace(self, statements=self.statements[keep].reset_index(drop=True))

    def render(self, recording: Clocked, n_states: int) -> np.ndarray:
        """Plausibilities (samples, n_states) in [0, 1] for a model with ``n_states`` states.

        Raises:
            InputError: Plausibilities for another number of states, or a row in which all states are excluded.
        """
        out = np.ones((recording.n_samples, n_states))
        slack = 1e-6 * recording.bin_width  # a clock that was cut or stored may differ in the last digit
        clock, slices = recording.clock(), dict(zip(recording.ids, recording.slices(), strict=True))
        rows: Any = self.statements.itertuples(index=False)
        for row in rows:
            part = slices[str(row.sequence)]
            inside = (clock[part] >= row.first - slack) & (clock[part] <= row.last + slack)
            allowed = states_of_levels(json.loads(str(row.levels)), int(row.of), n_states)
            outside = [k for k in range(n_states) if k not in allowed]
            out[np.ix_(np.flatnonzero(inside) + part.start, outside)] *= 1 - float(row.confidence)
        for track in self.labels:
            out *= _render_labels(track, n_states)
        for array in self.plausibilities:
            out *= weights.validated(array, recording.n_samples, n_states, place(recording.name, "plausibilities"))
        _refuse_empty_rows(out, recording)
        return out

    def describe(self) -> str:
        """What is known, in one line."""
        parts = []
        if len(self.statements):
            parts.append(f"{len(self.statements)} statements on {self.statements['sequence'].nunique()} sequences")
        parts += [f"labels at {int(np.isfinite(t.level).sum())} samples" for t in self.labels]
        parts += [f"plausibilities for {p.shape[1]} states" for p in self.plausibilities]
        return "; ".join(parts) or "nothing is known of the states"


def states_of_levels(levels: Iterable[int], of: int, n_states: int) -> frozenset[int]:
    """States that the given levels, out of ``of``, cover when there are ``n_states``."""
    if of == ENDS:
        return frozenset(level % n_states for level in levels)
    covered: set[int] = set()
    for level in levels:
        first = level * n_states // of
        covered.update(range(first, max(first + 1, (level + 1) * n_states // of)))
    return frozenset(covered)


def start_end(recording: Clocked, n_start: int, n_end: int) -> Knowledge:
    """The first ``n_start`` samples were in the very first state, the last ``n_end`` of failed ones in the last.

    Raises:
        InputError: A sequence shorter than the two stretches together.
    """
    rows, failed = [], recording.failed(n_end > 0, "start_end")
    for name, time, has_failed in zip(recording.ids, recording.times(), failed, strict=True):
        if n_start + n_end * has_failed > len(time):
            raise InputError(
                f"{place(recording.name, name)}: {len(time)} samples, fewer than n_start + n_end = {n_start + n_end}. "
                "Lower them, or drop this sequence."
            )
        if n_start:
            rows.append((name, time[0], time[n_start - 1], "[0]", ENDS, 1.0))
        if n_end and has_failed:
            rows.append((name, time[-n_end], time[-1], "[-1]", ENDS, 1.0))
    return Knowledge(pd.DataFrame(rows, columns=list(STATEMENT)))


def life_fraction(
    recording: Clocked, edges: Sequence[float | int], *, overlap: float | int = 0.0, off: float | int = 0.0
) -> Knowledge:
    """Level i is possible at life fractions in [edge_i - overlap, edge_i+1 + overlap]; elsewhere it keeps ``off``.

    Speaks of failed sequences only: the life of the others is not over.
    """
    within("off", off, 0.0, 1.0)
    edge = np.asarray(edges, float)
    if edge.ndim != 1 or len(edge) < 2 or (np.diff(edge) <= 0).any():
        raise InputError(f"life_fraction: edges must be at least two rising numbers, got {list(edges)}")
    rows, of = [], len(edge) - 1
    for name, time, has_failed in zip(
        recording.ids, recording.times(), recording.failed(True, "life_fraction"), strict=True
    ):
        if not has_failed:
            continue
        possible = weights.life_fraction(len(time), edge.tolist(), overlap=overlap, off=0.0) > 0
        changes = np.flatnonzero((possible[1:] != possible[:-1]).any(axis=1)) + 1
        for first, last in zip([0, *changes], [*changes, len(time)], strict=True):
            levels = np.flatnonzero(possible[first]).tolist()
            rows.append((name, time[first], time[last - 1], json.dumps(levels), of, 1 - off))
    return Knowledge(pd.DataFrame(rows, columns=list(STATEMENT)))


def intervals(recording: Clocked, table: pd.DataFrame, levels: Sequence[str]) -> Knowledge:
    """Stated intervals: a table with columns sequence, first, last, level and, optionally, confidence.

    Args:
        recording: The recording that they speak of.
        table: ``first`` and ``last`` are clock times, both included; ``level`` is one name or several, joined
            by ``|``; a missing ``confidence`` is 1.
        levels: Names of the ordered levels, lowest first.

    Raises:
        InputError: An unknown sequence or level, an interval that ends before it starts.
    """
    names, rows = list(levels), []
    missing = [c for c in ("sequence", "first", "last", "level") if c not in table]
    if missing:
        raise InputError(f"the knowledge table has no column {missing[0]!r}. {did_you_mean(missing[0], table.columns)}")
    for number, row in enumerate(table.to_dict("records"), 1):
        sequence, stated = str(row["sequence"]), [s.strip() for s in str(row["level"]).split("|")]
        where = f"knowledge table, row {number}"
        if sequence not in recording.ids:
            raise InputError(f"{where}: no sequence {sequence!r}. {did_you_mean(sequence, recording.ids)}")
        unknown = [s for s in stated if s not in names]
        if unknown:
            raise InputError(f"{where}: no level {unknown[0]!r}. {did_you_mean(unknown[0], names)}")
        if not row["first"] <= row["last"]:
            raise InputError(f"{where}: the interval starts at {row['first']} and ends at {row['last']}")
        confidence = 1.0 if pd.isna(row.get("confidence", 1.0)) else float(row.get("confidence", 1.0))
        if not 0 <= confidence <= 1:
            raise InputError(f"{where}: confidence must lie in [0, 1], got {confidence}")
        numbers = json.dumps(sorted(names.index(s) for s in stated))
        rows.append((sequence, row["first"], row["last"], numbers, len(names), confidence))
    return Knowledge(pd.DataFrame(rows, columns=list(STATEMENT)))


def labels(
    level: Sequence[float | int] | np.ndarray,
    of: int,
    *,
    nu: float | int | np.ndarray = 0.0,
    error: float | int | np.ndarray | None = None,
) -> Knowledge:
    """A stated level per sample of the recording; NaN (or negative) where none is stated.

    Args:
        level: (samples,) level numbers from 0.
        of: How many levels there are.
        nu: Plausibility of the other levels; 0 supervised, 1 unsupervised.
        error: Instead of ``nu``: the probability that a label was replaced by a uniform draw.
    """
    level = np.asarray(level, float)
    level = np.where(level >= 0, level, np.nan)
    wrong = np.flatnonzero((level != np.floor(level)) & ~np.isnan(level))
    if len(wrong):
        raise InputError(f"labels, sample {int(wrong[0])}: level {level[wrong[0]]:g} is not a whole number")
    high = np.flatnonzero(level >= of)
    if len(high):
        raise InputError(f"labels, sample {int(high[0])}: level {level[high[0]]:g}, but they run from 0 to {of - 1}")
    doubt = np.broadcast_to(np.asarray(nu if error is None else error, float), level.shape)
    if not ((doubt >= 0) & (doubt <= 1)).all():
        raise InputError(f"labels: nu and error must lie in [0, 1], got {doubt.min()} to {doubt.max()}")
    return Knowledge(labels=(LabelTrack(level, of, doubt, error is not None),))


def plausibility(array: np.ndarray) -> Knowledge:
    """Ready plausibilities (samples, states), for that number of states only."""
    array = np.asarray(array, float)
    return Knowledge(plausibilities=(weights.validated(array, array.shape[0], array.shape[1]),))


def _render_labels(track: LabelTrack, n_states: int) -> np.ndarray:
    if track.of == n_states:
        build = weights.noisy if track.is_noisy else _specific
        return build(track.level, track.doubt, n_states)
    out = np.ones((len(track.level), n_states))
    for level in range(track.of):
        covered = states_of_levels([level], track.of, n_states)
        other = [k for k in range(n_states) if k not in covered]
        rows = np.flatnonzero(track.level == level)
        low = track.doubt[rows] * (len(covered) / n_states if track.is_noisy else 1.0)
        high = low + 1 - track.doubt[rows] if track.is_noisy else np.ones(len(rows))
        out[rows[:, None], other] = low[:, None]
        out[rows[:, None], sorted(covered)] = high[:, None]
    return out


def _specific(level: np.ndarray, nu: np.ndarray, n_states: int) -> np.ndarray:
    return weights.labels(level, n_states, nu=nu)


def _refuse_empty_rows(out: np.ndarray, recording: Clocked) -> None:
    empty = np.flatnonzero(out.max(axis=1) <= 0) if out.size else np.zeros(0, int)
    if len(empty):
        raise InputError(
            f"{recording.whereabouts(int(empty[0]))}: the statements together exclude every state. "
            "Lower the confidence of one of them, or correct the interval."
        )
