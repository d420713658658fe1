"""What do clusters of neurons and states of bins add, to each other and to plainer methods, on simulated counts?

The simulation of the paper (Wei, 2023, section 4): 30 neurons in three clusters, 500 bins, two states that alternate,
counts with a dispersion. A tenth of the entries is hidden from every method and told afterwards. Rows:

- the bi-clustering with its defaults, and for Poisson counts;
- rows only (one state), columns only (one cluster), neither: the same sampler with bounds of 1;
- two stages, told the true numbers: neurons by spectral clustering of the absolute correlations of smoothed log counts;
  bins by a hidden Markov model of their principal components, Gaussian or autoregressive (EM, ten restarts). Their
  rates are smoothed counts with a twentieth of the mean count in them, so that none is 0, and hidden entries are told
  as Poisson counts at these rates;
- the truth: what the rates and the dispersion of the simulation themselves would score.

Writes, beside this script, biclustering_comparison.json, after each fit what is known so far: median, least and largest
over the draws of each figure. Bits are per spike, over each neuron's mean count; RMSE is of the log rate, in nats.

Run: ``python benchmarks/records/biclustering_comparison.py [SEEDS] [SWEEPS] [CHAINS]``, by default 5, 600 after as many
of warm-up, and 4.
"""

import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from _record import Record, over_draws
from scipy import stats
from scipy.ndimage import gaussian_filter1d
from sklearn.metrics import normalized_mutual_info_score

import neurolatent as nl
from neurolatent.models.bicluster import start, summaries
from neurolatent.models.bicluster.synthetic import DISPERSION, bicluster_case
from neurolatent.ops.metrics import bits_per
from neurolatent.recipe.clusters import cluster_figures, entry_figures
from neurolatent.validation import entry_scores

QUESTION = "what do clusters of neurons and states of bins add, to each other and to plainer methods?"
HIDDEN = 0.1  # share of the entries
COMPONENTS, RESTARTS, MEAN = 6, 10, 0.05  # of the two stages; ours
SAMPLED = {
    "biclustering_nb": nl.BiClustering(),
    "biclustering_poisson": nl.BiClustering(family="poisson"),
    "rows_only": nl.BiClustering(max_states=1),
    "columns_only": nl.BiClustering(max_clusters=1),
    "neither": nl.BiClustering(max_clusters=1, max_states=1),
}
COLUMNS = (
    *("neurons.ari", "states.ari", "states.agreement", "clusters.mode", "states.mode", "seconds_per_sweep"),
    *("rhat.max", "ess.min", "between_chains.ari", "coverage95.log_rate", "heldout.bits_per_spike"),
)


def sampled(
    model: nl.BiClustering, engine: nl.Gibbs, whole: nl.Recording, shown: nl.Recording, seed: int
) -> dict[str, float]:
    """Figures of the sampler."""
    fit = nl.fit(model, shown, engine=engine, seed=seed)
    found = cluster_figures(fit, shown) | entry_figures(entry_scores(fit, whole, shown), seed)
    clusters, states = summaries.neurons(fit.draws), summaries.bins(fit.draws, method="pear")
    figures = {name: found[name] for name in COLUMNS}
    figures["ess_per_second"] = found["ess.min"] / fit.seconds["run"]
    figures["rmse.log_rate"] = rmse(fit.idata["latents"]["log_rate_mean"].values, whole)
    return figures | mutual(whole, clusters.partition, states.partition)


def two_stages(order: int, whole: nl.Recording, shown: nl.Recording, seed: int) -> dict[str, float]:
    """Figures of spectral clustering and of a hidden Markov model of the given order; both are told the numbers."""
    signal = shown.signal("spikes")
    counts, seen = signal.filled().T, signal.observed.T.astype(float)
    smooth, (label, state) = start.smoothed(counts, seen), truth_of(whole)
    neurons = start.group_neurons(smooth, len(np.unique(label)), np.random.default_rng(seed))
    left, sizes, _ = np.linalg.svd(smooth.T, full_matrices=False)
    components = nl.Recording.of({"components": left[:, :COMPONENTS] * sizes[:COMPONENTS]}, bin_width=1.0)
    model = nl.ARPHMM(n_states=len(np.unique(state)), order=order, transitions="ergodic")
    fit = nl.fit(model, components, (nl.Standardise(),), nl.EM(restarts=RESTARTS, start="random"), seed)
    path = fit.predict(components)["path"].values
    bins = np.where(path < 0, path[path >= 0][0], path)
    rate = smoothed_rates(counts, seen).T
    told = stats.poisson(rate).logpmf(whole.signal("spikes").values)
    figures = {
        "neurons.ari": summaries.rand(neurons, label),
        "states.ari": summaries.rand(bins, state),
        "states.agreement": summaries.agreement(bins, state),
        "rmse.log_rate": rmse(np.log(rate), whole),
        "heldout.bits_per_spike": bits(told, whole, shown),
    }
    return figures | mutual(whole, neurons, bins)


