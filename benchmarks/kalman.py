"""How long do a Kalman filter and a DKF with constant noise take beside filterpy, pykalman and dynamax, in one run?

T = 100,000 bins, d = 4 outputs, n = 50 inputs, double precision; best of three after compilation. The peers that take
longer than a minute are timed on a fiftieth of the bins, and their time is multiplied (`--whole` times all bins). All
filtered means must agree to 1e-8 before a time is told.

    python benchmarks/kalman.py [--whole]

Wanted: at least 20 times filterpy, 60 times pykalman, 8 times dynamax.
"""

import argparse
import json
import platform
import time
import warnings
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from neurolatent import precision
from neurolatent.models.dkf.filtering import How, Measured, decode
from neurolatent.models.dkf.params import StateModel
from neurolatent.ops.indefinite import Rule
from neurolatent.ops.kalman import Dynamics, collapse
from neurolatent.ops.kalman_steady import settling_time, steady_filter

TIME, LATENT, FEATURES = 100_000, 4, 50


def make() -> dict[str, np.ndarray]:
    """A stable state seen through random channels."""
    rng = np.random.default_rng(0)
    transition = 0.95 * np.eye(LATENT) - 0.02
    innovation = np.eye(LATENT) - transition @ transition.T
    emission, noise = rng.normal(size=(FEATURES, LATENT)), np.diag(rng.uniform(2.0, 8.0, FEATURES))
    z = np.zeros((TIME, LATENT))
    steps = rng.multivariate_normal(np.zeros(LATENT), innovation, TIME)
    for t in range(1, TIME):
        z[t] = transition @ z[t - 1] + steps[t]
    x = z @ emission.T + rng.normal(size=(TIME, FEATURES)) * np.sqrt(np.diag(noise))
    return {"A": transition, "G": innovation, "H": emission, "R": noise, "x": x, "S": np.eye(LATENT)}


def best_of(run: Callable[[], np.ndarray], times: int = 3) -> tuple[float, np.ndarray]:
    """Least seconds of some runs after one that compiles, and the answer."""
    answer, seconds = run(), []
    for _ in range(times):
        begin = time.perf_counter()
        answer = run()
        seconds.append(time.perf_counter() - begin)
    return min(seconds), answer


def ours_kalman(c: dict[str, np.ndarray]) -> Callable[[], np.ndarray]:
    """Our Kalman filter: collapsed to the state's size, then settled."""

    @jax.jit
    def settle(dynamics, emission, noise):
        return settling_time(dynamics, collapse(jnp.zeros((1, FEATURES)), emission, noise)[0].precision)

    dynamics = Dynamics(*map(jnp.asarray, (c["A"], c["G"], np.zeros(LATENT), c["S"])))
    emission, noise = jnp.asarray(c["H"]), jnp.asarray(c["R"])
    count = int(settle(dynamics, emission, noise))

    @jax.jit
    def run(x):
        seen, rest = collapse(x, emission, noise)
        found = steady_filter(dynamics, seen.precision, seen.shift, settle=count)
        return found.mean, found.cov[-1], found.log_increments + rest

    return lambda: np.asarray(run(jnp.asarray(c["x"]))[0])


def ours_dkf(c: dict[str, np.ndarray]) -> Callable[[], np.ndarray]:
    """The DKF's own batch path, smoother and evidence included, with the regression that makes it the Kalman filter."""
    weighted = np.linalg.solve(c["R"], c["H"])
    spread = np.linalg.inv(np.linalg.inv(c["S"]) + c["H"].T @ weighted)
    state, heard = StateModel(c["A"], c["G"], c["S"]), np.ones((1, TIME), bool)

    def run() -> np.ndarray:
        told = Measured((c["x"] @ weighted @ spread)[None], spread, heard)
        return decode(How(Rule.SHRINK, False), state, told).filtered.mean[0]

    return run


def filterpy(c: dict[str, np.ndarray], time_bins: int) -> Callable[[], np.ndarray]:
    """Filterpy's loop."""
    from filterpy.kalman import KalmanFilter

    def run() -> np.ndarray:
        f = KalmanFilter(LATENT, FEATURES)
        f.F, f.H, f.Q, f.R, f.P, f.x = c["A"], c["H"], c["G"], c["R"], c["S"].copy(), np.zeros((LATENT, 1))
        out = np.empty((time_bins, LATENT))
        for t in range(time_bins):
            if t:
                f.predict()
            f.update(c["x"][t][:, None])
            out[t] = f.x[:, 0]
        return out

    return run


def pykalman(c: dict[str, np.ndarray], time_bins: int) -> Callable[[], np.ndarray]:
    """Pykalman's filter."""
    from pykalman import KalmanFilter

    peer = KalmanFilter(
        c["A"], c["H"], c["G"], c["R"], initial_state_mean=np.zeros(LATENT), initial_state_covariance=c["S"]
    )
    return lambda: np.asarray(peer.filter(c["x"][:time_bins])[0])


def dynamax(c: dict[str, np.ndarray]) -> Callable[[], np.ndarray]:
    """Dynamax's filter, compiled."""
    from dynamax.linear_gaussian_ssm import LinearGaussianSSM, lgssm_filter

    model = LinearGaussianSSM(LATENT, FEATURES)
    params, _ = model.initialize(
        jax.random.PRNGKey(0),
        initial_mean=jnp.zeros(LATENT),
        initial_covariance=jnp.asarray(c["S"]),
        dynamics_weights=jnp.asarray(c["A"]),
        dynamics_covariance=jnp.asarray(c["G"]),
        emission_weights=jnp.asarray(c["H"]),
        emission_covariance=jnp.asarray(c["R"]),
    )
    run = jax.jit(lambda x: lgssm_filter(params, x).filtered_means)
    return lambda: np.asarray(run(jnp.asarray(c["x"])))


def main() -> None:
    """Time everybody and print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", action="store_true", help="time the loops of Python on all bins")
    part = TIME if parser.parse_args().whole else TIME // 50
    warnings.simplefilter("ignore")
    case = make()
    with precision.double():
        runs = {
            "kalman": (ours_kalman(case), TIME, 3),
            "dkf": (ours_dkf(case), TIME, 3),
            "dynamax": (dynamax(case), TIME, 3),
        }
        runs |= {"filterpy": (filterpy(case, part), part, 1), "pykalman": (pykalman(case, part), part, 1)}
        seconds, truth = {}, None
        for name, (run, bins, times) in runs.items():
            spent, answer = best_of(run, times)
            truth = answer if truth is None else truth
            np.testing.assert_allclose(answer, truth[:bins], atol=1e-8, err_msg=name)
            seconds[name] = spent * TIME / bins
    ratios = {
        f"{peer}/{own}": seconds[peer] / seconds[own]
        for own in ("kalman", "dkf")
        for peer in ("filterpy", "pykalman", "dynamax")
    }
    machine = f"{platform.machine()}, {platform.python_version()}, jax {jax.__version__}"
    print(
        json.dumps(
            {"bins": TIME, "timed_bins_of_loops": part, "seconds": seconds, "ratios": ratios, "machine": machine}
        )
    )


if __name__ == "__main__":
    main()
