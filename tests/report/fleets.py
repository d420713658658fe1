"""A small fleet that wears out, and fits of it."""

import functools

import numpy as np

from neurolatent.choices import EM, NUTS, SVI
from neurolatent.fitting import fit
from neurolatent.models.arphmm import ARPHMM
from neurolatent.recording import Recording, knowledge

LENGTHS = (40, 46, 52, 44, 50, 42)
STRANGE = '<b onclick="x()">&7</b>'  # a unit name that must not become markup


def wearing(lengths: tuple[int, ...], ids: list[str], failed: bool, end: float = 1.0, seed: int = 0) -> Recording:
    """Units whose health falls from 1 to 1 - ``end``, and two sensors that follow it."""
    rng = np.random.default_rng(seed)
    health = [1 - end * np.linspace(0, 1, n) ** 3 + 0.03 * rng.standard_normal(n) for n in lengths]
    sensors = [np.stack([500 + 20 * (1 - h), -3 * h], axis=1) + 0.2 * rng.standard_normal((len(h), 2)) for h in health]
    recording = Recording.of(
        {"indicator": health, "sensors": sensors}, ids=ids, clock_unit="cycle", name="wearing fleet"
    )
    return recording.with_facts(failed=failed)


@functools.cache
def trained_by_em():
    """A fit by EM, and its training recording."""
    recording = wearing(LENGTHS, [str(n) for n in range(1, 7)], failed=True)
    recording = recording.with_knowledge(knowledge.start_end(recording, 5, 5))
    return fit(ARPHMM(n_states=3), recording, engine=EM(start="segments", restarts=2, steps=40)), recording


@functools.cache
def trained_by_nuts():
    """A short chain, and its training recording."""
    recording = wearing(LENGTHS[:3], ["1", "2", "3"], failed=True)
    recording = recording.with_knowledge(knowledge.start_end(recording, 5, 5))
    engine = NUTS(chains=2, warmup=30, draws=40, max_tree_depth=4, start=EM(steps=20))
    return fit(ARPHMM(n_states=2), recording, engine=engine), recording


@functools.cache
def trained_by_svi():
    """Draws of a guide, and their training recording."""
    recording = wearing(LENGTHS[:3], ["1", "2", "3"], failed=True)
    recording = recording.with_knowledge(knowledge.start_end(recording, 5, 5))
    return fit(ARPHMM(n_states=2), recording, engine=SVI(steps=500, n_draws=100, start=EM(steps=20))), recording


def running() -> Recording:
    """Units that still run: a strange name, one that is nearly over, and one that is too short to be answered."""
    return wearing((30, 35, 1, 28), [STRANGE, "late", "short", "early"], failed=False, end=0.7, seed=1)
