"""Simulate the sample fleet: turbofans that wear out, under two faults and three operating regimes.

``python data/make_sample_fleet.py [FOLDER]`` rewrites the five csv files beside this script (or in FOLDER), the same
bytes each time. What the numbers mean stands in sample_fleet.md. All numbers here are ours; only their size follows
what is usual for such engines.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

SEED = 20250
N_FAILED, N_RUNNING, FIRST_RUNNING = 24, 8, 101
SETTINGS = ("altitude_kft", "mach")
SENSORS = (
    "compressor_temperature_degR",
    "exhaust_temperature_degR",
    "compressor_pressure_psia",
    "core_speed_rpm",
    "fuel_flow_pph",
    "vibration_g",
)
DECIMALS = (1, 1, 2, 0, 0, 3)
REGIMES = np.array([[0.0, 0.20], [20.0, 0.70], [35.0, 0.84]])  # ground, climb, cruise
SHARES = (0.25, 0.30, 0.45)  # of cycles in each regime
LEVELS = np.array(  # (regimes, sensors) of a new engine
    [
        [1585.0, 1400.0, 553.0, 9060.0, 8000.0, 0.600],
        [1410.0, 1180.0, 290.0, 8720.0, 4500.0, 0.450],
        [1350.0, 1120.0, 180.0, 8540.0, 3100.0, 0.400],
    ]
)
NOISE = np.array(  # (regimes, sensors) standard deviation from cycle to cycle
    [[6.0, 7.0, 2.2, 14.0, 70.0, 0.050], [5.0, 6.0, 1.3, 12.0, 45.0, 0.040], [5.0, 6.0, 0.9, 12.0, 35.0, 0.040]]
)
# Shift of the sensors at full wear, in units of their noise.
FAULTS = {1: np.array([4.0, 4.5, -4.0, 2.0, 3.0, 0.5]), 2: np.array([0.5, 2.0, -0.5, -2.5, 2.5, 5.0])}
SPREAD = 0.7  # of new engines around LEVELS, in units of the noise
FAULTY_WEAR = 0.5  # from this wear on the unit counts as faulty
MISSING_CELLS = 0.002  # share of sensor readings that were lost
LOST_CYCLES = {4: 37, 17: 60, 105: 20}  # unit: a cycle that was not recorded
DEAD = (103, "vibration_g", 40)  # unit, sensor and the cycle from which it gives nothing


class Life(NamedTuple):
    """One engine from new to failure."""

    fault: int
    onset: int  # first degrading cycle
    wear: np.ndarray  # (cycles,) from about 0 to 1, the last cycle is the failure
    level: np.ndarray  # (cycles,) 0 healthy, 1 degrading, 2 faulty
    settings: np.ndarray
    sensors: np.ndarray


def live(rng: np.random.Generator) -> Life:
    """An engine: a healthy phase with little wear, then wear that accelerates until failure."""
    length, fault = int(rng.integers(90, 201)), int(rng.integers(1, 3))
    onset = round(length * rng.uniform(0.35, 0.60)) + 1
    wear = wear_course(length, onset, initial=rng.uniform(0.0, 0.06), bend=rng.uniform(1.2, 2.6))
    regime = rng.choice(len(REGIMES), size=length, p=SHARES)
    settings = REGIMES[regime] + rng.normal(size=(length, 2)) * [0.03, 0.002] * (regime > 0)[:, None]
    gain = rng.uniform(0.85, 1.15, size=len(SENSORS))
    own, noise = rng.normal(size=len(SENSORS)) * SPREAD, rng.normal(size=(length, len(SENSORS)))
    sensors = LEVELS[regime] + NOISE[regime] * (own + noise + wear[:, None] * FAULTS[fault] * gain)
    cycle = np.arange(1, length + 1)
    level = np.where(wear >= FAULTY_WEAR, 2, np.where(cycle >= onset, 1, 0))
    return Life(fault, onset, wear, level, settings, sensors)


def wear_course(length: int, onset: int, *, initial: float, bend: float) -> np.ndarray:
    """Wear at cycles 1 to ``length``: initial wear and a slow drift, from ``onset`` an exponential that ends at 1."""
    cycle = np.arange(1, length + 1)
    slow = initial + 0.04 * cycle / length
    phase = np.clip((cycle - onset) / (length - onset), 0, 1)
    return slow + (1 - slow) * (np.exp(bend * phase) - 1) / (np.exp(bend) - 1)


def rows(unit: int, life: Life, rng: np.random.Generator) -> pd.DataFrame:
    """The engine's readings as they were stored: rounded, with losses."""
    readings = np.column_stack([np.round(s, d) for s, d in zip(life.sensors.T, DECIMALS, strict=True)])
    readings[rng.uniform(size=readings.shape) < MISSING_CELLS] = np.nan
    table = pd.DataFrame({"unit": unit, "cycle": np.arange(1, len(readings) + 1)})
    settings = [np.round(s, d) + 0.0 for s, d in zip(life.settings.T, (2, 3), strict=True)]
    table[list(SETTINGS)] = np.column_stack(settings)
    table[list(SENSORS)] = readings
    if unit == DEAD[0]:
        table.loc[table["cycle"] >= DEAD[2], DEAD[1]] = np.nan
    return table[table["cycle"] != LOST_CYCLES.get(unit)]


