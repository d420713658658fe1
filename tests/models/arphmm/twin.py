"""The model once more, slowly and obviously: NumPy and SciPy, every path of states listed."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.models.arphmm.structure import allowed_transitions


class Case(NamedTuple):
    """Sequences (time, features) with NaN where nothing was observed, and plausibilities (time, states) of each."""

    y: list[np.ndarray]
    weights: list[np.ndarray]

    @property
    def flat_weights(self) -> np.ndarray:
        return np.concatenate(self.weights)


def random_case(
    seed: int, model: ARPHMM, lengths: Sequence[int], features: int, *, missing: float = 0.0, zeros: float = 0.0
) -> Case:
    """Random walks with gaps, and random plausibilities; no row excludes all states."""
    rng = np.random.default_rng(seed)
    y = [np.cumsum(rng.normal(size=(n, features)), axis=0) for n in lengths]
    for part in y:
        part[rng.random(len(part)) < missing] = np.nan
    weights = []
    for n in lengths:
        w = rng.uniform(0.05, 1.0, size=(n, model.n_states)) * (rng.random((n, model.n_states)) >= zeros)
        w[w.max(axis=1) == 0] = 1.0
        weights.append(w)
    return Case(y, weights)


def random_params(seed: int, model: ARPHMM, features: int) -> ARPHMMParams:
    """Parameters that respect the model's transitions and its covariance structure."""
    rng = np.random.default_rng(seed)
    k, allowed = model.n_states, allowed_transitions(model.transitions, model.n_states, model.skip)
    transition = rng.dirichlet(np.ones(k), k) * allowed + 0.2 * np.eye(k)
    transition /= transition.sum(axis=1, keepdims=True)
    advance = np.where(allowed.sum(axis=1) == 1, rng.uniform(0.2, 0.8, k), 1 - np.diag(transition))
    root = rng.normal(size=(k, features, features))
    covariance = root @ np.swapaxes(root, 1, 2) + 0.5 * np.eye(features)
    if model.covariance == "tied":
        covariance[:] = covariance[0]
    elif model.covariance == "diag":
        covariance = covariance * np.eye(features)
    elif model.covariance == "spherical":
        covariance = covariance[:, :1, :1] * np.eye(features)
    coefficients = rng.normal(scale=0.5, size=(k, features, features * model.order + 1))
    return ARPHMMParams(rng.dirichlet(np.ones(k)), transition, advance, coefficients, covariance)


class Step(NamedTuple):
    y: np.ndarray
    z: np.ndarray
    usable: bool
    weight: np.ndarray


def modelled_steps(y: np.ndarray, weights: np.ndarray, order: int, first: str) -> list[Step]:
    steps = []
    for t in range(order if first == "condition" else 0, len(y)):
        lags = [y[t - lag] if t >= lag else np.zeros(y.shape[1]) for lag in range(1, order + 1)]
        z = np.concatenate([*lags, [1.0]])
        steps.append(Step(y[t], z, bool(np.isfinite(y[t]).all() and np.isfinite(z).all()), weights[t]))
    return steps


def log_density(step: Step, params: ARPHMMParams, state: int) -> float:
    if not step.usable:
        return 0.0
    mean = params.coefficients[state] @ step.z
    return float(stats.multivariate_normal(mean, params.covariance[state]).logpdf(step.y))


def expanded(params: ARPHMMParams, n_substates: int) -> tuple[np.ndarray, np.ndarray]:
    """Initial and transition probabilities over (state, sub-state), entry by entry."""
    k, r = len(params.initial), n_substates
    initial, transition = np.zeros(k * r), np.zeros((k * r, k * r))
    for state in range(k):
        initial[state * r] = params.initial[state]
        for part in range(r - 1):
            transition[state * r + part, state * r + part] = 1 - params.advance[state]
            transition[state * r + part, state * r + part + 1] = params.advance[state]
        last = state * r + r - 1
        for other in range(k):
            target = last if other == state else other * r
            transition[last, target] += params.transition[state, other]
    return initial, transition


