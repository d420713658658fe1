"""Does NUTS draw from the posterior of the ARPHMM? Simulation-based calibration, 200 replications of each case.

Two states, one lag, 60 samples after a first one that is always zero: parameters are drawn from the prior, data from
them, and NUTS draws from the posterior. If all is right, the rank of the truth among independent draws is uniform, for
each parameter and for the log evidence, which depends on all of them. Two cases: the first and the last state are
known, so that the posterior has one peak, or nothing is known of the states.

Only recordings that stay below LARGEST are used. The prior of lags makes others that grow over more powers of ten than
double precision holds. This, and known states at the ends, keep the ranks uniform: the former looks at data alone, and
the latter are data (the fit is told of them).

Writes, beside this script, arphmm_calibration.json (p values of two tests of uniformity per quantity) and
arphmm_calibration_CASE.png (rank ECDFs minus the diagonal, with simultaneous 95 % bands).

References: Talts et al. (2018), arXiv 1804.06788; the bands: Sailynoja, Buerkner and Vehtari (2022), Statistics and
Computing 32:32, by simulation of the null.

Run: ``python benchmarks/records/arphmm_calibration.py``.
"""

import functools
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from _record import HERE, Record
from numpyro.infer import Predictive
from scipy import stats

from neurolatent import precision
from neurolatent.choices import EM, NUTS, Run
from neurolatent.engines import nuts
from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.models.arphmm.data import Scale
from neurolatent.plots.style import ACCENT, MUTED, house_style, new_figure
from neurolatent.recording import Recording, knowledge

QUESTION = "does NUTS draw from the posterior of the ARPHMM (K = 2, one lag, 60 samples)?"
REPLICATIONS = 200
TIME = 60  # modelled samples of each recording
KEPT = 99  # thinned draws of each posterior: ranks 0 to 99
LARGEST = 1e3  # of a recording, in standard deviations of the noise
BINS = 10  # of the chi-squared test
SIMULATED = 4000  # sets of uniform ranks that tell how far an ECDF strays by chance

MODEL = ARPHMM(2, order=1, transitions="left_right")  # the order tells the states apart: no label switching
SETTINGS = NUTS(chains=1, warmup=400, draws=990, target_accept=0.95, start=EM(steps=20, restarts=1))
SCALE = Scale(np.ones(1), 2 * np.ones(1))  # the prior must not look at the data
CASES = {"known_ends": True, "nothing_known": False}
QUANTITIES = ("initial", "stay", "lag 1", "lag 2", "level 1", "level 2", "variance 1", "variance 2", "log evidence")


class Ranks(NamedTuple):
    """What the replications gave."""

    ranks: np.ndarray  # (replications, quantities) draws below the truth, 0 to KEPT
    divergences: np.ndarray  # (replications,)
    tried: int  # recordings that were made to have so many


class Made(NamedTuple):
    """A recording, as the model takes it, and what made it."""

    truth: ARPHMMParams  # leading axis of 1
    data: Any


def data_of(y: np.ndarray, knows_ends: bool) -> Any:
    """What the model takes of a signal, with the scale of the prior fixed."""
    recording = Recording.of({"signal": y}).with_facts(failed=True)
    if knows_ends:
        recording = recording.with_knowledge(knowledge.start_end(recording, 2, 1))  # the first sample is not modelled
    data = MODEL.select(recording, for_training=True, use_knowledge=True).data
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
    template = data_of(np.random.default_rng(0).normal(size=TIME + 1), False)
    return jax.jit(lambda key: Predictive(MODEL.numpyro_model, num_samples=1)(key, template))


def make(key: jax.Array, knows_ends: bool) -> Made | None:
    """Parameters and a recording of them; None where it is too large, or does not end as is to be known."""
    key_prior, key_data = jax.random.split(key)
    drawn = prior()(key_prior)
    truth = ARPHMMParams(*(np.asarray(drawn[name]) for name in ARPHMMParams._fields))
    recording = MODEL.simulate(ARPHMMParams(*(leaf[0] for leaf in truth)), key_data, [TIME])
    y, states = (recording.signal(name).values.ravel() for name in ("signal", "state"))
    if np.abs(y).max() > LARGEST or (knows_ends and (states[0] != 0 or states[-1] != 1)):
        return None
    return Made(truth, data_of(np.append(0.0, y), knows_ends))


def replicate(made: Made, key: jax.Array) -> tuple[np.ndarray, int]:
    """Ranks of one replication, and how many iterations diverged."""
    trained = nuts.run(SETTINGS, MODEL, made.data, key, options=Run(), identity={})
    picks = np.linspace(0, SETTINGS.draws - 1, KEPT).astype(int)
    draws = ARPHMMParams(*(leaf[0, picks] for leaf in trained.draws))
    below = np.asarray(quantities(draws, made.data)) < np.asarray(quantities(made.truth, made.data))
    return below.sum(axis=0), int(trained.trace["diverging"].sum())


def recordings(knows_ends: bool) -> Iterator[tuple[int, Made, jax.Array]]:
    """Of the seeds 0, 1, 2, ... those that can be used: seed, recording, and the key of its fit."""
    for seed in itertools.count():
        key_data, key_fit = jax.random.split(jax.random.key(seed))
        made = make(key_data, knows_ends)
        if made is not None:
            yield seed, made, key_fit


@precision.in_double
def ranks_of(replications: int, *, knows_ends: bool) -> Ranks:
    """So many replications; one set of compiled programs serves all."""
    used = list(itertools.islice(recordings(knows_ends), replications))
    ranks, divergences = zip(*(replicate(made, key) for _, made, key in used), strict=True)
    return Ranks(np.stack(ranks), np.array(divergences), used[-1][0] + 1)


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


def figures_of(found: Ranks) -> dict[str, float]:
    """P values of both tests per quantity, and what the sampler said of itself."""
    tests = {f"p of {BINS} bins": p_of_bins(found.ranks), "p of the ECDF": p_of_ecdf(found.ranks)}
    figures = {f"{q}: {t}": round(float(p), 4) for t, ps in tests.items() for q, p in zip(QUANTITIES, ps, strict=True)}
    figures["recordings made"] = found.tried
    figures["replications with divergences"] = int((found.divergences > 0).sum())
    return figures


def record() -> None:
    """Run the replications of each case; write figures and pictures."""
    told = Record("arphmm_calibration", QUESTION, "0, 1, 2, ..., one per recording made")
    found = {case: ranks_of(REPLICATIONS, knows_ends=known) for case, known in CASES.items()}
    for case, of_case in found.items():
        draw(of_case.ranks, HERE / f"arphmm_calibration_{case}.png")
    figures = {f"{case}: {name}": v for case, r in found.items() for name, v in figures_of(r).items()}
    ranks = {case: dict(zip(QUANTITIES, r.ranks.T.tolist(), strict=True)) for case, r in found.items()}
    told.write(figures, indent=None, ranks=ranks)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    record()
