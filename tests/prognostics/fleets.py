"""A small fleet of wearing units, and a prognosis of it that all tests of the prognostics share."""

import functools
from dataclasses import replace

import numpy as np

from neurolatent.baselines.regression import BoostedTrees
from neurolatent.fitting import fit
from neurolatent.models.arphmm import ARPHMM
from neurolatent.preparation import HealthIndicator
from neurolatent.prognostics.prognosis import Prognosis, prognose
from neurolatent.prognostics.settings import DEFAULT, RemainingLife
from neurolatent.recording import Recording, knowledge
from neurolatent.result import Fit

TREES = BoostedTrees(trees=20, leaves=8, least_rows=10)


def fleet(units: int = 12, seed: int = 0, *, shortest: int = 40, longest: int = 70) -> Recording:
    """Units that ran to failure: three sensors that follow wear, two of them with noise, one of which falls."""
    rng, parts = np.random.default_rng(seed), []
    for _ in range(units):
        life = int(rng.integers(shortest, longest))
        wear = (np.arange(life) / (life - 1)) ** 2
        noise = rng.normal(size=(life, 3))
        parts.append(np.stack([3 * wear, -2 * wear, wear], axis=1) + 0.3 * noise + rng.normal(size=3) * 0.1)
    ids = [f"u{seed}-{n}" for n in range(units)]
    made = Recording.of({"sensors": parts}, kinds={"sensors": "continuous"}, ids=ids, clock_unit="cycle", name="fleet")
    return made.with_facts(failed=[True] * units)


def running(units: int = 4, seed: int = 5) -> Recording:
    """Units of another seed, cut before their end, with their true remaining lives."""
    whole = fleet(units, seed)
    left = np.random.default_rng(seed).integers(5, 25, units)
    return whole.cut(0, whole.lengths - left).with_facts(remaining=left.astype(float))


def small_trees(readouts: tuple) -> tuple:
    """The same read-outs with few trees."""
    return tuple(replace(r, regressor=TREES) if getattr(r, "regressor", 0) == BoostedTrees() else r for r in readouts)


SETTINGS = RemainingLife(small_trees(DEFAULT), cap=60, folds=3, cuts=6, least_seen=5)


@functools.cache
def fitted() -> Fit:
    """A fit of the fleet with its knowledge."""
    return fit(ARPHMM(2, n_substates=2), known_fleet(), [HealthIndicator()], seed=0)


def known_fleet() -> Recording:
    """The fleet with the knowledge that lives begin healthy and end worn."""
    units = fleet()
    return units.with_knowledge(knowledge.start_end(units, 5, 5))


@functools.cache
def prognosis() -> Prognosis:
    """All read-outs, learned from the fleet."""
    return prognose(fitted(), known_fleet(), SETTINGS, seed=0)
