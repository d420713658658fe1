"""Figures of a bi-clustering: what it found, how far its chains agree, and the truth where it is known."""

from typing import Any

import numpy as np

from neurolatent.diagnostics.clusters import convergence
from neurolatent.models.bicluster import BiClustering, summaries
from neurolatent.prognostics.assess import Interval, bootstrap
from neurolatent.recording import Recording
from neurolatent.result import Fit
from neurolatent.validation import EntryScores, entry_scores

CLUSTER = "cluster"  # fact of a channel that holds the true cluster
STATE, LOG_RATE = "state", "log_rate"  # signals that hold the truth


def cluster_figures(fit: Fit, recording: Recording) -> dict[str, float]:
    """Figures of a bi-clustering; nothing of another model or without draws.

    ``clusters.mode``, ``states.mode`` (posterior modes of their numbers) and their shares, ``rhat.max``, ``ess.min``,
    ``between_chains.ari`` (smallest, of neurons) and ``between_chains.states_ari``, ``seconds_per_sweep``; where the
    recording holds the truth ``neurons.ari``, ``states.ari``, ``states.agreement`` of point partitions,
    ``states.ari_per_draw``, and ``coverage95.log_rate``.
    """
    if not isinstance(fit.model, BiClustering) or fit.draws is None:
        return {}
    neurons, bins = summaries.neurons(fit.draws), summaries.bins(fit.draws, method="pear")
    found = convergence(fit)
    engine: Any = fit.engine
    stats = fit.idata["sample_stats"]
    sweeps = engine.chains * (engine.warmup + stats["n_clusters"].shape[1])
    figures = {
        **_mode("clusters", stats["n_clusters"].values),
        **_mode("states", stats["n_states"].values),
        "rhat.max": max(rhat for rhat, _ in found.values()),
        "ess.min": min(ess for _, ess in found.values()),
        "between_chains.ari": neurons.agreement,
        "between_chains.states_ari": bins.agreement,
        "seconds_per_sweep": fit.seconds["run"] / sweeps,
    }
    return figures | _truth(fit, recording, neurons.partition, bins.partition)


def hidden_scores(fit: Fit, whole: Recording | None, shown: Recording) -> EntryScores | None:
    """Scores of what was hidden from the fit; None where nothing was, or the fit has no draw."""
    return None if whole is None or fit.draws is None else entry_scores(fit, whole, shown)


def entry_figures(scores: EntryScores | None, seed: int) -> dict[str, float]:
    """Figures of what was hidden from a fit; none where nothing was.

    ``heldout.bits_per_spike`` over each neuron's mean count of the entries shown, its 90 % bootstrap interval over
    neurons ``heldout.bits_per_spike_low`` and ``_high``, and the number of hidden ``heldout.entries``.
    """
    if scores is None:
        return {}
    told, name = bits_interval(scores, seed), "heldout.bits_per_spike"
    figures = {name: told.value, f"{name}_low": told.low, f"{name}_high": told.high}
    return figures | {"heldout.entries": float(scores.entries.sum())}


def bits_interval(scores: EntryScores, seed: int) -> Interval:
    """Bits per spike of all hidden entries, with a 90 % bootstrap interval over neurons."""
    return bootstrap(scores.bits_per_event, len(scores.events), seed=seed)


def _mode(name: str, counts: np.ndarray) -> dict[str, float]:
    values, times = np.unique(counts, return_counts=True)
    return {f"{name}.mode": float(values[times.argmax()]), f"{name}.mode_share": float(times.max() / times.sum())}


def _truth(fit: Fit, recording: Recording, clusters: np.ndarray, states: np.ndarray) -> dict[str, float]:
    figures = {}
    facts = recording.signal(fit.model.signal_of(recording)).channels
    if CLUSTER in facts:
        figures["neurons.ari"] = summaries.rand(clusters, facts[CLUSTER].to_numpy(int))
    if STATE in recording.signals:
        truth = recording.signal(STATE).values[:, 0].astype(int)
        at = summaries.bin_places(len(truth))
        flat = np.asarray(fit.draws.state).reshape(-1, len(truth))
        picks = np.linspace(0, len(flat) - 1, min(100, len(flat))).astype(int)
        figures["states.ari"] = summaries.rand(states, truth[at])
        figures["states.agreement"] = summaries.agreement(states, truth[at])
        figures["states.ari_per_draw"] = float(np.mean([summaries.rand(flat[n], truth) for n in picks]))
    if LOG_RATE in recording.signals:
        latents = fit.idata["latents"]
        off = np.abs(recording.signal(LOG_RATE).values - latents["log_rate_mean"].values)
        figures["coverage95.log_rate"] = float((off <= 1.96 * latents["log_rate_sd"].values).mean())
    return figures
