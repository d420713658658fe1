"""The density against the sum over all paths of states and SciPy's densities; NumPyro's program against both."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer.util import log_density, potential_energy, unconstrain_fn

from neurolatent import precision
from neurolatent.models.arphmm import ARPHMM, ARPrior
from tests.models.arphmm import twin
from tests.models.arphmm.recordings import data_of, on_device

likelihood = jax.jit(ARPHMM.log_likelihood, static_argnums=0)

# order, features, sub-states, transitions, first rows, share of missing rows, share of zero plausibilities
CASES = {
    "gaussian": (ARPHMM(2, order=0, transitions="ergodic"), 1, 0.0, 0.0),
    "gaussian, gaps": (ARPHMM(3, order=0, transitions="ergodic"), 2, 0.3, 0.3),
    "one lag": (ARPHMM(3, order=1, transitions="ergodic"), 1, 0.0, 0.3),
    "one lag, padded": (ARPHMM(2, order=1, transitions="left_right", first="pad"), 2, 0.2, 0.0),
    "two lags": (ARPHMM(2, order=2, transitions="ergodic"), 2, 0.15, 0.3),
    "two lags, padded": (ARPHMM(2, order=2, transitions="bidiagonal", first="pad"), 1, 0.2, 0.0),
    "sub-states": (ARPHMM(2, order=1, transitions="bidiagonal", n_substates=2), 1, 0.2, 0.0),
    "sub-states, ergodic": (ARPHMM(2, order=2, transitions="ergodic", n_substates=2), 2, 0.0, 0.3),
    "skips": (ARPHMM(3, order=1, transitions="left_right_skip", skip=1), 1, 0.0, 0.0),
    "one state": (ARPHMM(1, order=1), 2, 0.2, 0.0),
}


@pytest.mark.parametrize(("model", "features", "missing", "zeros"), CASES.values(), ids=CASES)
def test_likelihood_is_the_sum_over_all_paths(model, features, missing, zeros):
    case = twin.random_case(3, model, [7, 4, 5], features, missing=missing, zeros=zeros)
    params = twin.random_params(4, model, features)
    with precision.double():
        got = likelihood(model, on_device(params), data_of(model, case))
        np.testing.assert_allclose(got, twin.log_likelihood(model, params, case), rtol=1e-10)


def sites_of(model, params, data):
    """The program's sites at exactly these parameters."""
    start = model.unconstrained_start(on_device(params), data)
    exact = {"initial": jnp.asarray(params.initial), "coefficients": jnp.asarray(params.coefficients)}
    for state in range(model.n_states):
        exact[f"transition_{state}"] = jnp.asarray(params.transition[state, model.allowed[state]])
    return {name: exact.get(name, value) for name, value in start.items()}


PROGRAMS = {
    **{f"covariance {c}": (ARPHMM(2, covariance=c, transitions="ergodic"), 2) for c in ("full", "diag", "tied")},
    "covariance spherical": (ARPHMM(2, covariance="spherical", transitions="ergodic"), 2),
    **{f"covariance {c}, one feature": (ARPHMM(2, covariance=c), 1) for c in ("full", "tied", "spherical")},
    **{f"transitions {t}": (ARPHMM(3, order=0, transitions=t), 1) for t in ("ergodic", "left_right", "bidiagonal")},
    "transitions left_right_skip": (ARPHMM(4, order=0, transitions="left_right_skip"), 1),
    "sub-states": (ARPHMM(2, n_substates=2), 1),
    "order 2": (ARPHMM(2, order=2, prior=ARPrior(own_lag=0.0, stay=3, first=2, extra_freedom=3.5)), 2),
    "one state": (ARPHMM(1), 1),
}


OFTEN = ("covariance full", "sub-states", "order 2")  # the rest, slow to compile, with the records


@pytest.mark.parametrize(
    ("model", "features"),
    [pytest.param(*case, id=n, marks=() if n in OFTEN else pytest.mark.record) for n, case in PROGRAMS.items()],
)
def test_program_has_the_density_of_the_engine_and_of_scipy(model, features):
    case = twin.random_case(5, model, [6, 5], features, missing=0.1, zeros=0.2 if model.n_states == 2 else 0.0)
    params = twin.random_params(6, model, features)
    with precision.double():
        data = data_of(model, case)
        got = jax.jit(lambda sites, data: log_density(model.numpyro_model, (data,), {}, sites)[0])(
            sites_of(model, params, data), data
        )
        own = likelihood(model, on_device(params), data).sum() + model.log_prior(on_device(params), data)
        truth = twin.log_likelihood(model, params, case).sum() + twin.log_prior(model, params, data.scale)
        np.testing.assert_allclose(own, truth, rtol=1e-10)
        np.testing.assert_allclose(got, truth, rtol=1e-10)


