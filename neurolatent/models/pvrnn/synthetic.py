"""Simulated patterns: symbols of a machine, paths that branch, primitives that a machine switches, a swaying movement.

The machine and its draws are those of the method's specification, section 11; the primitives stand for the hand-drawn
ones of Ahmadi and Tani (2019), which were never published; the branching paths have the shape of Matsumoto and Tani
(2020), Entropy 22(5), whose file is not ours to change; the movement has the sequences, channels and range of a sweep
of the meta-prior that was published without its data.
"""

import json

import numpy as np
import pandas as pd
from jaxtyping import Float

from neurolatent.checks import whole_number
from neurolatent.recording import Recording
from neurolatent.recording.signal import make_signal

STATES = ("A", "B", "C")
MACHINE = np.array([[0.0, 1.0, 0.0], [0.7, 0.0, 0.3], [1.0, 0.0, 0.0]])  # [from, to]
SWITCHING = np.array([[0.0, 0.7, 0.3], [0.3, 0.0, 0.7], [0.7, 0.3, 0.0]])  # rows of 0.7 and 0.3; ours
FREQUENCIES = ((1, 2), (2, 1), (2, 3))  # of the two axes of each primitive
PERIOD = 24  # steps of a primitive, and of one round of the movement
REACH = 0.6  # of the movement: with its sway it stays within about [-0.7, 0.7]
SWAY, LASTING = 0.04, 12.0  # standard deviation in each channel, and steps over which it fades by 1/e; ours


def fsm_case(seed: int, *, sequences: int = 10, steps: int = 24) -> Recording:
    """Symbols of a machine with three states, one uniform draw per visit of B: C below 0.3, else A."""
    for name, value in (("sequences", sequences), ("steps", steps)):
        whole_number(name, value, 2)
    rng = np.random.default_rng(seed)
    drawn = [symbols(rng, steps) for _ in range(sequences)]
    return Recording.of(
        {"symbol": [row[:, None] for row in drawn]},
        kinds={"symbol": "category"},
        channels={"symbol": pd.DataFrame({"levels": [json.dumps(STATES)]}, index=["symbol"])},
        clock_unit="step",
        name=f"machine of three states, seed {seed}",
    )


def symbols(rng: np.random.Generator, steps: int) -> np.ndarray:
    """(steps,) states of the machine from A on, as numbers."""
    out, state = np.zeros(steps, int), 0
    for t in range(steps):
        out[t] = state
        # drawn at every visit of B, also where the string ends there
        state = 2 * int(rng.random() < MACHINE[1, 2]) if state == 1 else int(state == 0)
    return out


def branching_case(seed: int, *, sequences: int = 60, steps: int = 30) -> Recording:
    """Paths in a plane that share their first half and then bend to one of two sides, in turn."""
    for name, value in (("sequences", sequences), ("steps", steps)):
        whole_number(name, value, 4)
    rng = np.random.default_rng(seed)
    share = np.linspace(0.0, 1.0, steps)
    late = np.clip((share - 0.35) / 0.65, 0.0, None)
    paths = []
    for n in range(sequences):
        along = 0.05 + 0.55 * share * rng.normal(1.0, 0.03)
        aside = (1 if n % 2 else -1) * 0.35 * late**1.5 * rng.normal(1.0, 0.1)
        paths.append(np.stack([along + aside, along - aside], axis=1) + 0.003 * rng.normal(size=(steps, 2)))
    return _plane(paths, f"branching paths, seed {seed}")


def primitives_case(seed: int, *, sequences: int = 20, primitives: int = 6) -> Recording:
    """Closed curves of 24 steps (Lissajous figures), each drawn after the other as a machine says.

    The signal ``primitive`` holds the number of the curve at every step.
    """
    for name, value in (("sequences", sequences), ("primitives", primitives)):
        whole_number(name, value, 1)
    rng, curves = np.random.default_rng(seed), primitive_curves()
    paths, numbers = [], []
    for _ in range(sequences):
        order = [int(rng.integers(3))]
        for _ in range(primitives - 1):
            order.append(int(rng.choice(3, p=SWITCHING[order[-1]])))
        paths.append(np.concatenate([curves[k] for k in order]))
        numbers.append(np.repeat(order, PERIOD)[:, None])
    made = _plane(paths, f"switched Lissajous primitives, seed {seed}")
    return made.with_signal("primitive", make_signal(np.concatenate(numbers), kind="category"))


def primitive_curves() -> Float[np.ndarray, "primitives steps axes"]:
    """One round of each curve from its common start, within [-0.8, 0.8]."""
    phase = 2 * np.pi * np.arange(PERIOD) / PERIOD
    return np.stack([np.stack([0.8 * np.sin(a * phase), 0.8 * np.sin(b * phase)], axis=1) for a, b in FREQUENCIES])


def sway_case(seed: int, *, sequences: int = 14, steps: int = 96, channels: int = 14) -> Recording:
    r"""One movement, the same round after round, with a slow random sway in one direction of its channels.

    The sway is an autoregression, all that is random. Of its spectrum
    :math:`S(f) = c s^2 (1 - a^2) / |1 - a e^{-2 \pi i f}|^2` (c channels, standard deviation s in each, :math:`a =
    e^{-1/12}`) a code whose nats cost beta keeps what lies above beta (reverse water-filling): nothing from
    :math:`S(0) = c s^2 (1 + a) / (1 - a)` on.
    """
    for name, value, low in (("sequences", sequences, 1), ("steps", steps, 2), ("channels", channels, 1)):
        whole_number(name, value, low)
    rng, fade = np.random.default_rng(seed), np.exp(-1 / LASTING)
    shift, way = rng.uniform(0, 2 * np.pi, (2, channels)), rng.normal(size=channels)
    phase = 2 * np.pi * np.arange(steps)[:, None] / PERIOD
    movement = np.sin(phase + shift[0]) - np.sin(shift[0]) + (np.sin(2 * phase + shift[1]) - np.sin(shift[1])) / 2
    movement *= REACH / np.abs(movement).max()
    sway = np.zeros((steps, sequences))
    drawn = rng.normal(size=(steps, sequences))
    for t in range(steps):
        sway[t] = fade * sway[t - 1] + np.sqrt(1 - fade**2) * drawn[t] if t else drawn[t]
    direction = SWAY * np.sqrt(channels) * way / np.linalg.norm(way)
    paths = [movement + sway[:, n, None] * direction for n in range(sequences)]
    return Recording.of({"posture": paths}, clock_unit="step", name=f"a swaying movement, seed {seed}")


def _plane(paths: list[np.ndarray], name: str) -> Recording:
    table = {"position": ["x", "y"]}
    return Recording.of({"position": paths}, channels=table, clock_unit="step", name=name)
