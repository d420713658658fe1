"""Does NUTS draw from the posterior of the ARPHMM? Simulation-based calibration, 200 replications.

Two states, one lag, 60 samples: parameters are drawn from the prior, data from them, and NUTS draws from the posterior.
If all is right, the rank of the truth among independent draws is uniform, for each parameter and for the log evidence,
which depends on all of them. Writes, beside this script, arphmm_calibration.json (p values of two tests of uniformity
per quantity) and arphmm_calibration.png (rank ECDFs minus the diagonal, with simultaneous 95 % bands).

References: Talts et al. (2018), arXiv 1804.06788; the bands: Sailynoja, Buerkner and Vehtari (2022), Statistics and
Computing 32:32, by simulation of the null.

Run: ``python benchmarks/records/arphmm_calibration.py``.
"""

import datetime
import functools
import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import Predictive
from scipy import stats

from neurolatent import precision
from neurolatent.choices import EM, NUTS, Run
from neurolatent.engines import nuts
from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.models.arphmm.data import Scale
from neurolatent.plots.style import ACCENT, MUTED, house_style, new_figure
from neurolatent.recording import Recording
from neurolatent.result.build import versions

HERE = Path(__file__).parent
REPLICATIONS = 200
TIME = 60  # modelled samples of each recording
KEPT = 99  # thinned draws of each posterior: ranks 0 to 99
BINS = 10  # of the chi-squared test
SIMULATED = 4000  # sets of uniform ranks that tell how far an ECDF strays by chance

MODEL = ARPHMM(2, order=1, transitions="left_right")  # the order tells the states apart: no label switching
SETTINGS = NUTS(chains=1, warmup=400, draws=990, target_accept=0.95, start=EM(steps=20, restarts=1))
SCALE = Scale(np.ones(1), 2 * np.ones(1))  # the prior must not look at the data
QUANTITIES = ("initial", "stay", "lag 1", "lag 2", "level 1", "level 2", "variance 1", "variance 2", "log evidence")


class Ranks(NamedTuple):
    """What the replications gave."""

    ranks: np.ndarray  # (replications, quantities) draws below the truth, 0 to KEPT
    divergences: np.ndarray  # (replications,)


def data_of(y: np.ndarray) -> Any:
    """What the model takes of a signal, with the scale of the prior fixed."""
    data = MODEL.select(Recording.of({"signal": y}), for_training=True, use_knowledge=False).data
    return jax.tree.map(jnp.asarray, data._replace(scale=SCALE))


@jax.jit
def quantities(params: ARPHMMParams, data: Any) -> jax.Array:
    """(draws, quantities) of parameters with a leading axis."""

    def one(p: ARPHMMParams) -> jax.Array:
        weights, variance = p.coefficients[:, 0], p.covariance[:, 0, 0]
        evidence = MODEL.log_likelihood(p, data).sum()
        return jnp.array([p.initial[0], p.transition[0, 0], *weights[:, 0], *weights[:, 1], *variance, evidence])

    return jax.lax.map(one, params)


@functools.cache
def prior() -> Any:
    """Draws of the prior, by a compiled program of the key."""
    template = data_of(np.random.default_rng(0).normal(size=TIME + 1))
    return jax.jit(lambda key: Predictive(MODEL.numpyro_model, num_samples=1)(key, template))


def replicate(seed: int) -> tuple[np.ndarray, int]:
    """Ranks of one replication, and how many iterations diverged."""
    key_prior, key_data, key_fit = jax.random.split(jax.random.key(seed), 3)
    drawn = prior()(key_prior)
    truth = ARPHMMParams(*(np.asarray(drawn[name]) for name in ARPHMMParams._fields))
    y = MODEL.simulate(ARPHMMParams(*(leaf[0] for leaf in truth)), key_data, [TIME + 1]).signal("signal").values
    data = data_of(y)
    trained = nuts.run(SETTINGS, MODEL, data, key_fit, options=Run(), identity={})
    picks = np.linspace(0, SETTINGS.draws - 1, KEPT).astype(int)
    draws = ARPHMMParams(*(leaf[0, picks] for leaf in trained.draws))
    below = np.asarray(quantities(draws, data)) < np.asarray(quantities(truth, data))
    return below.sum(axis=0), int(trained.trace["diverging"].sum())


def ranks_of(replications: int) -> Ranks:
    """Replications with the seeds 0, 1, 2, ...; one set of compiled programs serves all."""
    with precision.double():
        ranks, divergences = zip(*(replicate(seed) for seed in range(replications)), strict=True)
    return Ranks(np.stack(ranks), np.array(divergences))


