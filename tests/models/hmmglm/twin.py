"""The HMM-GLM again, slowly: NumPy and SciPy only, loops over bins, and a list of all paths."""

import itertools
from typing import Any

import numpy as np
from scipy import stats

from neurolatent.models.hmmglm import (
    HMMGLM,
    Bernoulli,
    Categorical,
    Driven,
    Exponential,
    Gaussian,
    HMMGLMParams,
    Lapses,
    Learned,
    NoHistory,
    Poisson,
    RaisedCosine,
)
from neurolatent.recording import Recording

MODELS: dict[str, HMMGLM] = {
    "counts, softplus": HMMGLM(2, signal="signal", self_coupling="none"),
    "counts, own taps": HMMGLM(2, signal="signal", family=Poisson("exp"), history=Exponential(0.5, 3)),
    "counts, learned kernel": HMMGLM(2, signal="signal", family=Poisson("sigmoid"), history=Learned(3)),
    "counts, bumps": HMMGLM(2, signal="signal", history=RaisedCosine(2, 4), self_coupling="shared", bias="shared"),
    "choices": HMMGLM(2, signal="choice", family=Bernoulli(), covariates="covariates"),
    "choices, lapses": HMMGLM(2, signal="choice", family=Bernoulli(), covariates="covariates", lapses=Lapses()),
    "choices, three classes": HMMGLM(2, signal="choice", family=Categorical(3), covariates="covariates"),
    "choices, driven": HMMGLM(2, signal="choice", family=Bernoulli(), covariates="covariates", driven=Driven()),
    "values": HMMGLM(2, signal="signal", family=Gaussian(), history=NoHistory(), covariates="covariates"),
}
TARGETS = {"choices, three classes": 2}


def random_params(name: str, seed: int = 0) -> HMMGLMParams:
    """Parameters under which the states differ and nothing explodes."""
    model, rng = MODELS[name], np.random.default_rng(seed)
    targets = TARGETS.get(name, 1 if model.is_choice else 2)
    functions = 1 if model.learns_kernel else model.kernel.basis().shape[1]
    columns = functions * targets + (2 if model.covariates else 0)
    weights = 0.4 * rng.normal(size=(2, targets, columns))
    if model.kernel.length and model.self_coupling != "none":
        for j, n in itertools.product(range(functions), range(targets)):
            weights[:, n, j * targets + n] = 0.0
    none, bias, taps = np.zeros(0), rng.normal(size=(2, targets)), rng.normal(size=(2, targets, model.kernel.length))
    bias, taps = bias - 1.0, 0.2 * taps - 0.2
    if model.bias == "shared":
        bias = np.tile(bias[:1], (2, 1))
    if model.self_coupling == "shared":
        taps = np.tile(taps[:1], (2, 1, 1))
    return HMMGLMParams(
        initial=np.array([0.3, 0.7]),
        transition=np.array([[0.9, 0.1], [0.2, 0.8]]),
        weights=weights,
        bias=bias,
        taps=taps if model.has_own_lags else none,
        noise=rng.uniform(0.5, 1.0, (2, targets)) if model.has_noise else none,
        kernel=rng.dirichlet(np.ones(model.kernel.length)) if model.learns_kernel else none,
        centre=none,
        spread=none,
        connectome=none,
        types=none,
        strength=none,
        lapse=np.array([[0.05, 0.1], [0.02, 0.2]]) if model.lapses else none,
        drive=rng.normal(size=(2, 2)) if model.driven else none,
    )


def linear(model: HMMGLM, params: HMMGLMParams, y: np.ndarray, u: np.ndarray, time: int) -> np.ndarray:
    """(states, targets) linear predictors of one bin, lag by lag."""
    targets = params.bias.shape[1]
    columns: list[float] = []
    functions = params.kernel[:, None] if model.learns_kernel else model.kernel.basis()
    for j in range(functions.shape[1]):
        for n in range(targets):
            past = [functions[k, j] * y[time - 1 - k, n] for k in range(len(functions)) if time - 1 - k >= 0]
            columns.append(sum(past))
    x = np.array([*columns, *u[time]]) if model.covariates else np.array(columns)
    eta = params.bias + params.weights @ x if x.size else params.bias.copy()
    if model.has_own_lags:
        for k in range(model.kernel.length):
            if time - 1 - k >= 0:
                eta = eta + params.taps[:, :, k] * y[time - 1 - k]
    return eta


def log_emission(model: HMMGLM, params: HMMGLMParams, y: np.ndarray, u: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(time, states) log densities; ``y`` holds 0 where nothing was seen, for choices the label."""
    out = np.zeros((len(y), 2))
    for time in np.flatnonzero(seen):
        eta = linear(model, params, y, u, int(time))
        for state in range(2):
            out[time, state] = _one(model, params, eta[state], y[time], state)
    return out


def _one(model: HMMGLM, params: HMMGLMParams, eta: np.ndarray, y: np.ndarray, state: int) -> float:
    family: Any = model.family
    if isinstance(family, Poisson):
        mean = {"softplus": np.log1p(np.exp(eta)), "exp": np.exp(eta), "sigmoid": 1 / (1 + np.exp(-eta))}
        return stats.poisson(mean[family.nonlinearity]).logpmf(y).sum()
    if isinstance(family, Gaussian):
        return stats.norm(eta, params.noise[state]).logpdf(y).sum()
    if isinstance(family, Categorical):
        weight = np.exp(np.append(0.0, eta))
        return np.log(weight[int(y[0])] / weight.sum())
    p = 1 / (1 + np.exp(-eta[0]))
    if model.lapses:
        g, low = params.lapse[state]
        p = g + (1 - g - low) * p
    return np.log(p if y[0] else 1 - p)


def all_paths(
    model: HMMGLM, params: HMMGLMParams, emission: np.ndarray, inputs: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log evidence, smoothed probabilities and the most probable path, from the list of all paths."""
    time = len(emission)
    paths = np.array(list(itertools.product(range(2), repeat=time)))
    scores = np.log(params.initial)[paths[:, 0]] + emission[np.arange(time), paths].sum(axis=1)
    for t in range(1, time):
        moves = np.log(params.transition)
        if model.driven:
            moves = moves + params.drive @ inputs[t]
            moves = moves - np.log(np.exp(moves).sum(axis=1, keepdims=True))
        scores += moves[paths[:, t - 1], paths[:, t]]
    weight = np.exp(scores - scores.max())
    smoothed = np.stack([(weight[:, None] * (paths == k)).sum(axis=0) for k in range(2)], axis=1) / weight.sum()
    return scores.max() + np.log(weight.sum()), smoothed, paths[np.argmax(scores)]


def parts_of(model: HMMGLM, recording: Recording, number: int) -> tuple[np.ndarray, ...]:
    """Targets, covariates, inputs and what was seen, of one sequence."""
    rows = recording.slices()[number]
    signal = recording.signal(model.signal_of(recording))
    seen = signal.observed[rows].all(axis=1)
    u = recording.signal("covariates").values[rows] if "covariates" in recording.signals else np.zeros((len(seen), 0))
    inputs = recording.signal("inputs").values[rows] if "inputs" in recording.signals else np.zeros((len(seen), 0))
    return signal.filled()[rows], u, inputs, seen
