"""EM of every variant: it never falls, its priors are those of the program, and one state is a plain GLM."""

import functools
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer.util import log_density
from sklearn.linear_model import LogisticRegression, PoissonRegressor

from neurolatent import precision
from neurolatent.choices import EM, Run
from neurolatent.engines import em
from neurolatent.engines.trained import Trained
from neurolatent.models.hmmglm import (
    HMMGLM,
    Bernoulli,
    Categorical,
    Exponential,
    Hierarchical,
    HMMGLMParams,
    Horseshoe,
    NoHistory,
    OneHot,
    Poisson,
    Ridge,
    SpikeSlab,
)
from neurolatent.models.hmmglm.layout import free_weights
from neurolatent.models.hmmglm.onehot import concrete_log_density
from neurolatent.models.hmmglm.rows import grams
from neurolatent.recording import Recording
from tests.models.hmmglm import twin

QUICK = OneHot(first_steps=3, annealing_steps=4, gradient_steps=3)
PRIORS = {
    "hierarchical": HMMGLM(2, self_coupling="none", prior=Hierarchical(learn_sd=True)),
    "hierarchical, fixed": HMMGLM(2, self_coupling="zero", prior=Hierarchical()),
    "one-hot": HMMGLM(2, prior=QUICK),
    "shared bias": HMMGLM(2, self_coupling="none", bias="shared"),
}


@functools.cache
def recording(name: str) -> Recording:
    """Two sequences with a gap, drawn from the variant."""
    model = twin.MODELS.get(name) or twin.MODELS["counts, softplus"]
    params = twin.random_params(name if name in twin.MODELS else "counts, softplus")
    made = model.simulate(params, jax.random.key(3), (150, 90))
    signal = made.signal(model.signal_of(made))
    keep = np.ones(signal.values.shape, bool)
    keep[40:44] = False
    return made.with_signal(model.signal_of(made), signal.masked(keep))


def trained(model: HMMGLM, made: Recording, settings: EM | None = None) -> tuple[Trained, Any]:
    with precision.double():
        data = model.select(made, for_training=True).data
        settings = settings or EM(steps=25, tolerance=0.0, restarts=1)
        return em.run(settings, model, data, jax.random.key(0), options=Run(), identity={}), data


OFTEN = (
    "counts, own taps",
    "choices, lapses",
    "shared bias",
    "hierarchical",
    "one-hot",
)  # the rest, slow to compile, with the records


def now_and_then(names: Iterable[str]) -> list:
    """The cases, those that are not run often marked for the records."""
    return [pytest.param(name, marks=() if name in OFTEN else pytest.mark.record) for name in names]


@pytest.mark.parametrize("name", now_and_then([*twin.MODELS, *PRIORS]))
def test_em_never_falls_and_ends_in_states_that_sum_to_one(name):
    model = twin.MODELS.get(name) or PRIORS[name]
    out, data = trained(model, recording(name))
    objective = out.trace["objective"][0, model.settling :]
    assert np.diff(objective).min() > -1e-8 * np.abs(objective).max()
    assert objective[-1] > objective[0]
    with precision.double():
        total = float(np.sum(model.log_likelihood(out.params, data)) + model.log_prior(out.params, data))
    assert total >= objective[-1] - 1e-6  # the last update is not evaluated by EM itself
    np.testing.assert_allclose(out.params.transition.sum(axis=1), 1.0)
    if model.bias == "shared":
        np.testing.assert_allclose(out.params.bias[0], out.params.bias[1])
    if model.self_coupling == "shared":
        np.testing.assert_allclose(out.params.taps[0], out.params.taps[1])


def test_at_the_optimum_the_shared_bias_has_no_slope():
    model = PRIORS["shared bias"]
    out, data = trained(model, recording("shared bias"), EM(steps=200, tolerance=1e-13, restarts=1))

    def objective(bias: Any) -> Any:
        params = out.params._replace(bias=jnp.broadcast_to(bias, out.params.bias.shape))
        return model.log_likelihood(params, data).sum() + model.log_prior(params, data)

    with precision.double():
        slope = jax.grad(objective)(jnp.asarray(out.params.bias[0]))
    np.testing.assert_allclose(slope, 0.0, atol=2e-2)


@pytest.mark.parametrize("name", now_and_then([*twin.MODELS, "hierarchical", "shared bias", "horseshoe", "spike-slab"]))
def test_the_program_has_the_density_of_em(name):
    others = {"horseshoe": Horseshoe(), "spike-slab": SpikeSlab()}
    model = twin.MODELS.get(name) or PRIORS.get(name) or HMMGLM(2, prior=others[name])
    with precision.double():
        data = model.select(recording(name), for_training=True).data
        params = model.init(jax.random.key(1), data)
        data = jax.tree.map(jnp.asarray, data)
        total, trace = log_density(model.numpyro_model, (data,), {}, model.unconstrained_start(params, data))
        found = HMMGLMParams(*(trace[field]["value"] for field in HMMGLMParams._fields))
        evidence = model.log_likelihood(found, data).sum()
        if name in others:  # EM's start has another prior: compare what the program shares with it
            np.testing.assert_allclose(trace["hmmglm"]["fn"].log_factor, evidence, rtol=1e-10)
            np.testing.assert_allclose(found.weights, params.weights, atol=1e-10)
            assert np.isfinite(total)
        else:
            np.testing.assert_allclose(total, evidence + model.log_prior(found, data), rtol=1e-10)


