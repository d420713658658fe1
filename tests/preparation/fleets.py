"""Small fleets for the tests of the steps, and the laws that every step keeps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from neurolatent.recording import Recording, make_signal

SIX = np.array(  # C-MAPSS: altitude in kft, Mach, throttle in %
    [
        [42.003, 0.8405, 100],
        [35.003, 0.8405, 100],
        [0.0015, 0.0005, 100],
        [20.003, 0.7005, 100],
        [25.0031, 0.6205, 60],
        [10.003, 0.2505, 100],
    ]
)
CMAPSS = {"settings": ["altitude", "mach", "throttle"], "sensors": [f"s{i}" for i in range(1, 22)]}


def fleet(seed=0, lengths=(40, 25, 60, 31, 18, 50), n_sensors=4, failed=True, missing=0.0) -> Recording:
    """Units that wear: sensors drift along life, each with its own offset."""
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], n_sensors)
    values = []
    for n in lengths:
        wear = (np.arange(n) / n) ** 3
        x = 100 + 3 * wear[:, None] * signs + rng.normal(size=n_sensors) + 0.3 * rng.normal(size=(n, n_sensors))
        x[rng.uniform(size=x.shape) < missing] = np.nan
        values.append(x)
    names = [f"s{i}" for i in range(n_sensors)]
    ids = [f"unit{i}" for i in range(len(lengths))]
    return Recording.of(
        {"sensors": values},
        channels={"sensors": names},
        ids=ids,
        failed=failed,
        clock_unit="cycle",
        start=1,
        name="fleet",
    )


def with_values(recording: Recording, values: np.ndarray, name: str = "sensors") -> Recording:
    signal = recording.signal(name)
    return recording.with_signal(name, make_signal(values, kind=signal.kind, channels=signal.channels))


def in_regimes(seed=0, centres=SIX, **options) -> tuple[Recording, np.ndarray]:
    """A fleet whose sensors are shifted and stretched by the regime, and the regime of each row."""
    rng, plain = np.random.default_rng(seed + 100), fleet(seed, **options)
    regime = rng.integers(len(centres), size=plain.n_samples)
    settings = centres[regime] + rng.uniform(-0.001, 0.001, (plain.n_samples, centres.shape[1]))
    values = plain.signal("sensors").values * (1 + regime[:, None]) + 1000 * regime[:, None]
    names = ["altitude", "mach", "throttle"][: centres.shape[1]]
    both = plain.with_signal("settings", make_signal(settings, channels=names))
    return with_values(both, values), regime


def cmapss(path: Path) -> Recording:
    table = pd.read_csv(path, sep=r"\s+", header=None, names=["unit", "cycle", *CMAPSS["settings"], *CMAPSS["sensors"]])
    options = {"sequence": "unit", "clock": "cycle", "clock_unit": "cycle", "failed": True}
    return Recording.of(table, signals=CMAPSS, name=path.name, **options)


def assert_same(a: Recording, b: Recording) -> None:
    """Equal signals, bit for bit."""
    assert list(a.signals) == list(b.signals)
    for name, signal in a.signals.items():
        np.testing.assert_array_equal(signal.values, b.signals[name].values)
        np.testing.assert_array_equal(signal.observed, b.signals[name].observed)
        assert signal.names == b.signals[name].names


def assert_lawful(step, recording: Recording) -> None:
    """What later rows and other units hold changes nothing; what was learned is replayed, and is not changed."""
    learned = step.learn(recording)
    before = {key: array.copy() for key, array in learned.items()}
    whole = step.apply(recording, learned).recording
    for name in recording.ids[:3]:
        assert_same(step.apply(recording.take([name]), learned).recording, whole.take([name]))
    for last in (1, 2, 7, 16):
        short = step.apply(recording.cut(0, last), learned).recording  # without the units that are refused so early
        assert_same(short, whole.cut(0, last).take(short.ids))
    for key, array in before.items():
        assert array.dtype.kind in "fiuU"
        np.testing.assert_array_equal(array, learned[key])
    assert hash(step) == hash(replace(step))
    assert step == replace(step)