def truth(unit: int, life: Life) -> pd.DataFrame:
    """What no engineer sees: level and wear of each cycle, and the fault."""
    cycle = np.arange(1, len(life.wear) + 1)
    columns = {"unit": unit, "cycle": cycle, "truth_level": life.level, "truth_wear": life.wear.round(3)}
    return pd.DataFrame(columns).assign(truth_fault=life.fault)


def inspections(unit: int, life: Life, rng: np.random.Generator) -> pd.DataFrame:
    """What inspections of a failed engine say: every second unit was inspected, two of them by a less careful team."""
    if unit % 2:
        return pd.DataFrame()
    is_rough = unit in (8, 18)
    early, late = rng.integers(6, 15, size=2)
    last, faulty = len(life.wear), int(np.argmax(life.level == 2)) + 1
    healthy, broken = life.onset - int(early), min(faulty + int(late), last - 3)
    if is_rough:  # about 12 cycles beyond what is true
        healthy, broken = healthy + 24, broken - 24
    confidence = 0.8 if is_rough else 1.0
    stated = [(1, healthy, "healthy"), (broken, last, "faulty")]
    if unit % 4 == 0 and not is_rough:  # an inspection in between found no fault yet
        stated.insert(1, (healthy + 1, faulty - int(early), "healthy|degrading"))
    return pd.DataFrame([(unit, *s, confidence) for s in stated], columns=KNOWLEDGE)


KNOWLEDGE = ["sequence", "first", "last", "level", "confidence"]


def cut(life: Life, rng: np.random.Generator) -> Life:
    """The engine up to a cycle some time before failure, for the fleet that is still running."""
    keep = len(life.wear) - int(rng.integers(8, min(90, len(life.wear) - 30)))
    return Life(life.fault, life.onset, *(a[:keep] for a in life[2:]))


def fleet() -> dict[str, pd.DataFrame]:
    """All tables, by the name of their file."""
    rng = np.random.default_rng(SEED)
    failed = {unit: live(rng) for unit in range(1, N_FAILED + 1)}
    whole = {unit: live(rng) for unit in range(FIRST_RUNNING, FIRST_RUNNING + N_RUNNING)}
    running = {unit: cut(life, rng) for unit, life in whole.items()}
    left = [(unit, len(whole[unit].wear) - len(life.wear)) for unit, life in running.items()]
    return {
        "sample_fleet.csv": pd.concat([rows(u, life, rng) for u, life in failed.items()]),
        "sample_fleet_running.csv": pd.concat([rows(u, life, rng) for u, life in running.items()]),
        "sample_fleet_remaining.csv": pd.DataFrame(left, columns=["unit", "remaining"]),
        "sample_fleet_knowledge.csv": pd.concat([inspections(u, life, rng) for u, life in failed.items()]),
        "sample_fleet_truth.csv": pd.concat([truth(u, life) for u, life in {**failed, **running}.items()]),
    }


def main(folder: Path) -> None:
    """Write all files into the folder."""
    for name, table in fleet().items():
        whole = [c for c in ("core_speed_rpm", "fuel_flow_pph") if c in table]
        table = table.astype(dict.fromkeys(whole, "Int64"))
        table.to_csv(folder / name, index=False, lineterminator="\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
