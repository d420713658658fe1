"""Figures of a model with continuous latents: against true latents, on spikes and behaviour of unseen trials."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from neurolatent.diagnostics.latents import collapsed_latents, superfluous_latents
from neurolatent.fitting import fit
from neurolatent.models.gpvae import GPVAE
from neurolatent.ops.alignment import Alignment, align
from neurolatent.ops.metrics import bits_per
from neurolatent.recording import Recording
from neurolatent.result import Fit

TRUTH = "latents"  # signal that holds true latents, with channels such as "shared 0"
FOLDS = 5  # of neurons that are told from the others
AS_WRITTEN = "as written"  # the recipe's own model among its arms
IN_TABLE = ("r2.", "r2_all.", "bits_per_spike", "cosmoothing", "reconstruction.r2", "cross.r2", "superfluous")
MOST_CHANNELS = 8  # of behaviour with a figure of their own


def trial_figures(fit: Fit, train: Recording, test: Recording) -> dict[str, float]:
    """Figures of a GP-VAE; nothing of another model.

    ``lengthscale.LATENT`` (bins), ``kl.LATENT`` and ``gain.LATENT`` (nats per training trial), ``collapsed`` and
    ``superfluous`` (numbers of latents);
    on test trials ``bits_per_spike`` and ``reconstruction.r2`` given both modalities, ``cosmoothing.bits_per_spike`` of
    neurons told from the others, ``cross.bits_per_spike`` of spikes told from behaviour, ``cross.r2`` of behaviour told
    from spikes; where the recordings hold the true latents, ``r2.GROUP`` from the estimates of their own group,
    ``r2_all.GROUP`` from all, and ``coverage95.GROUP``.
    """
    if not isinstance(fit.model, GPVAE):
        return {}
    latents = fit.idata["latents"]
    names = [str(n).replace(" ", "_") for n in latents["latent"].values]
    scales = fit.params.lengthscale if fit.model.has_lengthscale else []
    figures = {f"lengthscale.{n}": float(v) for n, v in zip(names, scales, strict=False)}
    figures |= {f"kl.{n}": float(v) for n, v in zip(names, latents["kl"].values.mean(axis=0), strict=True)}
    figures |= {f"gain.{n}": float(v) for n, v in zip(names, latents["gain"].values.mean(axis=0), strict=True)}
    figures["collapsed"] = float(len(collapsed_latents(fit)))
    figures["superfluous"] = float(len(superfluous_latents(fit)))
    figures["test.elbo_per_bin"] = float(fit.score(test).sum()) / test.n_samples
    if fit.model.has_neural and fit.model.is_count:
        figures |= spike_figures(fit, train, test)
    if fit.model.has_behaviour:
        figures |= behaviour_figures(fit, test)
    return figures | _truth_figures(fit, train, test)


def fits_beside(
    fitted: Fit, arms: Mapping[str, Any], train: Recording, test: Recording, steps: Any, seed: int
) -> tuple[pd.DataFrame | None, dict[str, float]]:
    """Figures of other models of continuous latents on the same data: a table beside the fit, and all by flat names."""
    if not arms or not isinstance(fitted.model, GPVAE):
        return None, {}
    found = {AS_WRITTEN: trial_figures(fitted, train, test)}
    for name, arm in arms.items():
        found[name] = trial_figures(fit(arm.model, arm.recording, steps, arm.engine, seed), train, test)
    rows = [
        {"model": name, **{key: v for key, v in own.items() if key.startswith(IN_TABLE)}} for name, own in found.items()
    ]
    flat = {f"{name}.{key}": v for name, own in found.items() if name != AS_WRITTEN for key, v in own.items()}
    return pd.DataFrame(rows), flat


def spike_figures(fit: Fit, train: Recording, test: Recording) -> dict[str, float]:
    """Bits per spike above each neuron's mean over the training trials."""
    baseline = mean_rate(fit, train)
    score = functools.partial(bits_per_spike, fit, baseline=baseline)
    figures = {"bits_per_spike": score(test, test)}
    if baseline.size > FOLDS:
        figures["cosmoothing.bits_per_spike"] = _cosmoothed(fit, test, baseline)
    if fit.model.has_behaviour:
        figures["cross.bits_per_spike"] = score(test, without(test, str(fit.model.signal)))
    if "true_rates" in test.signals:
        prepared = fit.prepared(test).recording
        counts, seen = _spikes(fit, prepared)
        figures["oracle.bits_per_spike"] = _bits(counts, test.signal("true_rates").values, baseline, seen)
    return figures


def behaviour_figures(fit: Fit, test: Recording) -> dict[str, float]:
    """Share of the variance of behaviour on test trials, over all channels and of each where they are few."""
    name, given = str(fit.model.behaviour), {"reconstruction": test}
    if fit.model.has_neural:
        given["cross"] = without(test, name)
    signal = fit.prepared(test).recording.signal(name)
    truth, seen = (part.reshape(len(signal.values), -1) for part in (signal.filled(), signal.observed))
    figures = {}
    for word, shown in given.items():
        told = fit.predict(shown)["reconstruction"]
        names = [f"{word}.r2"]
        if 1 < truth.shape[1] <= MOST_CHANNELS:
            names += [f"{word}.r2.{channel}" for channel in told["output"].values]
        shares = variance_told(told.values, truth, seen)[: len(names)]
        known = ~np.ma.getmaskarray(shares)
        figures |= {
            name: float(share) for name, share, is_known in zip(names, shares.data, known, strict=True) if is_known
        }
    return figures


