"""Figures of a model of temporal patterns: its objective, what it makes by itself, what it foresees of new data."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import pandas as pd

from neurolatent.compiling import key_of
from neurolatent.diagnostics.patterns import collapsed_layers
from neurolatent.fitting import fit
from neurolatent.models.protocols import Foresees
from neurolatent.models.pvrnn import PVRNN
from neurolatent.models.pvrnn.generation import sampled
from neurolatent.models.pvrnn.synthetic import MACHINE, symbols
from neurolatent.ops.symbols import row_divergences, transition_counts, transition_shares, word_divergence
from neurolatent.precision import in_double
from neurolatent.recording import Recording
from neurolatent.result import Fit

LAST = 0.01  # share of the epochs over which an objective with noise is averaged: specification, section 6
LOOP, SETTLING = 50_000, 1_000  # steps of a closed loop, and those before it that are left out
WORDS = (6, 12)  # lengths
AS_WRITTEN = "as written"
IN_TABLE = ("rmse.lead", "repeat.rmse.lead", "test.", "loss")


@in_double
def pattern_figures(fitted: Fit) -> dict[str, float]:
    """Figures of the training data; nothing of another model.

    ``loss`` (J), ``rec`` and ``kl.LAYER`` (nats per sequence), means over the last hundredth of the epochs;
    ``beta.LAYER``; ``sd.prior.LAYER`` and ``sd.posterior.LAYER``, mean standard deviations; ``sigma_share.LAYER``, the
    share of the prior's standard deviation that stays in the posterior (median over latents and steps; 1 where the
    data tell nothing); ``decode.rmse`` of values or ``decode.accuracy`` of symbols, as the posterior reconstructs
    them; ``collapsed``, a number of layers, and ``collapsed.LAYER``, 1 where it is one of them.
    """
    if not isinstance(fitted.model, Foresees):
        return {}
    trace, latents, model = fitted.idata["trace"], fitted.idata["latents"], fitted.model
    best, layers = int(trace["best"]), range(1, len(model.layers) + 1)
    names = {"loss": "objective", "rec": "rec", **{f"kl.{n}": f"kl.{n}" for n in layers}}
    figures = {}
    for name, traced in names.items():
        own = trace[traced].values[best]
        own = own[np.isfinite(own)]
        figures[name] = float(own[-max(1, round(LAST * len(own))) :].mean()) * (-1 if name == "loss" else 1)
    channels = len(fitted.facts["channels"])
    figures |= {f"beta.{n}": float(b) for n, b in zip(layers, model.betas(channels), strict=True)}
    gone = collapsed_layers(fitted)
    figures |= {"collapsed": float(len(gone)), **{f"collapsed.{n}": float(str(n) in gone) for n in layers}}
    return figures | _sigma_figures(latents, layers) | _decoded(fitted)


def _sigma_figures(latents: Any, layers: range) -> dict[str, float]:
    """Standard deviations of prior and posterior by layer, and the share of the one that stays in the other."""
    of_layer = np.array([str(name).split()[1] for name in latents["latent"].values])
    figures = {}
    for n in layers:
        prior, posterior = (latents[f"{word}_sd"].values[:, of_layer == str(n)] for word in ("prior", "posterior"))
        figures |= {f"sd.prior.{n}": float(prior.mean()), f"sd.posterior.{n}": float(posterior.mean())}
        figures[f"sigma_share.{n}"] = float(np.median(posterior / prior))
    return figures


def _decoded(fitted: Fit) -> dict[str, float]:
    latents, truth = fitted.idata["latents"], fitted.idata["observed_data"]["y"].values
    if fitted.model.is_symbolic:
        return {"decode.accuracy": float((latents["probability"].values.argmax(axis=1) == truth[:, 0]).mean())}
    told = latents["reconstruction_mean"].values
    return {"decode.rmse": float(np.sqrt(np.nanmean((told - truth) ** 2)))}


@in_double
def generated_figures(fitted: Fit, simulated: Mapping[str, Any], seed: int) -> dict[str, float]:
    """What a closed loop of 50,000 steps makes of symbols; nothing of values.

    ``transition.A_to_B`` for each pair, ``illegal_share`` of transitions that the training data never show (or the
    machine never makes), and of a simulated machine ``row_kl.A`` (nats) and ``ngram6``, ``ngram12``, the divergence of
    words, beside the ``floor`` between two strings of the machine itself.
    """
    if not isinstance(fitted.model, PVRNN) or not fitted.model.is_symbolic:
        return {}
    loop, count = closed_loop(fitted, seed), fitted.model.likelihood.per_channel
    words = [str(w).lower() for w in fitted.idata["latents"]["symbol"].values]
    counts = transition_counts(loop, count)
    shares, is_machine = transition_shares(counts), simulated.get("name") == "fsm"
    legal = MACHINE > 0 if is_machine else _seen_transitions(fitted, count)
    figures = {f"transition.{a}_to_{b}": float(shares[i, j]) for i, a in enumerate(words) for j, b in enumerate(words)}
    figures["illegal_share"] = float(counts[~legal].sum() / counts.sum())
    if not is_machine:
        return figures
    figures |= {f"row_kl.{a}": float(v) for a, v in zip(words, row_divergences(MACHINE, counts), strict=True)}
    rng = np.random.default_rng(seed)
    target, other = symbols(rng, LOOP), symbols(rng, LOOP)
    for length in WORDS:
        figures[f"ngram{length}"] = word_divergence(target, loop, length)
        figures[f"ngram{length}.floor"] = word_divergence(target, other, length)
    return figures


def closed_loop(fitted: Fit, seed: int) -> np.ndarray:
    """(50,000,) the likeliest symbol at every step of a long course of the prior."""
    made = sampled(fitted.model.beside(), fitted.params._replace(adaptive=None), key_of(seed), 1, LOOP + SETTLING, 1.0)
    return np.asarray(made.told)[0, SETTLING:, 0].argmax(axis=1)


def _seen_transitions(fitted: Fit, count: int) -> np.ndarray:
    """(symbols, symbols) whether the training data show a transition."""
    observed = fitted.idata["observed_data"]
    values, ids = observed["y"].values[:, 0].astype(int), observed["sample_sequence"].values
    each = [transition_counts(values[ids == name], count) for name in dict.fromkeys(ids)]
    return np.sum(each, axis=0) > 0


@in_double
def foreseen_figures(fitted: Fit, train: Recording, test: Recording, assessment: Any, seed: int) -> dict[str, float]:
    """Figures of sequences that the fit has not seen.

    ``test.loss`` (the objective; a PV-RNN recognises whole sequences first), ``test.rec`` and ``test.kl.LAYER``;
    with ``leads`` ``rmse.leadK``, the error K steps ahead over all steps, and ``repeat.rmse.leadK``, that of repeating
    the last value; with ``seen`` ``rest.rmse.mM``, the error of the rest of each path once M steps were seen, and with
    ``endings`` too ``branch_correct.mM``, the share whose end is foretold among so many clusters of training ends; the
    same after no iteration with ``.untouched`` behind.
    """
    if not isinstance(fitted.model, Foresees):
        return {}
    figures = _recognised_figures(fitted, test)
    figures |= lead_figures(fitted, test, assessment.leads, seed) if assessment.leads else {}
    return figures | (rest_figures(fitted, train, test, assessment, seed) if assessment.seen else {})


def _recognised_figures(fitted: Fit, test: Recording) -> dict[str, float]:
    told = fitted.predict(test)
    figures = {f"test.{name}": float(told[name].values.mean()) for name in ("loss", "rec")}
    figures["test.elbo"] = float(told["log_evidence"].values.mean())
    return figures | {f"test.kl.{n}": float(told["kl"].values[:, int(n) - 1].mean()) for n in told["layer"].values}


@in_double
def lead_figures(fitted: Fit, test: Recording, leads: tuple[int, ...], seed: int) -> dict[str, float]:
    """Root mean squared errors by lead time, over all channels and all steps at which there is a truth."""
    model = fitted.model.with_horizon(max(leads))
    mean, truth = _foreseen(fitted, model, test, seed)
    figures = {}
    for lead in leads:
        told, kept, last = mean[: len(mean) - lead, :, lead - 1], truth[lead:], truth[:-lead]
        figures[f"rmse.lead{lead}"] = float(np.sqrt(np.nanmean((told - kept) ** 2)))
        figures[f"repeat.rmse.lead{lead}"] = float(np.sqrt(np.nanmean((last - kept) ** 2)))
    return figures


def _foreseen(fitted: Fit, model: Any, test: Recording, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(time, sequences, horizon, channels) what is foreseen, and the truth (time, sequences, channels), NaN unknown."""
    selected = fitted.prepared(test)
    told = jax.device_get(model.foresee(fitted.params, selected.data, key_of(seed)))
    signal = selected.recording.signal(fitted.facts["signal"])
    values = np.where(signal.observed, signal.values, np.nan).reshape(selected.recording.n_samples, -1)
    truth = np.full((len(told.mean), selected.recording.n_sequences, values.shape[1]), np.nan)
    for number, part in enumerate(selected.recording.slices()):
        truth[: part.stop - part.start, number] = values[part]
    return np.asarray(told.mean), truth


