"""Figures of a fit on a recording that it has not seen and whose truth is known."""

import numpy as np

from neurolatent.checks import InputError, place
from neurolatent.ops.metrics import adjusted_rand, contingency, matched_accuracy
from neurolatent.prognostics.absorption import remaining_life
from neurolatent.prognostics.scores import life_scores
from neurolatent.recording import Recording
from neurolatent.result import Fit


def state_figures(fit: Fit, recording: Recording) -> dict[str, float]:
    """Agreement of the most probable path with the signal ``state``; nothing where there is no such signal.

    ``states.agreement`` is the adjusted Rand index, ``states.accuracy`` the share of samples after the best matching of
    labels.
    """
    if "state" not in recording.signals:
        return {}
    latents = fit.predict(recording)
    answered = recording.take([str(s) for s in latents["sequence"].values])
    signal, path = answered.signal("state"), latents["path"].values
    known = (path >= 0) & signal.observed[:, 0]
    truth = signal.values[known, 0].astype(int)
    table = contingency(path[known], truth, fit.model.n_states, int(truth.max(initial=0)) + 1)
    return {"states.agreement": adjusted_rand(table), "states.accuracy": matched_accuracy(table)}


def forecast_figures(fit: Fit, recording: Recording, horizon: int, seed: int) -> dict[str, float]:
    """``forecast.rmse``: the last ``horizon`` samples against the mean forecast from those before."""
    signal = recording.signal(fit.facts["signal"])
    past = recording.cut(0, recording.lengths - horizon)
    forecast = fit.forecast(past, horizon, seed=seed, n_paths=400)
    names = [str(n) for n in forecast["feature"].values]
    columns = [signal.names.index(n) for n in names] if set(names) <= set(signal.names) else slice(None)
    parts = dict(zip(recording.ids, recording.slices(), strict=True))
    future = np.stack([signal.values[parts[str(s)], columns][-horizon:] for s in forecast["sequence"].values])
    return {"forecast.rmse": float(np.sqrt(np.nanmean((forecast["mean"].values - future) ** 2)))}


def refuse_horizon(recording: Recording, signal: str, horizon: int, shortest: int, where: str) -> None:
    """Refuse a horizon that leaves too little of some sequence, or a signal that only the preparation makes."""
    if signal not in recording.signals:
        raise InputError(
            f"{where}: forecasts are measured on signals of the data, but {signal!r} is made by the preparation. "
            "Leave horizon out."
        )
    short = np.flatnonzero(recording.lengths < horizon + shortest)
    if len(short):
        raise InputError(
            f"{place(where, f'sequence {recording.ids[short[0]]}')}: {recording.lengths[short[0]]} samples are too few "
            f"for a horizon of {horizon}. Lower it, or leave the sequence out with take."
        )


def given_units_figures(fit: Fit, recording: Recording) -> dict[str, float]:
    """Scores of the remaining life of running units whose truth is given in the column ``remaining``.

    Nothing where no truth is given, or where no training unit is known to have failed.
    """
    if "remaining" not in recording.sequences or not any(fit.facts.get("failed") or ()):
        return {}
    latents = fit.predict(recording)
    median = dict(zip(map(str, latents["sequence"].values), remaining_life(fit, latents, (0.5,))[0], strict=True))
    truth = recording.sequences["remaining"].to_numpy(float) / recording.bin_width
    keep = [n for n, name in enumerate(recording.ids) if name in median and np.isfinite(truth[n])]
    if not keep:
        return {}
    scores = life_scores(np.array([median[recording.ids[n]] for n in keep]), truth[keep])
    return {f"test.rul.absorption.{name}": value for name, value in scores.items()}
