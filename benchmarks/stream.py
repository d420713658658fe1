"""How long is one bin of a running DKF, and does its memory grow? 100,000 bins, beside filterpy's Kalman filter.

d = 2 outputs, n = 20 inputs, double precision, from Python, one call a bin. Told are the median and the 99th percentile
of a bin's time and by how much the memory of the process grew from the first tenth of the bins to the last. Then the
same with Nadaraya-Watson on 5,000 rows of 100 inputs. Peer: filterpy's ``predict`` and ``update`` with the same linear
measurement; the decoded means must be finite, and those of the peer are those of a generative model, not ours.

Last answer (2026-11-27, two idle cores): 20 us a bin (99 % below 78 us) beside filterpy's 60 us (148 us); memory
grew by nothing; Nadaraya-Watson 0.44 ms (99 % below 0.73 ms).

    python benchmarks/stream.py [--bins 100000]

Wanted, on an idle machine: median at most 25 us, 99 % below 1 ms, growth below 5 MB; Nadaraya-Watson at most 1 ms.
"""

import argparse
import gc
import json
import platform
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from filterpy.kalman import KalmanFilter

import neurolatent as nl
from neurolatent.models.regressors import NadarayaWatson, RidgeRegression

OUTPUTS, TRAINED = 2, 5_000


def cursor(n_inputs: int, bins: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A smooth state, linear inputs with noise, and their weights."""
    rng = np.random.default_rng(seed)
    z = np.zeros((bins, OUTPUTS))
    for t in range(1, bins):
        z[t] = 0.95 * z[t - 1] + 0.3 * rng.normal(size=OUTPUTS)
    weight = np.random.default_rng(0).normal(size=(OUTPUTS, n_inputs))
    return z, z @ weight + 2.0 * rng.normal(size=(bins, n_inputs)), weight


def decoder(regressor: Any, n_inputs: int) -> Any:
    """A stream of a DKF that has learned."""
    z, x, _ = cursor(n_inputs, TRAINED, 1)
    recording = nl.Recording.of({"hand": z, "rates": x}, bin_width=0.05)
    return nl.fit(nl.DKF("hand", "rates", regressor=regressor), recording, seed=0).stream()


def timed(step: Callable[[np.ndarray], Any], x: np.ndarray) -> dict[str, float]:
    """Microseconds of a bin, and the growth of the process in MB."""
    for row in x[:100]:
        step(row)
    seconds = np.empty(len(x))
    gc.collect()
    memory = []
    for t, row in enumerate(x):
        begin = time.perf_counter()
        step(row)
        seconds[t] = time.perf_counter() - begin
        if t in (len(x) // 10, len(x) - 1):
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    median, high = np.quantile(seconds, (0.5, 0.99)) * 1e6
    return {"median_us": median, "p99_us": high, "growth_mb": memory[-1] - memory[0]}


def peer(n_inputs: int) -> Callable[[np.ndarray], Any]:
    """Filterpy, one bin."""
    _, _, weight = cursor(n_inputs, 2, 1)
    made = KalmanFilter(OUTPUTS, n_inputs)
    made.F, made.Q, made.H, made.R = 0.95 * np.eye(2), 0.09 * np.eye(2), weight.T, 4.0 * np.eye(n_inputs)

    def step(row: np.ndarray) -> None:
        made.predict()
        made.update(row[:, None])

    return step


def main() -> None:
    """Time all three and print one object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bins", type=int, default=100_000)
    bins = parser.parse_args().bins
    x = cursor(20, bins, 2)[1]
    out: dict[str, Any] = {"machine": platform.machine(), "bins": bins}
    stream = decoder(RidgeRegression(), 20)
    out["ridge, 20 inputs"] = timed(stream.update, x)
    assert np.isfinite(stream.state.mean).all()
    out["filterpy, 20 inputs"] = timed(peer(20), x)
    stream = decoder(NadarayaWatson(), 100)
    out["Nadaraya-Watson, 5,000 x 100"] = timed(stream.update, cursor(100, bins // 10, 2)[1])
    assert np.isfinite(stream.state.mean).all()
    print(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