def smoothed_rates(counts: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(neuron, bin) counts smoothed over what was seen, drawn a little towards the mean."""
    total, weight = (gaussian_filter1d(part, start.SMOOTH, axis=1) for part in (counts * seen, seen))
    mean = (counts * seen).sum(axis=1, keepdims=True) / seen.sum(axis=1, keepdims=True)
    return (1 - MEAN) * total / np.maximum(weight, 1e-6) + MEAN * mean


def of_truth(whole: nl.Recording, shown: nl.Recording) -> dict[str, float]:
    """What the simulation's own rates and dispersion score."""
    rate, r = np.exp(whole.signal("log_rate").values), DISPERSION
    told = stats.nbinom(r, r / (r + rate)).logpmf(whole.signal("spikes").values)
    return {"heldout.bits_per_spike": bits(told, whole, shown)}


def truth_of(whole: nl.Recording) -> tuple[np.ndarray, np.ndarray]:
    """True cluster of each neuron and state of each bin."""
    return whole.signal("spikes").channels["cluster"].to_numpy(int), whole.signal("state").values[:, 0].astype(int)


def mutual(whole: nl.Recording, neurons: np.ndarray, bins: np.ndarray) -> dict[str, float]:
    """Normalised mutual information with the truth (arithmetic mean)."""
    pairs = zip(("neurons.nmi", "states.nmi"), truth_of(whole), (neurons, bins), strict=True)
    return {name: float(normalized_mutual_info_score(truth, found)) for name, truth, found in pairs}


def rmse(log_rate: np.ndarray, whole: nl.Recording) -> float:
    """Root mean squared error of log rates (bin, neuron)."""
    return float(np.sqrt(np.mean((log_rate - whole.signal("log_rate").values) ** 2)))


def bits(told: np.ndarray, whole: nl.Recording, shown: nl.Recording) -> float:
    """Bits per spike of the hidden entries of log probabilities (bin, neuron)."""
    counts, seen = whole.signal("spikes").values, shown.signal("spikes").observed
    mean = np.where(seen, counts, 0).sum(axis=0) / seen.sum(axis=0)
    plain = stats.poisson(mean).logpmf(counts)
    return float(bits_per(told[~seen].sum(), plain[~seen].sum(), counts[~seen].sum()))


def measured(seed: int, engine: nl.Gibbs) -> Iterator[tuple[str, dict[str, float]]]:
    """Figures of all rows on one draw, one after the other."""
    whole = bicluster_case(seed)
    shown = whole.hide("spikes", HIDDEN, seed=seed)
    yield "truth", of_truth(whole, shown)
    for name, order in (("two_stages_gaussian_hmm", 0), ("two_stages_ar_hmm", 1)):
        yield name, two_stages(order, whole, shown, seed)
    for name, model in SAMPLED.items():
        yield name, sampled(model, engine, whole, shown, seed)


def record(seeds: int, sweeps: int, chains: int) -> None:
    """Fit all rows on all draws."""
    engine: Any = nl.Gibbs(chains=chains, warmup=sweeps, draws=sweeps, keep=math.gcd(sweeps, 100))
    kept = Record("biclustering_comparison", QUESTION, list(range(seeds)), arguments=sys.argv[1:])
    runs: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        for name, found in measured(seed, engine):
            print(seed, name, {key: round(value, 3) for key, value in found.items()}, flush=True)
            runs.setdefault(name, []).append(found)
            figures = {f"{row}.{key}": v for row, of in runs.items() for key, v in over_draws(of).items()}
            kept.write(figures, draws={row: len(of) for row, of in runs.items()})


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    record(*(given + [5, 600, 4][len(given) :]))
