"""Does the bi-clustering's sampler find clusters and states of simulated counts from its own starts, on several draws?

The simulation of the paper (Wei, 2023, section 4): 30 neurons in three clusters, 500 bins, two states that alternate.
Four chains each, as in models/biclustering_sim.toml. The draws, from 30 on, were looked at for nothing else: moves, the
warm-up and the number of sweeps were tried on the draws 0 to 2, 11 and 100 to 105. Former warm-ups were recorded on 10,
11 and 20, and that half of their chains went wrong on the latter two is why what a cluster pays was looked at again.

Writes, beside this script, biclustering_recovery.json, after each draw what is known so far.

Run: ``python benchmarks/records/biclustering_recovery.py [SEEDS]``.
"""

import sys

from _record import Record, over_draws

import neurolatent as nl
from neurolatent.models.bicluster.synthetic import bicluster_case
from neurolatent.recipe.clusters import cluster_figures

FIRST = 30
ENGINE = nl.Gibbs(chains=4, warmup=800, draws=1200, keep=100)


def measured(seed: int) -> dict[str, float]:
    """Figures of one draw, and seconds of sampling."""
    recording = bicluster_case(seed)
    fit = nl.fit(nl.BiClustering(), recording, engine=ENGINE, seed=seed)
    return cluster_figures(fit, recording)


def record(seeds: int) -> None:
    """Fit all draws."""
    question = "does the sampler find clusters and states from its own starts?"
    draws = list(range(FIRST, FIRST + seeds))
    kept = Record("biclustering_recovery", question, draws, arguments=sys.argv[1:])
    runs: list[dict[str, float]] = []
    for seed in draws:
        runs.append(measured(seed))
        print(seed, {name: round(value, 3) for name, value in runs[-1].items()}, flush=True)
        each = [{name: round(value, 4) for name, value in run.items()} for run in runs]
        kept.write(over_draws(runs), draws=each)


if __name__ == "__main__":
    record(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
