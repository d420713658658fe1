"""What makes the states of the bi-clustering mix: effective draws per second of each move that was tried.

The simulation of the paper (Wei, 2023, section 4), draw 0. Four chains of 1,500 sweeps start from the true clusters and
rates, factors and dispersions on four scales, and from true states, from one state for all bins, and from four and
eight states in stretches at random; the first 300 sweeps are left out. One draw of the data: differences between rows
have no error of their own. Rows, each with the moves of the one before and one more:

- ``block``: all states in one block, given the trajectories;
- ``bin_by_bin``: also bin by bin, with trajectories integrated out;
- ``shapes``: also scales and shears of a cluster's coordinates;
- ``innovations``: also scales of innovations, the standardised innovations held.

Effective sizes (bulk) and R-hat are of all four chains; seconds are those of the processor. What is told: number of
states, number of switches, entropy of the states, log joint density, log likelihood, and the adjusted Rand index of
single draws with the true states.

Writes, beside this script, biclustering_mixing.json, after each row what is known so far.

Run: ``python benchmarks/records/biclustering_mixing.py [ROW ...]``.
"""

import contextlib
import sys
import time
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from _record import Record
from arviz_stats.sampling_diagnostics import ess

import neurolatent as nl
from neurolatent import precision
from neurolatent.compiling import compiled
from neurolatent.diagnostics.mixing import rhat
from neurolatent.models.bicluster import sweep
from neurolatent.models.bicluster.dynamics import draw_told
from neurolatent.models.bicluster.states import draw_weights
from neurolatent.models.bicluster.summaries import rand
from neurolatent.models.bicluster.synthetic import bicluster_case, truth_of

SWEEPS, LEFT_OUT, CHUNK, SEED = 1500, 300, 100, 0
TOLD = ("n_states", "switches", "state_entropy", "log_joint", "log_lik")
MODEL = nl.BiClustering(max_clusters=8)
WITHOUT: dict[str, dict[str, Any]] = {
    "innovations": {"innovate": lambda model, params, data, key: params},
    "shapes": {"reshape": lambda model, params, key: params},
    "bin_by_bin": {
        "draw_bin_by_bin": lambda params, told, key, **_: params._replace(
            trajectories=sweep.draw_trajectories(params, told, key)
        )
    },
}
ROWS = ("block", *reversed(WITHOUT))


def starts(data: Any) -> list[Any]:
    """The true clusters with several states, laws given these, and factors and dispersions of several scales."""
    truth, rng = truth_of(SEED), np.random.default_rng(SEED)
    bins, usual = len(truth.state), MODEL.gibbs_start(jax.random.key(SEED), data, 0)
    stretches = [np.repeat(rng.integers(0, n, bins // 10), 10) for n in (4, 8)]
    out = []
    for number, state in enumerate((truth.state, np.zeros(bins, int), *stretches)):
        scale = 2.0 ** (number - 1.5)
        paths = np.zeros(usual.trajectories.shape)
        paths[: len(truth.trajectories)] = truth.trajectories * [1.0, *[scale] * MODEL.n_factors]
        start = usual._replace(
            label=jnp.asarray(truth.label, usual.label.dtype),
            state=jnp.asarray(np.r_[state[1], state[1:]], usual.state.dtype),
            trajectories=jnp.asarray(paths),
            loadings=jnp.asarray(truth.loadings / scale),
            offset=jnp.asarray(truth.offset),
            dispersion=usual.dispersion * scale,
        )
        key_laws, key_weights = jax.random.split(jax.random.key(number))
        start = start._replace(**draw_told(MODEL, start, key_laws)[0]._asdict())
        out.append(draw_weights(MODEL, start, key_weights))
    return out


def measured(row: str, data: Any) -> dict[str, float]:
    """Figures of a row: the moves after it are left out."""
    left_out = {name: move for later in ROWS[ROWS.index(row) + 1 :] for name, move in WITHOUT[later].items()}

    @compiled(lightly=True)
    def run(params: Any, data: Any, key: Any) -> Any:
        def step(params: Any, number: Any) -> tuple[Any, Any]:
            params, told = MODEL.gibbs_sweep(params, data, jax.random.fold_in(key, number), jnp.zeros(()))
            return params, ({name: told[name] for name in TOLD}, params.state)

        return jax.lax.scan(step, params, jnp.arange(CHUNK))

    traces, states, seconds = [], [], 0.0
    with mock.patch.multiple(sweep, **left_out) if left_out else contextlib.nullcontext():
        begun = starts(data)
        jax.block_until_ready(run(begun[0], data, jax.random.key(0)))  # compiles
        for number, now in enumerate(begun):
            begin, told, state = time.process_time(), [], []
            for chunk in range(SWEEPS // CHUNK):
                now, (values, at) = jax.device_get(run(now, data, jax.random.key(1000 * number + chunk)))
                told.append(values)
                state.append(at)
            seconds += time.process_time() - begin
            traces.append({name: np.concatenate([part[name] for part in told])[LEFT_OUT:] for name in TOLD})
            states.append(np.concatenate(state)[LEFT_OUT:])
    return figures(traces, states, seconds)


def figures(traces: list[dict[str, np.ndarray]], states: list[np.ndarray], seconds: float) -> dict[str, float]:
    """Means, effective sizes per second and R-hat of what is told, and how near the states are to the truth."""
    truth = truth_of(SEED).state
    whole = {name: (("chain", "draw"), np.stack([trace[name] for trace in traces])) for name in TOLD}
    whole["ari"] = (("chain", "draw"), np.array([[rand(row, truth) for row in chain[::10]] for chain in states]))
    thinned = xr.Dataset({"states_ari": whole.pop("ari")})
    out = {"seconds_per_sweep": seconds / (len(traces) * SWEEPS)}
    for data in (xr.Dataset(whole), thinned):
        ratio, size = rhat(data), ess(data, method="bulk")
        for name in data:
            out |= {f"{name}.mean": float(data[name].mean()), f"{name}.rhat": float(ratio[name])}
            moves = bool((data[name].std("draw") > 0).all())  # of what stands still there are no effective draws
            out[f"{name}.ess_per_second"] = moves * float(size[name]) / seconds * SWEEPS / (SWEEPS - LEFT_OUT)
    return out


def record(rows: list[str]) -> None:
    """All rows, or those named."""
    question = "what makes the states mix?"
    kept = Record("biclustering_mixing", question, [SEED], arguments=sys.argv[1:])
    told: dict[str, float] = {}
    with precision.double():
        data = jax.tree.map(jnp.asarray, MODEL.select(bicluster_case(SEED), for_training=True).data)
        for row in rows:
            found = measured(row, data)
            print(row, {name: round(value, 3) for name, value in found.items()}, flush=True)
            told |= {f"{row}.{name}": value for name, value in found.items()}
            kept.write(told)


if __name__ == "__main__":
    record(sys.argv[1:] or list(ROWS))
