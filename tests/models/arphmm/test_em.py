"""EM: never falls, its update is a stationary point, and its special cases are the methods that they should be."""

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurolatent import precision
from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from tests.models.arphmm import twin
from tests.models.arphmm.recordings import data_of, on_device


@functools.partial(jax.jit, static_argnums=(0, 3))
def iterate(model: ARPHMM, params: ARPHMMParams, data, use_prior: bool):
    def step(params, _):
        out = model.em_step(params, data, use_prior=use_prior)
        return out.params, out.objective

    return jax.lax.scan(step, params, length=6)


@functools.partial(jax.jit, static_argnums=(0, 3))
def update(model: ARPHMM, params: ARPHMMParams, data, use_prior: bool):
    return model.em_step(params, data, use_prior=use_prior)


BOTH = {
    "full": (ARPHMM(3, transitions="ergodic", ridge=0, floor=0), True),
    "full, likelihood": (ARPHMM(3, transitions="ergodic", ridge=0, floor=0), False),
    "tied": (ARPHMM(2, covariance="tied"), True),
    "tied, likelihood": (ARPHMM(2, covariance="tied", transitions="ergodic", ridge=0, floor=0), False),
    "diag, sub-states": (ARPHMM(2, covariance="diag", n_substates=2), True),
    "spherical, padded": (ARPHMM(2, covariance="spherical", order=2, first="pad"), True),
}


OFTEN = ("full", "diag, sub-states", "tied, likelihood")  # the rest, slow to compile, with the records


@pytest.mark.parametrize(
    ("model", "use_prior"),
    [pytest.param(*case, id=n, marks=() if n in OFTEN else pytest.mark.record) for n, case in BOTH.items()],
)
def test_objective_never_falls(model, use_prior):
    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1.0, 1e4]), st.sampled_from([0.0, 1e3]))
    def rises(seed, unit, level):
        zeros = 0.2 if model.transitions == "ergodic" else 0.0
        case = twin.random_case(seed, model, [40, 31], 2, missing=0.1, zeros=zeros)
        case = case._replace(y=[unit * (y + level) for y in case.y])
        with precision.double():
            data = data_of(model, case)
            start = model.init(jax.random.key(seed), data, start="random")
            _, objective = iterate(model, on_device(start), data, use_prior)
            objective = np.asarray(objective)
        if not use_prior:  # a state may close in on too few samples, where the likelihood has no bound
            objective = objective[np.isfinite(objective)]
        assert np.isfinite(objective).all()
        assert (np.diff(objective) >= -1e-8 * np.abs(objective[:-1])).all()

    rises()