def test_prior_allows_a_zero_where_the_concentration_is_one():
    model = ARPHMM(3, transitions="left_right")
    case = twin.random_case(0, model, [6], 1)
    params = twin.random_params(1, model, 1)
    params.transition[0] = [0.6, 0.4, 0.0]
    with precision.double():
        data = data_of(model, case)
        params.transition[0, 2] = 0.0
        at_zero = model.log_prior(on_device(params), data)
        params.transition[0] = [0.6, 0.4 - 1e-9, 1e-9]
        np.testing.assert_allclose(at_zero, twin.log_prior(model, params, data.scale), rtol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "features", "missing"),
    [
        (ARPHMM(3, order=1, transitions="ergodic"), 2, 0.2),
        (ARPHMM(2, order=2, n_substates=2, covariance="diag"), 1, 0.0),
    ],
    ids=["ergodic", "sub-states"],
)
def test_gradient_of_the_potential_with_excluded_states(model, features, missing):
    case = twin.random_case(7, model, [12, 8], features, missing=missing, zeros=0.3 if model.n_substates == 1 else 0.0)
    params = twin.random_params(8, model, features)
    with precision.double():
        data = data_of(model, case)
        centre = unconstrain_fn(model.numpyro_model, (data,), {}, sites_of(model, params, data))
        centre = {k: v for k, v in centre.items() if k in sites_of(model, params, data)}
        flat, unravel = jax.flatten_util.ravel_pytree(centre)
        potential = jax.jit(lambda x: potential_energy(model.numpyro_model, (data,), {}, unravel(x)))
        slope = jax.jit(jax.grad(potential))(flat)
        assert np.isfinite(slope).all()
        step = 1e-5 * np.maximum(1.0, np.abs(flat))
        values = [(potential(flat.at[i].add(h)) - potential(flat.at[i].add(-h))) / (2 * h) for i, h in enumerate(step)]
        np.testing.assert_allclose(slope, values, rtol=1e-5, atol=1e-5)


@functools.cache
def informed():
    model = ARPHMM(3, order=1, transitions="ergodic")
    case = twin.random_case(9, model, [20, 14], 1, missing=0.1)
    return model, case, twin.random_params(10, model, 1)


def evidence(case: twin.Case) -> np.ndarray:
    model, _, params = informed()
    with precision.double():
        return np.asarray(likelihood(model, on_device(params), data_of(model, case)))


def test_scaling_a_row_of_plausibilities_adds_its_logarithm():
    model, case, params = informed()
    scaled = case._replace(weights=[w.copy() for w in case.weights])
    scaled.weights[0][5] *= 0.3
    np.testing.assert_allclose(evidence(scaled) - evidence(case), [np.log(0.3), 0.0], atol=1e-12)
    with precision.double():
        both = [model.posterior(on_device(params), data_of(model, c)).along_time for c in (case, scaled)]
        for name in ("filtered", "smoothed", "path", "predicted_mean", "predicted_sd"):
            np.testing.assert_allclose(both[0][name], both[1][name], atol=1e-12, equal_nan=True)


def test_plausibilities_below_one_lower_the_evidence_and_equal_ones_say_nothing():
    _, case, _ = informed()
    ignorant = case._replace(weights=[np.ones_like(w) for w in case.weights])
    equal = case._replace(weights=[np.full_like(w, 0.5) for w in case.weights])
    assert (evidence(case) <= evidence(ignorant)).all()
    modelled = np.array([len(y) - 1 for y in case.y])
    np.testing.assert_allclose(evidence(equal), evidence(ignorant) + modelled * np.log(0.5), rtol=1e-12)


def test_filter_ends_where_the_smoother_ends_and_agreement_is_the_cost_of_the_knowledge():
    model, case, params = informed()
    with precision.double():
        got = model.posterior(on_device(params), data_of(model, case))
        np.testing.assert_allclose(got.per_sequence["belief"], got.per_sequence["ends"], atol=1e-12)
        ignorant = case._replace(weights=[np.ones_like(w) for w in case.weights])
        cost = evidence(case) - evidence(ignorant)
        np.testing.assert_allclose(got.per_sequence["agreement"], cost, rtol=1e-10)