def path_scores(params: ARPHMMParams, steps: list[Step], n_substates: int) -> tuple[np.ndarray, np.ndarray]:
    """All paths over the expanded chain, and log p(y, s) + log w(s) of each."""
    initial, transition = expanded(params, n_substates)
    with np.errstate(divide="ignore"):
        log_initial, log_transition = np.log(initial), np.log(transition)
        emission = np.array(
            [
                [
                    log_density(s, params, place // n_substates) + np.log(s.weight[place // n_substates])
                    for place in range(len(initial))
                ]
                for s in steps
            ]
        )
    paths = np.array(list(itertools.product(range(len(initial)), repeat=len(steps))))
    scores = log_initial[paths[:, 0]] + emission[np.arange(len(steps)), paths].sum(axis=1)
    scores = scores + log_transition[paths[:, :-1], paths[:, 1:]].sum(axis=1)
    return paths, scores


def log_likelihood(model: ARPHMM, params: ARPHMMParams, case: Case) -> np.ndarray:
    """Weighted log likelihood of each sequence."""
    out = []
    for y, w in zip(case.y, case.weights, strict=True):
        scores = path_scores(params, modelled_steps(y, w, model.order, model.first), model.n_substates)[1]
        out.append(np.logaddexp.reduce(scores))
    return np.array(out)


def log_prior(model: ARPHMM, params: ARPHMMParams, scale: Any) -> float:
    """Conjugate prior with SciPy's densities, the hyper-parameters rebuilt from their description."""
    prior, k = model.prior, model.n_states
    features = len(scale.residual)
    is_ordered = model.transitions != "ergodic"
    stay = prior.stay if prior.stay is not None else (50.0 if is_ordered else 1.0)
    first = prior.first if prior.first is not None else (10.0 if is_ordered else 1.0)
    total = 0.0
    if k > 1:
        total += stats.dirichlet(np.r_[first, np.ones(k - 1)]).logpdf(params.initial)
    for state in range(k):
        keep = np.flatnonzero(model.allowed[state])
        if len(keep) > 1:
            total += stats.dirichlet(np.where(keep == state, stay, 1.0)).logpdf(params.transition[state, keep])
    freedom = features + prior.extra_freedom
    scatter = (prior.extra_freedom - 1) * np.diag(scale.residual)
    noise = np.sqrt(scale.residual)
    sd = [prior.lag_spread / (lag * n) for lag in range(1, model.order + 1) for n in noise]
    sd.append(prior.level_spread * np.mean(scale.spread / noise))
    mean = np.zeros((features, len(sd)))
    if model.order:
        mean[:, :features] = prior.own_lag * np.eye(features)
    for state in range(k):
        sigma = params.covariance[state]
        total += stats.matrix_normal(mean, sigma, np.diag(np.square(sd))).logpdf(params.coefficients[state])
        if state and model.covariance == "tied":
            continue
        if model.covariance in ("full", "tied"):
            total += stats.invwishart(freedom, scatter).logpdf(sigma)
            continue
        shape, rates = (freedom - features + 1) / 2, np.diag(scatter) / 2
        if model.covariance == "spherical":
            total += stats.invgamma(shape, scale=rates.mean()).logpdf(sigma[0, 0])
        else:
            total += stats.invgamma(shape, scale=rates).logpdf(np.diag(sigma)).sum()
    return float(total)


def expectations(model: ARPHMM, params: ARPHMMParams, case: Case) -> list[tuple[np.ndarray, np.ndarray, list[Step]]]:
    """Per sequence: every path over the expanded chain, its posterior probability, and the steps."""
    out = []
    for y, w in zip(case.y, case.weights, strict=True):
        steps = modelled_steps(y, w, model.order, model.first)
        paths, scores = path_scores(params, steps, model.n_substates)
        out.append((paths, np.exp(scores - np.logaddexp.reduce(scores)), steps))
    return out