def complete_data_log_posterior(model: ARPHMM, former: ARPHMMParams, case: twin.Case, scale) -> Callable:
    """Q(new | former): the expectation over all paths of the log joint of data and states, plus the log prior."""
    parts = twin.expectations(model, former, case)
    r = model.n_substates

    def value(new: ARPHMMParams, *, use_prior: bool) -> float:
        initial, transition = twin.expanded(new, r)
        with np.errstate(divide="ignore"):
            log_initial, log_transition = np.log(initial), np.log(transition)
        total = twin.log_prior(model, new, scale) if use_prior else 0.0
        for paths, probability, steps in parts:
            keep = probability > 0
            paths, probability = paths[keep], probability[keep]
            scores = log_initial[paths[:, 0]] + log_transition[paths[:, :-1], paths[:, 1:]].sum(axis=1)
            emission = np.array([[twin.log_density(s, new, k) for k in range(model.n_states)] for s in steps])
            scores = scores + emission[np.arange(len(steps)), paths // r].sum(axis=1)
            total += probability @ scores
        return total

    return value


def tilted(p: np.ndarray, at: int, h: float) -> np.ndarray:
    q = p.copy()
    q[at] *= np.exp(h)
    return q / q.sum()


def with_row(model: ARPHMM, params: ARPHMMParams, state: int, row: np.ndarray) -> ARPHMMParams:
    transition = params.transition.copy()
    transition[state] = row
    advance = np.where(model.terminal, params.advance, 1 - np.diag(transition))
    return params._replace(transition=transition, advance=advance)


def nudges(model: ARPHMM, params: ARPHMMParams) -> Iterator[Callable[[float], ARPHMMParams]]:
    """Every free direction in which the parameters can be moved, as functions of how far."""
    for state, other in np.argwhere(model.allowed):
        yield lambda h, k=other: params._replace(initial=tilted(params.initial, k, h))
        yield lambda h, k=state, j=other: with_row(model, params, k, tilted(params.transition[k], j, h))
    for name, change in changes(model, params):
        yield lambda h, n=name, c=change: params._replace(**{n: getattr(params, n) + h * c})


def changes(model: ARPHMM, params: ARPHMMParams) -> Iterator[tuple[str, np.ndarray]]:
    k, d, _ = params.coefficients.shape
    if model.n_substates > 1:
        for state in np.flatnonzero(model.terminal):
            yield "advance", np.eye(k)[state]
    for flat in np.eye(params.coefficients.size):
        yield "coefficients", flat.reshape(params.coefficients.shape)
    unit = np.eye(d)
    pairs = [(i, j) for i in range(d) for j in range(i + 1) if i == j or model.covariance in ("full", "tied")]
    shapes = [np.outer(unit[i], unit[j]) + np.outer(unit[j], unit[i]) for i, j in pairs]
    shapes = [unit] if model.covariance == "spherical" else shapes
    for states in np.ones((1, k)) if model.covariance == "tied" else np.eye(k):
        for shape in shapes:
            yield "covariance", states[:, None, None] * shape


UPDATES = {
    **{f"{c}, prior": (ARPHMM(2, covariance=c, transitions="ergodic"), 2, True) for c in ("full", "diag")},
    **{f"{c}, prior": (ARPHMM(2, covariance=c, transitions="ergodic"), 2, True) for c in ("tied", "spherical")},
    "sub-states, prior": (ARPHMM(2, n_substates=2), 1, True),
    "sub-states, ergodic, prior": (ARPHMM(2, n_substates=2, order=0, transitions="ergodic"), 1, True),
    "left-right, prior": (ARPHMM(3, transitions="left_right"), 1, True),
    **{
        f"{c}, likelihood": (ARPHMM(2, order=0, covariance=c, transitions="ergodic", ridge=0, floor=0), 2, False)
        for c in ("full", "tied", "spherical")
    },
    "sub-states, likelihood": (ARPHMM(2, order=0, n_substates=2, ridge=0, floor=0), 1, False),
}
OFTEN_UPDATED = ("full, prior", "sub-states, prior", "left-right, prior", "tied, likelihood")


@pytest.mark.parametrize(
    ("model", "features", "use_prior"),
    [pytest.param(*case, id=n, marks=() if n in OFTEN_UPDATED else pytest.mark.record) for n, case in UPDATES.items()],
)
def test_update_is_a_stationary_point(model, features, use_prior):
    lengths = [5, 4] if model.n_substates > 1 else [8, 7, 6]
    case = twin.random_case(1, model, lengths, features, missing=0.1)
    if not use_prior:  # enough samples that no state is starved
        lengths = [6] * 8 if model.n_substates > 1 else [9] * 4
        case = twin.random_case(2, model, lengths, features)
    former = twin.random_params(3, model, features)
    with precision.double():
        data = data_of(model, case)
        step = update(model, on_device(former), data, use_prior)
        assert use_prior or not np.asarray(step.starved).any()
        new = ARPHMMParams(*(np.array(leaf) for leaf in step.params))
        scale = jax.device_get(data.scale)
    expected = functools.partial(complete_data_log_posterior(model, former, case, scale), use_prior=use_prior)
    centre = expected(new)
    for move in nudges(model, new):
        h = 1e-4
        slope, bend = (expected(move(h)) - expected(move(-h))) / (2 * h), expected(move(h)) + expected(move(-h))
        assert abs(slope) < 2e-5 * max(1.0, abs(bend - 2 * centre) / h**2)
        assert bend <= 2 * centre + 1e-9


def test_a_starved_state_keeps_its_regression_and_is_named():
    model = ARPHMM(2, transitions="ergodic", ridge=0, floor=0)
    case = twin.random_case(4, model, [30], 1)
    case.weights[0][3:, 1] = 0.0
    former = twin.random_params(5, model, 1)
    with precision.double():
        step = update(model, on_device(former), data_of(model, case), False)
        np.testing.assert_array_equal(step.starved, [False, True])
        np.testing.assert_array_equal(step.params.coefficients[1], former.coefficients[1])
        np.testing.assert_array_equal(step.params.covariance[1], former.covariance[1])
        assert np.abs(np.asarray(step.params.coefficients[0]) - former.coefficients[0]).max() > 1e-3


def test_a_level_far_above_the_noise_costs_no_digits():
    model = ARPHMM(1, order=1, ridge=0, floor=0)
    rng = np.random.default_rng(0)
    y = [1e3 + rng.normal(scale=0.01, size=(200, 1))]
    case = twin.Case(y, [np.ones((200, 1))])
    with precision.double():
        got = update(model, on_device(twin.random_params(0, model, 1)), data_of(model, case), False).params
    z = np.c_[y[0][:-1] - 1e3, np.ones(199)]
    residual = y[0][1:] - 1e3 - z @ np.linalg.lstsq(z, y[0][1:] - 1e3, rcond=None)[0]
    np.testing.assert_allclose(got.covariance[0, 0, 0], np.mean(residual**2), rtol=1e-6)


def test_labels_everywhere_give_counts_and_least_squares():
    model = ARPHMM(2, transitions="ergodic", order=2, ridge=0, floor=0)
    rng = np.random.default_rng(6)
    states = [rng.integers(0, 2, 60), rng.integers(0, 2, 50)]
    case = twin.random_case(7, model, [60, 50], 2)._replace(weights=[np.eye(2)[s] for s in states])
    with precision.double():
        step = update(model, on_device(twin.random_params(8, model, 2)), data_of(model, case), False)
        got = jax.device_get(step.params)
    steps = [twin.modelled_steps(y, w, 2, "condition") for y, w in zip(case.y, case.weights, strict=True)]
    counts = np.zeros((2, 2))
    for s in states:
        np.add.at(counts, (s[2:-1], s[3:]), 1)
    np.testing.assert_allclose(got.transition, counts / counts.sum(axis=1, keepdims=True), rtol=1e-10)
    np.testing.assert_allclose(got.initial, np.mean([np.eye(2)[s[2]] for s in states], axis=0), atol=1e-12)
    for k in range(2):
        rows = [
            s
            for part, label in zip(steps, states, strict=True)
            for s, at in zip(part, label[2:], strict=True)
            if at == k
        ]
        y, z = np.array([s.y for s in rows]), np.array([s.z for s in rows])
        want = np.linalg.lstsq(z, y, rcond=None)[0].T
        np.testing.assert_allclose(got.coefficients[k], want, rtol=1e-8, atol=1e-10)
        residual = y - z @ want.T
        np.testing.assert_allclose(got.covariance[k], residual.T @ residual / len(rows), rtol=1e-8)


@pytest.mark.filterwarnings("ignore")
def test_ignorance_is_the_autoregressive_hmm_of_dynamax():
    from dynamax.hidden_markov_model import LinearAutoregressiveHMM

    model = ARPHMM(3, order=2, transitions="ergodic")
    case = twin.random_case(9, model, [60], 2)._replace(weights=[np.ones((60, 3))])
    params = twin.random_params(10, model, 2)
    with precision.double():
        got = model.log_likelihood(on_device(params), data_of(model, case))
        peer = LinearAutoregressiveHMM(3, 2, num_lags=2)
        theirs, _ = peer.initialize(
            initial_probs=jnp.asarray(params.initial),
            transition_matrix=jnp.asarray(params.transition),
            emission_weights=jnp.asarray(params.coefficients[:, :, :-1]),
            emission_biases=jnp.asarray(params.coefficients[:, :, -1]),
            emission_covariances=jnp.asarray(params.covariance),
        )
        y = jnp.asarray(case.y[0])
        inputs = peer.compute_inputs(y)
        want = peer.marginal_log_prob(theirs, y[2:], inputs[2:])
    np.testing.assert_allclose(got[0], want, rtol=1e-6)


def test_no_lags_are_the_gaussian_hmm_of_hmmlearn():
    from hmmlearn.hmm import GaussianHMM

    model = ARPHMM(3, order=0, transitions="ergodic")
    case = twin.random_case(11, model, [40, 25], 2)
    case = case._replace(weights=[np.ones_like(w) for w in case.weights])
    params = twin.random_params(12, model, 2)
    peer = GaussianHMM(3, covariance_type="full")
    peer.startprob_, peer.transmat_ = params.initial, params.transition
    peer.means_, peer.covars_ = params.coefficients[:, :, 0], params.covariance
    with precision.double():
        got = model.log_likelihood(on_device(params), data_of(model, case))
    np.testing.assert_allclose(np.asarray(got).sum(), peer.score(np.concatenate(case.y), [40, 25]), rtol=1e-10)


def test_one_state_is_the_vector_autoregression_of_statsmodels():
    from statsmodels.tsa.api import VAR

    model = ARPHMM(1, order=2, ridge=0, floor=0)
    case = twin.random_case(13, model, [80], 2)
    with precision.double():
        got = update(model, on_device(twin.random_params(14, model, 2)), data_of(model, case), False).params
    peer = VAR(case.y[0]).fit(2, trend="c")  # rows: intercept, lag 1, lag 2
    np.testing.assert_allclose(got.coefficients[0, :, -1], peer.params[0], rtol=1e-8)
    np.testing.assert_allclose(got.coefficients[0, :, :-1], peer.params[1:].T, rtol=1e-8)
    np.testing.assert_allclose(got.covariance[0], peer.sigma_u_mle, rtol=1e-8)
