"""The section [prognosis] of a recipe: settings from its tables, and what is measured of the prognosis."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from neurolatent.checks import InputError, did_you_mean, positive
from neurolatent.diagnostics import Row
from neurolatent.prognostics.checks import check_prognosis
from neurolatent.prognostics.measures import Measured, comparison, flat_figures, held_out, on_running
from neurolatent.prognostics.out_of_fold import Shared
from neurolatent.prognostics.prognosis import FUSION, Prognosis, prognose
from neurolatent.prognostics.settings import PRESETS, RemainingLife
from neurolatent.recipe.objects import build, expect_table
from neurolatent.recording import Recording
from neurolatent.result import Fit

OURS = ("horizon", "readouts", "baselines")


@dataclass(frozen=True)
class Ahead:
    """What the section [prognosis] asks for."""

    settings: RemainingLife
    horizon: float | None = None  # clock units; None: see :func:`neurolatent.prognostics.risk.default_horizon`


@dataclass(frozen=True, eq=False)
class Lives:
    """A prognosis, and what its lines said of units whose end is known."""

    prognosis: Prognosis
    horizon: float | None
    held: Measured  # training units, held out in turn
    running: Measured | None  # units of the test recording, where their truth is given

    def figures(self) -> dict[str, float]:
        """``cv.rul.*`` on held-out training units, ``rul.*`` on running units (else the same as the former)."""
        held = flat_figures(self.held)
        figures = {f"cv.{name}": value for name, value in held.items()}
        figures |= {f"rul.weight.{name}": value for name, value in self.prognosis.weights.items()}
        return figures | (held if self.running is None else flat_figures(self.running))

    def table(self, seed: int) -> pd.DataFrame:
        """All lines compared, on held-out training units and then on running ones: the column ``on`` tells."""
        parts = {"held-out units": self.held} | ({} if self.running is None else {"running units": self.running})
        tables = [comparison(measured, seed=seed).assign(on=on) for on, measured in parts.items()]
        return pd.concat(tables, ignore_index=True)


def ahead_of(table: Mapping[str, Any], where: str) -> Ahead | None:
    """The section as objects; None where there is none."""
    if not table:
        return None
    settings = build(RemainingLife, {key: value for key, value in table.items() if key not in OURS}, where)
    chosen = {key: _readouts(table[key], f"{where}.{key}") for key in ("readouts", "baselines") if key in table}
    if "horizon" in table:
        positive(f"{where}.horizon", table["horizon"])
    try:
        return Ahead(dataclasses.replace(settings, **chosen), horizon_of(table))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def horizon_of(table: Mapping[str, Any]) -> float | None:
    """How far ahead a section [prognosis] looks, in clock units; None where it does not say."""
    return float(table["horizon"]) if "horizon" in table else None


def _readouts(tables: Any, where: str) -> tuple[Any, ...]:
    """Read-outs by their names, each a preset with some of its fields changed."""
    if not isinstance(tables, list):
        raise InputError(f"{where}: write one table [[prognosis.{where.split('.')[-1]}]] for each, got {tables!r}")
    out = []
    for number, given in enumerate(tables):
        at = f"{where}[{number}]"
        rest = dict(expect_table(given if isinstance(given, dict) else {"name": given}, at))
        name = str(rest.pop("name", ""))
        if name not in PRESETS:
            raise InputError(f"{at}: there is no read-out {name!r}. {did_you_mean(name, PRESETS)}")
        preset: Any = PRESETS[name]
        kept = {f.name: getattr(preset, f.name) for f in dataclasses.fields(preset) if f.name not in rest}
        out.append(dataclasses.replace(build(type(preset), rest, at), **kept))
    return tuple(out)


def lives_of(
    ahead: Ahead, fit: Fit, recording: Recording, test: Recording | None, *, seed: int, shared: Shared | None = None
) -> Lives:
    """The prognosis of a fit, measured."""
    return measured(prognose(fit, recording, ahead.settings, seed=seed, shared=shared), ahead.horizon, test)


def measured(
    prognosis: Prognosis, horizon: float | None, test: Recording | None, lines: Collection[str] | None = None
) -> Lives:
    """A prognosis with what its lines say of held-out units, and of running ones where the truth is given."""
    held = held_out(prognosis, lines=lines)
    is_known = test is not None and "remaining" in test.sequences
    return Lives(prognosis, horizon, held, on_running(prognosis, test) if test and is_known else None)


def checks_of(prognosis: Prognosis | None) -> tuple[Row, ...]:
    """Whether a prognosis is to be believed; nothing where there is none."""
    return () if prognosis is None else check_prognosis(prognosis, held_out(prognosis))


def with_arm(lives: Lives, name: str, other: Prognosis, test: Recording | None) -> Lives:
    """With the lines of another prognosis that are its own, under ``name.line``: the fusion, and what uses the states.

    Both were asked at the same rows of the same units, so that differences are paired.
    """
    uses = {readout.name for readout in other.settings.all if readout.uses_states} | {FUSION}
    arm = measured(other, lives.horizon, test, uses)

    def joined(mine: Measured, theirs: Measured) -> Measured:
        return mine._replace(
            told=mine.told | {f"{name}.{line}": theirs.told[line] for line in theirs.told if line in uses}
        )

    running = None if lives.running is None or arm.running is None else joined(lives.running, arm.running)
    return dataclasses.replace(lives, held=joined(lives.held, arm.held), running=running)
