"""The table [data.knowledge] of a recipe: each rule is a dataclass that states something of a recording's states."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from neurolatent.checks import InputError, existing_file, whole_number, within
from neurolatent.loaders.csv import table_of_text
from neurolatent.recipe.objects import build, expect_table, refuse_unknown
from neurolatent.recording import Knowledge, Recording, knowledge


@runtime_checkable
class Rule(Protocol):
    """Something that a recipe states."""

    def of_recording(self, recording: Recording, generator: np.random.Generator) -> Knowledge:
        """What it says of a recording."""
        ...


@dataclass(frozen=True)
class StartEnd:
    """The first samples are in the first state, the last ones of failed sequences in the last."""

    n_start: int = 0
    n_end: int = 0

    def __post_init__(self) -> None:
        whole_number("n_start", self.n_start, 0)
        whole_number("n_end", self.n_end, 0)

    def of_recording(self, recording: Any, generator: np.random.Generator) -> Knowledge:
        """What it says of a recording."""
        return knowledge.start_end(recording, self.n_start, self.n_end)


@dataclass(frozen=True)
class LifeFraction:
    """Levels follow each other along the life of failed sequences."""

    edges: tuple[float, ...]
    overlap: float = 0.0
    off: float = 0.0

    def of_recording(self, recording: Any, generator: np.random.Generator) -> Knowledge:
        """What it says of a recording."""
        return knowledge.life_fraction(recording, self.edges, overlap=self.overlap, off=self.off)


@dataclass(frozen=True)
class Intervals:
    """Stated intervals in a csv file with the columns sequence, first, last, level and, optionally, confidence."""

    path: str
    levels: tuple[str, ...]

    def of_recording(self, recording: Any, generator: np.random.Generator) -> Knowledge:
        """What it says of a recording."""
        path = existing_file(self.path)
        try:
            return knowledge.intervals(recording, table_of_text(path), self.levels)
        except (ValueError, TypeError) as error:  # also cells of text where numbers are needed
            raise InputError(f"{Path(path).name}: {error}") from error


@dataclass(frozen=True)
class Labels:
    """True labels from a signal: a random share of the samples of each sequence, of non-specificity ``nu``."""

    signal: str
    of: int
    nu: float = 0.0
    share: float = 1.0

    def __post_init__(self) -> None:
        whole_number("of", self.of, 1)
        within("share", self.share, 0.0, 1.0)

    def of_recording(self, recording: Recording, generator: np.random.Generator) -> Knowledge:
        """What it says of a recording."""
        known = _share_of_sequences(recording, self.share, generator)
        return knowledge.labels(np.where(known, _truth(recording, self.signal), np.nan), self.of, nu=self.nu)


@dataclass(frozen=True)
class NoisyLabels:
    """Labels from a signal, each replaced by a uniform draw with its own probability of mean ``error``.

    ``soft`` states that probability with the label, ``hard`` takes the label at its word, ``none`` states nothing.
    """

    signal: str
    of: int
    error: float
    use: Literal["soft", "hard", "none"] = "soft"

    def __post_init__(self) -> None:
        whole_number("of", self.of, 1)
        within("error", self.error, 0.0, 1.0)

    def of_recording(self, recording: Recording, generator: np.random.Generator) -> Knowledge:
        """What it says of a recording."""
        truth = _truth(recording, self.signal)
        error = error_probabilities(self.error, len(truth), generator)
        replaced = generator.uniform(size=len(truth)) < error
        stated = np.where(replaced & ~np.isnan(truth), generator.integers(0, self.of, len(truth)), truth)
        if self.use == "none":
            return Knowledge()
        return knowledge.labels(stated, self.of, error=error if self.use == "soft" else None)


RULES: dict[str, type] = {
    "start_end": StartEnd,
    "life_fraction": LifeFraction,
    "intervals": Intervals,
    "labels": Labels,
    "noisy_labels": NoisyLabels,
}


def knowledge_of(table: Mapping[str, Any], recording: Recording, where: str, seed: int) -> Knowledge:
    """What the [data.knowledge] table states of a recording."""
    refuse_unknown(table, RULES, where)
    known = Knowledge()
    for name, options in table.items():
        at = f"{where}.{name}"
        rule: Rule = build(RULES[name], expect_table(options, at), at)
        try:
            known = known & rule.of_recording(recording, np.random.default_rng([seed, 1]))
        except InputError as error:
            raise InputError(f"{at}: {error}") from error
    return known


def _truth(recording: Recording, name: str) -> np.ndarray:
    """(samples,) true levels, NaN where none was observed."""
    signal = recording.signal(name)
    return np.where(signal.observed[:, 0], signal.values[:, 0].astype(float), np.nan)


def _share_of_sequences(recording: Recording, share: float, generator: np.random.Generator) -> np.ndarray:
    """A random share of the samples of each sequence."""
    known = np.zeros(recording.n_samples, bool)
    for part in recording.slices():
        size = part.stop - part.start
        known[part.start + generator.permutation(size)[: round(share * size)]] = True
    return known


def error_probabilities(mean: float, count: int, generator: np.random.Generator) -> np.ndarray:
    """Error probabilities of labels: Beta with the given mean and standard deviation 0.2; constant at 0 and 1.

    Reference: Ramasso and Denoeux (2014), the simulation of label noise: a = m^2 (1 - m) / v - m with v = 0.04. Where
    m (1 - m) <= v no such Beta exists, and the probabilities are constant.
    """
    variance = 0.04
    if mean * (1 - mean) <= variance:
        return np.full(count, mean)
    a = mean**2 * (1 - mean) / variance - mean
    b = mean * (1 - mean) / variance - 1 - a
    return generator.beta(a, b, size=count)
