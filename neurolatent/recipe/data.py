"""The recordings that a recipe speaks of: loaded from a file, or simulated."""

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from neurolatent.checks import InputError, did_you_mean, whole_number
from neurolatent.compiling import key_of
from neurolatent.loaders import READERS, SUFFIXES, load
from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.models.dkf.experiments import EXPERIMENTS
from neurolatent.precision import in_double
from neurolatent.recipe.experiments import experiment_of
from neurolatent.recipe.network import NAME as NETWORK
from neurolatent.recipe.network import network_of
from neurolatent.recipe.objects import build, convert, expect_table, refuse_unknown
from neurolatent.recipe.trials import CASES, trials_of
from neurolatent.recording import EndOfLife, Recording

OURS = (
    "path",
    "format",
    "simulate",
    "knowledge",
    "card",
    "take",
    "valid",
    "end_of_life",
    "bin",
    "cut",
    "min_spikes",
    "blocks",
)


def recording_of(table: Mapping[str, Any], where: str, seed: int) -> Recording:
    """The recording of a [data] or [test] table, without its knowledge.

    Args:
        seed: Of a simulated recording.
    """
    if ("path" in table) == ("simulate" in table):
        raise InputError(f"{where}: either 'path' or 'simulate' is needed")
    if "simulate" in table:
        refuse_unknown(table, [key for key in OURS if key not in ("path", "format")], where)
        recording = _drawn(expect_table(table["simulate"], f"{where}.simulate"), f"{where}.simulate", seed)
    else:
        recording = _loaded(table, where)
    if "take" in table:
        recording = _taken(recording, table["take"], f"{where}.take")
    if "valid" in table:
        recording = recording.within(convert(table["valid"], Mapping[str, tuple[float, ...]], f"{where}.valid"))
    if "end_of_life" in table:
        at = f"{where}.end_of_life"
        recording = recording.ending(build(EndOfLife, expect_table(table["end_of_life"], at), at))
    recording = recording.bin(convert(table["bin"], int, f"{where}.bin")) if "bin" in table else recording
    recording = recording.cut(*_bounds(table["cut"], f"{where}.cut")) if "cut" in table else recording
    for key, step in (("min_spikes", Recording.spiking), ("blocks", Recording.blocks)):
        recording = step(recording, convert(table[key], int, f"{where}.{key}")) if key in table else recording
    return recording


def _drawn(table: Mapping[str, Any], where: str, seed: int) -> Recording:
    """A named simulation, or one of a model with parameters that stand in the recipe."""
    if "name" not in table:
        return simulated(table, where, seed)
    trials = trials_of(table, where)
    if trials is not None:
        return trials
    made = network_of(table, where) or experiment_of(table, where)
    if made is None:
        names = [NETWORK, *EXPERIMENTS, *CASES]
        raise InputError(
            f"{where}: there is no simulation {table['name']!r}. {did_you_mean(str(table['name']), names)}"
        )
    return made.recording


def _loaded(table: Mapping[str, Any], where: str) -> Recording:
    """The recording in a file; options have the types that the format's reader wants, ``load`` refuses unknown ones."""
    path = convert(table["path"], str, f"{where}.path")
    format = convert(table.get("format", "none"), str | None, f"{where}.format")
    reader = READERS.get(format or SUFFIXES.get(Path(path.removesuffix(".gz")).suffix.lower(), ""))
    hints = typing.get_type_hints(reader) if reader else {}
    given = {key: value for key, value in table.items() if key not in OURS}
    options = {key: convert(value, hints.get(key, Any), f"{where}.{key}") for key, value in given.items()}
    return load(path, format=format, **options)


def _bounds(cut: Any, where: str) -> tuple[int, int | None]:
    """First sample that stays and first that goes, of ``[first, last]``; ``[first]`` keeps the end."""
    if not isinstance(cut, list) or not 1 <= len(cut) <= 2:
        raise InputError(f"{where}: [first, last] is expected, or [first] to the end, got {cut!r}")
    for number in cut:
        whole_number(where, number, 0)
    return cut[0], cut[1] if len(cut) == 2 else None


def _taken(recording: Recording, chosen: Any, where: str) -> Recording:
    """The first so many sequences, the last ones of a number below 0, or those of a list of ids."""
    if isinstance(chosen, list):
        return recording.take(chosen)
    if isinstance(chosen, int) and chosen < 0:
        return recording.take(recording.ids[chosen:])
    whole_number(where, chosen, 1)
    return recording.take(recording.ids[:chosen])


@dataclass(frozen=True)
class Simulation:
    """The table ``simulate``: sequences drawn from a model with parameters that stand in the recipe."""

    length: int
    model: ARPHMM
    params: Mapping[str, Any]
    sequences: int = 1
    first_mean: tuple[float, ...] = ()  # of the samples before the first one, latest first
    first_covariance: tuple[tuple[float, ...], ...] = field(default=())

    def __post_init__(self) -> None:
        whole_number("sequences", self.sequences, 1)
        whole_number("length", self.length, 1)


@in_double
def simulated(table: Mapping[str, Any], where: str, seed: int) -> Recording:
    """Sequences drawn from a model with parameters that stand in the recipe."""
    wanted = build(Simulation, table, where)
    params = _params(wanted.model, wanted.params, f"{where}.params")
    before = _before(wanted, params.coefficients.shape[1], where, seed)
    return wanted.model.simulate(params, key_of(seed), [wanted.length] * wanted.sequences, before=before)


def _params(model: ARPHMM, values: Mapping[str, Any], where: str) -> ARPHMMParams:
    """The parameters, whose shapes must fit the model, with probabilities that are some."""
    refuse_unknown(values, ARPHMMParams._fields, where)
    try:
        params = model.params_from(values)
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: {error}") from error
    states = model.n_states
    features = params.coefficients.shape[1] if params.coefficients.ndim == 3 else 1
    shapes = {
        "initial": (states,),
        "transition": (states, states),
        "advance": (states,),
        "coefficients": (states, features, features * model.order + 1),
        "covariance": (states, features, features),
    }
    for name, shape in shapes.items():
        if getattr(params, name).shape != shape:
            raise InputError(f"{where}.{name}: the shape {shape} is needed, got {getattr(params, name).shape}")
    for name in ("initial", "transition"):
        rows = getattr(params, name)
        if (rows < 0).any() or not np.allclose(rows.sum(axis=-1), 1.0, atol=1e-6):
            raise InputError(f"{where}.{name}: rows of probabilities must sum to 1, got {rows.tolist()}")
    if not (np.linalg.eigvalsh(params.covariance) > 0).all():
        raise InputError(f"{where}.covariance: it must be positive definite for every state")
    return params


def _before(wanted: Simulation, features: int, where: str, seed: int) -> np.ndarray | None:
    """(sequences, order, features) Gaussian samples before the first one; None where the recipe gives no mean."""
    if not wanted.first_mean:
        return None
    mean, size = np.asarray(wanted.first_mean), wanted.model.order * features
    spread = np.asarray(wanted.first_covariance) if wanted.first_covariance else np.zeros((size, size))
    if mean.shape != (size,) or spread.shape != (size, size):
        raise InputError(
            f"{where}: first_mean needs {size} numbers (order times features) and first_covariance {size} x {size}, "
            f"got {mean.shape} and {spread.shape}"
        )
    draws = np.random.default_rng(seed).multivariate_normal(mean, spread, size=wanted.sequences)
    return draws.reshape(wanted.sequences, wanted.model.order, features)
