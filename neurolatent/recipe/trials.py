"""Simulated spikes, trials of spikes and behaviour, and patterns, that a recipe names in [data.simulate]."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from neurolatent.models.bicluster.synthetic import bicluster_case
from neurolatent.models.gpvae.synthetic import digits_case, gpfa_case
from neurolatent.models.pvrnn.synthetic import branching_case, fsm_case, primitives_case, sway_case
from neurolatent.recipe.objects import build
from neurolatent.recording import Recording


@dataclass(frozen=True)
class GPFACase:
    """The table with ``name = "gpfa_case"``; its seed is its own, so that a test shares it."""

    seed: int = 0
    n_trials: int = 40
    bins: int = 60
    n_neurons: int = 30


@dataclass(frozen=True)
class DigitsCase:
    """The table with ``name = "digits_case"``."""

    seed: int = 0
    n_trials: int = 100
    bins: int = 60
    n_neurons: int = 30
    exemplar: Literal["single", "cycle"] = "single"
    size: Literal["small", "large"] = "small"


@dataclass(frozen=True)
class BiclusterCase:
    """The table with ``name = "bicluster_case"``."""

    seed: int = 0
    per_cluster: int = 10
    clusters: int = 3
    bins: int = 500
    factors: int = 2
    family: Literal["nb", "poisson"] = "nb"


@dataclass(frozen=True)
class Machine:
    """The table with ``name = "fsm"``: symbols of a machine with three states."""

    seed: int = 0
    sequences: int = 10
    steps: int = 24


@dataclass(frozen=True)
class Branching:
    """The table with ``name = "branching"``: paths that bend to one of two sides."""

    seed: int = 0
    sequences: int = 60
    steps: int = 30


@dataclass(frozen=True)
class Primitives:
    """The table with ``name = "primitives"``: closed curves that a machine switches."""

    seed: int = 0
    sequences: int = 20
    primitives: int = 6


@dataclass(frozen=True)
class Sway:
    """The table with ``name = "sway"``: a movement that sways."""

    seed: int = 0
    sequences: int = 14
    steps: int = 96
    channels: int = 14


CASES = {
    "gpfa_case": (GPFACase, gpfa_case),
    "digits_case": (DigitsCase, digits_case),
    "bicluster_case": (BiclusterCase, bicluster_case),
    "fsm": (Machine, fsm_case),
    "branching": (Branching, branching_case),
    "primitives": (Primitives, primitives_case),
    "sway": (Sway, sway_case),
}


def trials_of(table: Mapping[str, Any], where: str) -> Recording | None:
    """The trials of a table ``simulate``, with their true latents; None where it names none."""
    if table.get("name") not in CASES:
        return None
    kind, simulate = CASES[table["name"]]
    options = asdict(build(kind, {k: v for k, v in table.items() if k != "name"}, where))
    return simulate(options.pop("seed"), **options)