def variance_told(
    told: Float[np.ndarray, "row channel"],
    truth: Float[np.ndarray, "row channel"],
    seen: Bool[np.ndarray, "row channel"],
) -> np.ma.MaskedArray:
    """Share of the variance of what was observed that is told: over all channels, then of each.

    Masked where the truth does not vary, or was not seen; NaN where something told is no number.
    """
    known = np.ma.array(truth, float, mask=~seen)
    error = (np.where(seen, told - known.data, 0.0) ** 2).sum(axis=0)
    varies = (known.max(axis=0) > known.min(axis=0)).filled(False)
    total = np.where(varies, ((known - known.mean(axis=0)) ** 2).sum(axis=0).filled(0.0), 0.0)
    errors, totals, are_known = np.r_[error.sum(), error], np.r_[total.sum(), total], np.r_[varies.any(), varies]
    return np.ma.array(1 - errors / np.where(are_known, totals, 1.0), mask=~are_known)


def alignment_of(fit: Fit, train: Recording, test: Recording) -> tuple[Alignment, list[str]] | None:
    """Estimated against true latents, with the names of the true ones; None where these are not known."""
    if not isinstance(fit.model, GPVAE) or TRUTH not in train.signals or TRUTH not in test.signals:
        return None
    known = train.signal(TRUTH).names
    told = {name: fit.predict(recording) for name, recording in (("train", train), ("test", test))}
    if any(len(told[n]["sample"]) != r.n_samples for n, r in (("train", train), ("test", test))) or not known:
        return None
    pairs = [(told[n]["latents"].values, r.signal(TRUTH).values) for n, r in (("train", train), ("test", test))]
    estimated = [str(n).split()[0] for n in told["test"]["latent"].values]
    groups = np.array([[name.split()[0] == group for group in estimated] for name in known])
    return align(pairs[0], pairs[1], told["test"]["latents_sd"].values, groups), known


def _truth_figures(fit: Fit, train: Recording, test: Recording) -> dict[str, float]:
    found = alignment_of(fit, train, test)
    if found is None:
        return {}
    aligned, names = found
    groups = np.array([name.split()[0] for name in names])
    figures = {}
    for group in dict.fromkeys(groups):
        own = groups == group
        for key, values in (("r2", aligned.own), ("r2_all", aligned.all), ("coverage95", aligned.coverage)):
            if np.isfinite(values[own]).all():
                figures[f"{key}.{group}"] = float(values[own].mean())
    return figures


def mean_rate(fit: Fit, train: Recording) -> np.ndarray:
    """(neuron,) mean count per bin of the training trials; a neuron that was silent has half a spike."""
    counts, seen = _spikes(fit, fit.prepared(train).recording)
    bins = np.maximum(seen.sum(axis=0), 1)
    return np.maximum(np.where(seen, counts, 0).sum(axis=0), 0.5) / bins


def bits_per_spike(
    fit: Fit, test: Recording, shown: Recording, *, baseline: np.ndarray, neurons: np.ndarray | None = None
) -> float:
    """Bits per spike of the test trials by the rates that the fit tells from what it is shown."""
    counts, seen = _spikes(fit, fit.prepared(test).recording)
    per_bin = fit.predict(shown)["rates"].values * (test.bin_width if fit.model.rates_in_hz(test) else 1.0)
    keep = slice(None) if neurons is None else neurons
    return _bits(counts[:, keep], per_bin[:, keep], baseline[keep], seen[:, keep])


def without(recording: Recording, signal: str, channels: np.ndarray | None = None) -> Recording:
    """The recording with nothing observed in a signal, or in some of its channels."""
    values = recording.signal(signal)
    keep = np.zeros(values.values.shape, bool)
    if channels is not None:
        keep |= ~channels
    return recording.with_signal(signal, values.masked(keep))


def _cosmoothed(fit: Fit, test: Recording, baseline: np.ndarray) -> float:
    """Every fifth neuron is told from the others, and from behaviour, in turn."""
    prepared = fit.prepared(test).recording
    counts, seen = _spikes(fit, prepared)
    name, rates = str(fit.model.signal), np.empty(counts.shape)
    names = test.signal(name).names
    kept = prepared.signal(name).names
    for fold in range(FOLDS):
        held = np.arange(counts.shape[1]) % FOLDS == fold
        gone = np.isin(names, np.array(kept)[held]) if names else held
        rates[:, held] = fit.predict(without(test, name, gone))["rates"].values[:, held]
    width = test.bin_width if fit.model.rates_in_hz(test) else 1.0
    return _bits(counts, rates * width, baseline, seen)


def _spikes(fit: Fit, prepared: Recording) -> tuple[np.ndarray, np.ndarray]:
    signal = prepared.signal(str(fit.model.signal))
    return signal.filled().astype(float), signal.observed


def _bits(counts: np.ndarray, rates: np.ndarray, baseline: np.ndarray, seen: np.ndarray) -> float:
    def score(mean: np.ndarray) -> float:
        return float(np.where(seen, counts * np.log(np.maximum(mean, 1e-12)) - mean, 0.0).sum())

    return bits_per(score(rates), score(np.broadcast_to(baseline, counts.shape)), float(counts[seen].sum()))
