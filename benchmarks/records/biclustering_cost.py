"""What does a sweep of the bi-clustering cost, and how does that grow with neurons and bins?

The simulation of the paper with more or fewer neurons or bins, one chain that starts from the true clusters, states and
trajectories, so that it stays where chains spend their time; twenty sweeps are not counted, the next sixty are. Seconds
are those of the processor, the process held to one core where the system can do that.

Writes biclustering_cost.json and .png beside this script, after each size what is known so far.

Run: ``python benchmarks/records/biclustering_cost.py`` on an idle machine.
"""

import os
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _record import Record
from matplotlib.figure import Figure

import neurolatent as nl
from neurolatent import precision
from neurolatent.compiling import compiled
from neurolatent.models.bicluster.synthetic import bicluster_case, truth_of

NEURONS, BINS = (15, 30, 60, 120), (125, 250, 500, 1000, 2000)
USUAL = (30, 500)
BEFORE, COUNTED = 20, 60
MODEL = nl.BiClustering()


@compiled(lightly=True)
def swept(params: Any, data: Any, key: Any, sweeps: Any) -> Any:
    """So many sweeps."""
    step = lambda number, now: MODEL.gibbs_sweep(now, data, jax.random.fold_in(key, number), jnp.zeros(()))[0]  # noqa: E731
    return jax.lax.fori_loop(0, sweeps, step, params)


def cost(neurons: int, bins: int) -> dict[str, float]:
    """Seconds of the processor to compile and for one sweep, and how many clusters there were at the end."""
    size = {"per_cluster": neurons // 3, "bins": bins}
    truth, data = truth_of(0, **size), MODEL.select(bicluster_case(0, **size), for_training=True).data
    start = MODEL.gibbs_start(jax.random.key(0), data, 0)
    paths = np.zeros(start.trajectories.shape)
    paths[: len(truth.trajectories)] = truth.trajectories
    start = start._replace(
        label=jnp.asarray(truth.label, start.label.dtype),
        state=jnp.asarray(truth.state, start.state.dtype),
        trajectories=jnp.asarray(paths),
        loadings=jnp.asarray(truth.loadings),
        offset=jnp.asarray(truth.offset),
    )
    begin = time.process_time()
    now = jax.block_until_ready(swept(start, data, jax.random.key(1), 0))
    compiling = time.process_time() - begin
    now = jax.block_until_ready(swept(now, data, jax.random.key(2), BEFORE))
    begin = time.process_time()
    now = jax.block_until_ready(swept(now, data, jax.random.key(3), COUNTED))
    clusters = float(len(np.unique(now.label)))
    return {"sweep": (time.process_time() - begin) / COUNTED, "compiling": compiling, "clusters": clusters}


def drawn(found: dict[tuple[int, int], dict[str, float]], path: Path) -> None:
    """Milliseconds per sweep against neurons and against bins, both axes logarithmic."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axis, place, label in ((left, 0, "Neurons (500 bins)"), (right, 1, "Bins (30 neurons)")):
        sizes = [size for size in found if size[1 - place] == USUAL[1 - place]]
        sizes.sort()
        axis.loglog([s[place] for s in sizes], [1e3 * found[s]["sweep"] for s in sizes], "o-", color="0.2")
        axis.set_xticks([s[place] for s in sizes], [str(s[place]) for s in sizes])
        axis.minorticks_off()
        axis.set_xlabel(label)
    left.set_ylabel("Milliseconds per sweep")
    ticks = [10, 20, 50, 100, 200, 500]
    left.set_yticks(ticks, [str(t) for t in ticks])
    figure.savefig(path, dpi=150, facecolor="white")


def record() -> None:
    """Measure all sizes."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    kept = Record("biclustering_cost", "what does a sweep cost, against neurons and bins?", 0)
    found: dict[tuple[int, int], dict[str, float]] = {}
    for size in dict.fromkeys([USUAL, *((n, USUAL[1]) for n in NEURONS), *((USUAL[0], t) for t in BINS)]):
        with precision.double():
            found[size] = cost(*size)
        print(size, {name: round(value, 4) for name, value in found[size].items()}, flush=True)
        figures = {f"{n}_neurons.{t}_bins.{k}": round(v, 4) for (n, t), cell in found.items() for k, v in cell.items()}
        kept.write(figures)
        drawn(found, kept.path.with_suffix(".png"))


if __name__ == "__main__":
    record()
