"""Standard errors against the inverse Hessian by automatic differentiation; numbers of parameters by counting."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent.models.hmmglm import HMMGLM, Bernoulli, Poisson, Ridge
from neurolatent.models.hmmglm.synthetic import synthetic_network
from neurolatent.precision import in_double
from neurolatent.recording import Recording


def logistic():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 2))
    y = (rng.random((80, 1)) < 0.6).astype(int)
    return Recording.of({"choice": y, "covariates": x}, kinds={"choice": "binary"}), x, y[:, 0]


@in_double
def test_errors_of_a_weighted_logistic_regression_are_those_of_its_hessian():
    recording, x, y = logistic()
    model = HMMGLM(2, family=Bernoulli(), prior=Ridge(sd=2.0))
    data = model.select(recording, for_training=True).data
    params = model.init(jax.random.key(0), data)
    smoothed = np.zeros((*data.y.shape[:2], 2))
    smoothed[0, :80] = np.random.default_rng(1).dirichlet([1, 1], 80)
    got = model.standard_errors(params, data, smoothed)
    for state in range(2):

        def objective(beta, state=state):
            eta = jnp.asarray(x) @ beta[:2] + beta[2]
            fit = (smoothed[0, :80, state] * (y * eta - jnp.logaddexp(0.0, eta))).sum()
            return fit - 0.5 * (beta**2).sum() / 4.0

        at = jnp.append(jnp.asarray(params.weights[state, 0]), params.bias[state, 0])
        wanted = np.sqrt(np.diag(np.linalg.inv(-jax.hessian(objective)(at))))
        np.testing.assert_allclose(np.append(got.weights[state, 0], got.bias[state, 0]), wanted, rtol=1e-6)
    assert np.isnan(got.transition).all()


@in_double
def test_a_shared_bias_has_one_error_and_zeros_have_none():
    recording = synthetic_network(0, n_states=2, n_neurons=3, n_trials=2, bins=60).recording
    model = HMMGLM(2, family=Poisson("sigmoid"), self_coupling="zero", bias="shared")
    data = model.select(recording, for_training=True).data
    params = model.init(jax.random.key(0), data)
    smoothed = np.full((*data.y.shape[:2], 2), 0.5)
    got = model.standard_errors(params, data, smoothed)
    np.testing.assert_allclose(got.bias[0], got.bias[1])
    assert np.isnan(got.weights[:, np.arange(3), np.arange(3)]).all()
    assert np.isfinite(got.weights[:, 0, 1:]).all()
    alone = replace(model, bias="state").standard_errors(params, data, smoothed)
    assert (got.bias < alone.bias).all()  # both states teach it


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, 3 + 2 * 3 + 2 * 9),
        ({"bias": "shared"}, 3 + 3 + 2 * 9),
        ({"learn_initial": False}, 2 + 2 * 3 + 2 * 9),
    ],
)
def test_parameters_are_counted(changes, wanted):
    network = synthetic_network(0, n_states=2, n_neurons=3, n_trials=2, bins=20)
    model = HMMGLM(2, self_coupling="none", **changes)
    params = network.params._replace(weights=np.ones((2, 3, 3)))
    assert model.n_parameters(params) == wanted