def below_each(ranks: np.ndarray) -> np.ndarray:
    """(sets, KEPT) how many ranks of each set lie below 1, 2, ..., KEPT."""
    counts = np.stack([np.bincount(row, minlength=KEPT + 1) for row in ranks])
    return counts.cumsum(axis=1)[:, :-1]


def least_tail(ranks: np.ndarray) -> np.ndarray:
    """(sets,) smallest two-sided binomial probability along the ECDF of each set: how far it strays."""
    below, share = below_each(ranks), np.arange(1, KEPT + 1) / (KEPT + 1)
    law = stats.binom(ranks.shape[1], share)
    return np.minimum(1.0, 2 * np.minimum(law.cdf(below), law.sf(below - 1))).min(axis=1)


@functools.cache
def by_chance(replications: int) -> np.ndarray:
    """``least_tail`` of sets of uniform ranks."""
    return least_tail(np.random.default_rng(0).integers(0, KEPT + 1, (SIMULATED, replications)))


def p_of_ecdf(ranks: np.ndarray) -> np.ndarray:
    """(quantities,) probability that the ECDF of uniform ranks strays as far."""
    chance = by_chance(len(ranks))
    return np.array([(1 + (chance <= tail).sum()) / (1 + SIMULATED) for tail in least_tail(ranks.T)])


def p_of_bins(ranks: np.ndarray) -> np.ndarray:
    """(quantities,) p value of the chi-squared test of equal counts in BINS bins."""
    edges = np.linspace(0, KEPT + 1, BINS + 1) - 0.5
    return np.array([stats.chisquare(np.histogram(column, edges)[0]).pvalue for column in ranks.T])


def draw(ranks: np.ndarray, path: Path) -> None:
    """One panel per quantity: the ECDF of its ranks minus the diagonal, in the band that holds 95 % of such curves."""
    size, share = len(ranks), np.arange(1, KEPT + 1) / (KEPT + 1)
    level = np.quantile(by_chance(size), 0.05)
    low, high = (stats.binom(size, share).ppf(q) / size - share for q in (level / 2, 1 - level / 2))
    with house_style():
        figure = new_figure(8.4, 6.6)
        axes = figure.subplots(3, 3, sharex=True, sharey=True)
        for ax, name, below, p in zip(axes.flat, QUANTITIES, below_each(ranks.T), p_of_ecdf(ranks), strict=True):
            ax.fill_between(share, low, high, color=MUTED, alpha=0.25, linewidth=0, step="mid")
            ax.step(share, below / size - share, color=ACCENT, where="mid")
            ax.set_title(f"{name} (p = {p:.2g})")
        figure.supxlabel("rank of the truth among the draws, as a share", fontsize=9.5)
        figure.supylabel("ECDF minus diagonal", fontsize=9.5)
        figure.savefig(path, dpi=150, facecolor="white")


def record() -> None:
    """Run the replications; write figures and picture."""
    begin = time.perf_counter()
    found = ranks_of(REPLICATIONS)
    bins, ecdf = p_of_bins(found.ranks), p_of_ecdf(found.ranks)
    figures = {f"{name}: p of {BINS} bins": round(float(p), 4) for name, p in zip(QUANTITIES, bins, strict=True)}
    figures |= {f"{name}: p of the ECDF": round(float(p), 4) for name, p in zip(QUANTITIES, ecdf, strict=True)}
    figures |= {"replications with divergences": int((found.divergences > 0).sum())}
    figures |= {"divergences of all iterations": float(found.divergences.sum() / (REPLICATIONS * SETTINGS.draws))}
    facts = {
        "question": "Does NUTS draw from the posterior of the ARPHMM (K = 2, one lag, 60 samples)?",
        "command": "python benchmarks/records/arphmm_calibration.py",
        "seed": f"0 to {REPLICATIONS - 1}, one per replication",
        "date": datetime.date.today().isoformat(),
        "commit": subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout[:10],
        "machine": f"{os.cpu_count()} cores, CPU, {platform.machine()}, {platform.system()}",
        "versions": versions(),
        "seconds": round(time.perf_counter() - begin, 1),
        "figures": figures,
        "ranks": {name: column.tolist() for name, column in zip(QUANTITIES, found.ranks.T, strict=True)},
    }
    (HERE / "arphmm_calibration.json").write_text(json.dumps(facts) + "\n", "utf-8")
    draw(found.ranks, HERE / "arphmm_calibration.png")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    record()