def test_one_state_is_a_poisson_regression():
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (400, 2))
    made = Recording.of({"signal": counts}, kinds={"signal": "counts"})
    model = HMMGLM(1, family=Poisson("exp"), self_coupling="none", prior=Ridge(0.1), bias_sd=1e6)
    out, data = trained(model, made)
    for target in range(2):
        peer = PoissonRegressor(alpha=100 / 400, tol=1e-10, max_iter=1000).fit(data.x[0, :400], counts[:, target])
        np.testing.assert_allclose(out.params.weights[0, target], peer.coef_, atol=1e-5)
        np.testing.assert_allclose(out.params.bias[0, target], peer.intercept_, atol=1e-5)


@pytest.mark.parametrize("family", [Bernoulli(), Categorical(2), Categorical(3)])
def test_one_state_is_a_logistic_regression(family):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, 2))
    classes = getattr(family, "n_classes", 2)
    logits = x @ rng.normal(size=(2, classes))
    label = np.array([rng.choice(classes, p=p) for p in np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)])
    made = Recording.of(
        {"choice": label[:, None], "covariates": x}, kinds={"choice": "category", "covariates": "continuous"}
    )
    out, _ = trained(HMMGLM(1, family=family, prior=Ridge(1e3)), made)
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, label)
    want = peer.coef_ if classes == 2 else peer.coef_[1:] - peer.coef_[0]
    np.testing.assert_allclose(out.params.weights[0], want, atol=1e-4)


def test_missed_trials_weigh_nothing():
    """A fit with masked trials is the fit of the others, where nothing else depends on the masked ones."""
    rng = np.random.default_rng(2)
    x, label = rng.normal(size=(300, 2)), rng.integers(0, 2, 300)
    keep = rng.random(300) < 0.7
    kinds = {"choice": "binary", "covariates": "continuous"}
    whole = Recording.of({"choice": label[:, None], "covariates": x}, kinds=kinds)
    masked = whole.with_signal("choice", whole.signal("choice").masked(keep[:, None]))
    rest = Recording.of({"choice": label[keep, None], "covariates": x[keep]}, kinds=kinds)
    a, b = (trained(HMMGLM(1, family=Bernoulli()), made)[0] for made in (masked, rest))
    np.testing.assert_allclose(a.params.weights, b.params.weights, atol=1e-8)


def test_gram_matrices_are_those_of_weighted_rows():
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(50, 4)), rng.random((50, 3))
    with precision.double():
        found = grams(jnp.asarray(x), jnp.asarray(weight))
    np.testing.assert_allclose(found, np.einsum("tq,tp,tr->qpr", weight, x, x), rtol=1e-12)


@pytest.mark.parametrize(
    ("a", "values"),
    [([0.7, 0.2, 0.1], [-1.6218592, 0.2763749, 1.4085448]), ([0.98, 0.01, 0.01], [3.3518901, 4.5290971, 3.8811493])],
)
def test_concrete_density_has_the_values_of_the_specification(a, values):
    with precision.double():
        found = [
            concrete_log_density(jnp.log(jnp.asarray(a)), jnp.log(jnp.array([0.5, 0.3, 0.2])), t)
            for t in (0.2, 0.5, 1.0)
        ]
    np.testing.assert_allclose(found, values, atol=1e-6)


def test_the_spread_does_not_collapse():
    out, _ = trained(PRIORS["hierarchical"], recording("hierarchical"), EM(steps=150, tolerance=0.0, restarts=1))
    assert out.params.spread >= np.sqrt(1 / 6) / 3


def test_relabelled_draws_meet_their_reference():
    name = "choices"
    model, params = twin.MODELS[name], twin.random_params(name)
    swapped = [params, params._replace(**{f: getattr(params, f)[::-1] for f in ("initial", "weights", "bias")})]
    swapped[1] = swapped[1]._replace(transition=params.transition[::-1, ::-1])
    draws = HMMGLMParams(*(np.stack(leaves) for leaves in zip(*swapped, strict=True)))
    with precision.double():
        data = model.select(recording(name), for_training=True).data
    found = model.relabel(draws, params, data)
    for leaf, want in zip(found, params, strict=True):
        np.testing.assert_array_equal(leaf, np.stack([want, want]))


def test_kernel_and_history_names_match_the_regressors():
    made = recording("counts, softplus")
    for history in (Exponential(), NoHistory()):
        model = HMMGLM(2, history=history)
        data = model.select(made, for_training=False).data
        assert len(model.coordinates(made)["regressor"]) == data.x.shape[-1] == free_weights(model, data).shape[1]