@in_double
def stream_figures(fitted: Fit, recording: Recording, seed: int) -> dict[str, float]:
    """Errors by lead time on new data, up to the model's horizon; of symbols the share told right one step ahead."""
    if fitted.model.is_symbolic:
        mean, truth = _foreseen(fitted, fitted.model, recording, seed)
        right = mean[:-1, :, 0, 0].argmax(axis=-1) == truth[1:, :, 0]
        return {"accuracy.lead1": float(right[np.isfinite(truth[1:, :, 0])].mean())}
    leads = range(1, min(fitted.model.horizon, int(recording.lengths.max()) - 1) + 1)
    return lead_figures(fitted, recording, tuple(leads), seed)


@in_double
def foreseen_table(fitted: Fit, recording: Recording, seed: int) -> pd.DataFrame:
    """A row for every step: what was observed, and what had been foreseen of it one step before, with its band.

    After the last step of a sequence come the steps that are foreseen from there, ``lead`` steps ahead. Symbols have
    their probabilities instead. Values are in the units of the prepared signal.
    """
    selected = fitted.prepared(recording)
    told = jax.device_get(fitted.model.foresee(fitted.params, selected.data, key_of(seed)))
    signal, width = selected.recording.signal(fitted.facts["signal"]), selected.recording.bin_width
    rows = []
    for number, part in enumerate(selected.recording.slices()):
        start, count = float(selected.recording.start[number]), part.stop - part.start
        for at in range(count + fitted.model.horizon):
            lead = max(at - count + 1, 1)
            row = {"sequence": selected.recording.ids[number], "clock": start + at * width, "lead": lead}
            values = signal.values[part][at] if at < count else None
            from_step = at - lead
            rows.append(row | _told_row(fitted, signal, told, values, (from_step, number, lead - 1)))
    return pd.DataFrame(rows)


