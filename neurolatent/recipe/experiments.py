"""The simulated experiments of a recipe that decodes, and how near a fit could come: the exact regression's figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurolatent.checks import InputError, whole_number
from neurolatent.models.dkf.experiments import EXPERIMENTS, Experiment, exactly_decoded, experiment
from neurolatent.recipe.decoding import beliefs_figures
from neurolatent.recipe.objects import build
from neurolatent.recording import Recording


@dataclass(frozen=True)
class Drawn:
    """The table [data.simulate] that names an experiment; its seed is its own, so that a test shares the draw."""

    seed: int = 0
    bins: int = 10_000
    channels: int = 32
    latent: int = 10

    def __post_init__(self) -> None:
        for name in ("bins", "channels", "latent"):
            whole_number(name, getattr(self, name), 1)
        if self.latent % 2 or self.latent > 18:
            raise InputError(
                f"latent: the experiments are stable for an even number of axes from 2 to 18, got {self.latent}"
            )


def experiment_of(table: Mapping[str, Any], where: str) -> Experiment | None:
    """The experiment of a table ``simulate``; None where it names none."""
    if table.get("name") not in EXPERIMENTS:
        return None
    drawn = build(Drawn, {k: v for k, v in table.items() if k != "name"}, where)
    return experiment(str(table["name"]), drawn.seed, bins=drawn.bins, channels=drawn.channels, latent=drawn.latent)


def exact_beside(table: Mapping[str, Any], test: Recording) -> dict[str, dict[str, float]]:
    """Figures of the exact regression and its filter on the test rows, under ``exact``; none without an experiment."""
    made = experiment_of(table, "[data.simulate]")
    if made is None:
        return {}
    found, signal = exactly_decoded(made, test), test.signal("latent")
    filtered = found.decoded.filtered
    told = {
        "filtered_mean": filtered.mean[0],
        "filtered_cov": filtered.cov[0],
        "smoothed_mean": found.decoded.smoothed_mean[0],
        "regressed_mean": np.asarray(found.measured.mean)[0],
        "indefinite": found.decoded.indefinite[0],
    }
    return {"exact": beliefs_figures(signal.values, told, signal.names)}