def _told_row(fitted: Fit, signal: Any, told: Any, values: Any, place: tuple[int, int, int]) -> dict[str, float]:
    """One step's observation and foresight; none of the first step, before which nothing was seen."""
    nothing = place[0] < 0
    if fitted.model.is_symbolic:
        words = [str(w) for w in fitted.idata["latents"]["symbol"].values]
        each = np.full(len(words), np.nan) if nothing else told.mean[place][0]
        seen = {"observed": np.nan if values is None else float(values[0])}
        return seen | {f"p_{word}": float(p) for word, p in zip(words, each, strict=True)}
    out = {}
    for channel, name in enumerate(signal.names):
        out[name] = np.nan if values is None else float(values[channel])
        for word in ("mean", "low", "high"):
            out[f"{name}_{word}"] = np.nan if nothing else float(getattr(told, word)[place][channel])
    return out


@in_double
def rest_figures(fitted: Fit, train: Recording, test: Recording, assessment: Any, seed: int) -> dict[str, float]:
    """Errors of the rest of each path once so many steps were seen, and whether its end is foretold."""
    time, most = int(test.lengths.max()), max(assessment.seen)
    start, truth = test.cut(0, most), _ends_and_paths(fitted, test)
    model = fitted.model.with_horizon(time - min(assessment.seen))
    plain = dataclasses.replace(model.recognition, iterations=0) if isinstance(model, PVRNN) else None
    variants = {"": model}
    if plain is not None:
        variants[".untouched"] = dataclasses.replace(model, recognition=plain)
    groups = _clusters(fitted, train, assessment.endings) if assessment.endings else None
    figures = {}
    for word, variant in variants.items():
        mean, _ = _foreseen(fitted, variant, start, seed)
        for seen in assessment.seen:
            told = mean[seen - 1][:, : time - seen]
            error = told - truth[:, seen:]
            figures[f"rest.rmse.m{seen}{word}"] = float(np.sqrt(np.nanmean(error**2)))
            if groups is not None:
                right = groups.predict(told[:, -1]) == groups.predict(truth[:, -1])
                figures[f"branch_correct.m{seen}{word}"] = float(right.mean())
    return figures


def _ends_and_paths(fitted: Fit, test: Recording) -> np.ndarray:
    """(sequences, time, channels) of sequences of one length."""
    prepared = fitted.prepared(test).recording
    values = prepared.signal(fitted.facts["signal"]).values
    return np.stack([values[part] for part in prepared.slices()])


def _clusters(fitted: Fit, train: Recording, count: int) -> Any:
    """Where the training sequences end, as so many clusters."""
    from sklearn.cluster import KMeans  # slow to import, and few recipes need it

    return KMeans(count, random_state=0).fit(_ends_and_paths(fitted, train)[:, -1])


def foreseen_beside(
    fitted: Fit, arms: Mapping[str, Any], train: Recording, test: Recording, assessment: Any, steps: Any, seed: int
) -> tuple[pd.DataFrame | None, dict[str, float]]:
    """Figures of other models on the same data: a table beside the fit, and all by flat names."""
    if not arms or not isinstance(fitted.model, Foresees):
        return None, {}
    found = {AS_WRITTEN: foreseen_figures(fitted, train, test, assessment, seed)}
    for name, arm in arms.items():
        other = fit(arm.model, arm.recording, steps, arm.engine, seed)
        found[name] = pattern_figures(other) | foreseen_figures(other, train, test, assessment, seed)
    rows = [
        {"model": name, **{key: v for key, v in own.items() if key.startswith(IN_TABLE)}} for name, own in found.items()
    ]
    flat = {f"{name}.{key}": v for name, own in found.items() if name != AS_WRITTEN for key, v in own.items()}
    return pd.DataFrame(rows), flat
