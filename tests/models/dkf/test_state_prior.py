"""How sure the state model is: closed form, program and sampler agree, and what is decoded says so."""

import functools
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from numpyro.infer.util import log_density
from scipy.stats import invwishart, multivariate_normal

import neurolatent as nl
from neurolatent import precision
from neurolatent.checks import InputError
from neurolatent.choices import NUTS, SVI, TwoStage
from neurolatent.models.dkf import DKF, StateModel, StatePrior
from neurolatent.models.dkf.filtering import How, Measured, decode
from neurolatent.models.dkf.state import learn_state
from neurolatent.models.dkf.state_prior import state_draws, state_posterior
from neurolatent.models.protocols import Latents
from neurolatent.models.regressors import RidgeRegression
from neurolatent.ops import mniw
from neurolatent.ops.decoding import ellipse_coverage
from neurolatent.ops.indefinite import Rule
from neurolatent.recording import Recording
from neurolatent.result.labels import combine
from tests.models.dkf.recordings import fitted, simulated, with_gaps

FIRM = StatePrior(innovation=0.6, pairs=4.0)


def with_unknown_bins(recording: Recording) -> Recording:
    """With bins whose target is not known."""
    signal = recording.signal("velocity")
    keep = np.ones(signal.values.shape, bool)
    keep[[10, 11, 30]] = False
    return recording.with_signal("velocity", signal.masked(keep))


@functools.cache
def closed_form(outputs: int) -> tuple[DKF, object, mniw.Family, np.ndarray]:
    """A model, its data with the first outputs only, and the posterior in units of the returned scale."""
    recording = with_unknown_bins(simulated(2, (120, 60)))
    recording = recording.with_signal("velocity", recording.signal("velocity").pick(np.arange(outputs)))
    model = DKF("velocity", state_prior=FIRM, regressor=RidgeRegression())
    data = model.select(recording, for_training=True).data
    known = data.z[data.known]
    centred = np.where(data.known[..., None], data.z - known.mean(axis=0), 0.0)
    scale = known.std(axis=0)
    return model, data, state_posterior(FIRM, centred, data.known, scale), scale


def log_density_of(family: mniw.Family, transition: np.ndarray, innovation: np.ndarray) -> float:
    rows = np.kron(innovation, np.linalg.inv(family.precision))
    normal = multivariate_normal(family.mean.ravel(), rows).logpdf(transition.ravel())
    return float(normal + invwishart(family.freedom, family.scale).logpdf(innovation))


@functools.partial(jax.jit, static_argnums=0)
def log_densities(model: DKF, data: Any, sites: dict[str, Any]) -> Any:
    return jax.vmap(lambda one: log_density(model.numpyro_model, (data,), {}, one)[0])(sites)


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_program_says_the_density_of_the_closed_form(outputs):
    model, data, family, _ = closed_form(outputs)
    transitions, innovations = mniw.draw(family, 4, np.random.default_rng(0))
    sites = {"scaled_transition": transitions, "scaled_innovation": innovations[:, 0] if outputs == 1 else innovations}
    with precision.double():
        totals = np.asarray(log_densities(model, data, sites))
    off = [t - log_density_of(family, *draw) for t, *draw in zip(totals, transitions, innovations, strict=True)]
    np.testing.assert_allclose(off, off[0], rtol=1e-9)


SAMPLERS = {"NUTS": NUTS(chains=2, warmup=300, draws=1000), "SVI": SVI(steps=2000, n_draws=2000)}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
def test_the_sampler_draws_from_the_closed_form(name, tmp_path):
    model, data, family, scale = closed_form(2)
    training, test = with_unknown_bins(simulated(2, (120, 60))), simulated(5)
    fit = nl.fit(model, training, engine=SAMPLERS[name], seed=1)
    transition = fit.draws.transition * (scale / scale[:, None])
    innovation = fit.draws.innovation / np.outer(scale, scale)
    mean = family.scale / (family.freedom - 3)
    sd = np.sqrt(np.outer(np.diag(mean), np.diag(np.linalg.inv(family.precision))))
    np.testing.assert_allclose((transition.mean(axis=(0, 1)) - family.mean) / sd, 0.0, atol=0.15)
    np.testing.assert_allclose(transition.std(axis=(0, 1)), sd, rtol=0.1)
    np.testing.assert_allclose(innovation.mean(axis=(0, 1)), mean, atol=0.03 * np.trace(mean))
    exact = mniw.draw(family, 4000, np.random.default_rng(0))[1]
    np.testing.assert_allclose(innovation.std(axis=(0, 1)), exact.std(axis=0), rtol=0.1)
    np.testing.assert_allclose(fit.params.state.transition, fit.draws.transition.mean(axis=(0, 1)))
    rows = {row.what: row.verdict for row in nl.check(fit).rows}
    assert rows["largest R-hat" if name == "NUTS" else "Pareto k of the importance ratios"] == "pass"
    again = nl.Fit.load(fit.save(tmp_path / "fit.nc"))
    assert fit.predict(test).identical(again.predict(test))


TURNING = np.array([[0.85, 0.3], [-0.3, 0.85]])
R = np.diag([0.7, 0.5])  # of what the inputs say, a state of covariance I seen in noise
Q = np.linalg.inv(np.linalg.inv(R) + np.eye(2))


def walk(rng: np.random.Generator, time: int) -> np.ndarray:
    z = rng.normal(size=(time, 2))
    for t in range(1, time):
        z[t] = TURNING @ z[t - 1] + rng.multivariate_normal(np.zeros(2), np.eye(2) - TURNING @ TURNING.T)
    return z


@precision.in_double
def coverages(seed: int, pairs: int) -> list[float]:
    """Of 95 % ellipses with the true state model, the one learned of so many pairs, and draws of it."""
    rng, one = np.random.default_rng(seed), np.ones(2)
    train, test = walk(rng, pairs + 1)[None], walk(rng, 400)
    y = test + rng.multivariate_normal(np.zeros(2), R, 400)
    measured, known = (
        Measured((y @ np.linalg.solve(R, Q))[None], Q, np.ones((1, 400), bool)),
        np.ones((1, pairs + 1), bool),
    )

    def decoded(transition: np.ndarray, innovation: np.ndarray) -> Latents:
        found = decode(How(Rule.SHRINK, False), StateModel(transition, innovation, np.eye(2)), measured).filtered
        return Latents({"filtered_mean": found.mean, "filtered_cov": found.cov}, {})

    plain = learn_state(train, known, stationary="empirical", stabilise=True)
    draws = state_draws(state_posterior(StatePrior(), train, known, one), 25, one, rng)
    told = [
        decoded(TURNING, np.eye(2) - TURNING @ TURNING.T),
        decoded(plain.transition, plain.innovation),
        combine([decoded(a, g) for a, g in zip(draws.transition[0], draws.innovation[0], strict=True)]),
    ]
    parts = [t.along_time for t in told]
    return [ellipse_coverage(test, p["filtered_mean"][0], p["filtered_cov"][0], 0.95) for p in parts]


@pytest.mark.slow
def test_of_few_pairs_the_plug_in_ellipses_are_too_narrow_and_those_of_draws_about_right():
    true, plug_in, drawn = np.mean([coverages(seed, 15) for seed in range(40)], axis=0)
    assert true == pytest.approx(0.95, abs=0.01)
    assert plug_in < 0.88
    assert drawn == pytest.approx(0.95, abs=0.03)


def test_decoded_beliefs_are_the_mixture_over_draws():
    model, test = DKF("velocity", regressor=RidgeRegression()), with_gaps(simulated(5))
    fit = nl.fit(model, simulated(0, (120, 60)), engine=TwoStage(state_draws=7))
    assert fit.idata["posterior"]["transition"].dims == ("chain", "draw", "feature", "feature_to")
    sets = fit.parameter_sets()
    assert len(sets) == 7
    plain = [replace(fit, params=params, draws=None).predict(test) for params in sets]
    told = fit.predict(test)
    for name in ("filtered", "predicted", "smoothed"):
        means, covs = (np.stack([p[f"{name}_{what}"].values for p in plain]) for what in ("mean", "cov"))
        centre = means.mean(axis=0)
        want = covs.mean(axis=0) + np.mean([[np.outer(r, r) for r in m - centre] for m in means], axis=0)
        np.testing.assert_allclose(told[f"{name}_mean"].values, centre, rtol=1e-9)
        np.testing.assert_allclose(told[f"{name}_cov"].values, want, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(told[f"{name}_sd"].values, np.sqrt(np.diagonal(want, axis1=1, axis2=2)), rtol=1e-8)
    each = np.stack([replace(fit, params=params, draws=None).score(test).values for params in sets])
    np.testing.assert_allclose(fit.score(test).values, np.logaddexp.reduce(each, axis=0) - np.log(7), rtol=1e-9)


def test_a_fit_with_draws_is_saved_and_predicts_the_same(tmp_path):
    model = DKF("velocity", regressor=RidgeRegression(), process_scale=2.0)
    fit = nl.fit(model, simulated(), engine=TwoStage(state_draws=5))
    again, test = nl.Fit.load(fit.save(tmp_path / "fit.nc")), simulated(5)
    assert fit.predict(test).identical(again.predict(test))
    assert again.model == model
    assert again.engine == fit.engine
    np.testing.assert_allclose(fit.params.state.innovation, fit.draws.innovation.mean(axis=(0, 1)) / 2)
    plain = fitted(process_scale=2.0)
    np.testing.assert_allclose(fit.params.state.transition, plain.params.state.transition, atol=0.1)
    np.testing.assert_allclose(fit.params.noise.mean, plain.params.noise.mean)


def test_choices_of_how_the_state_moves_compare_on_new_data_by_what_filtering_adds():
    """The order is that of the scores; a state that is let move ten times as freely tells less."""
    fits = {"as learned": fitted(), "loose": fitted(process_scale=0.1)}
    table = nl.compare(fits, simulated(5))
    assert list(table["fit"]) == ["as learned", "loose"]
    for name, total in zip(table["fit"], table["log_score"], strict=True):
        assert total == pytest.approx(float(fits[name].score(simulated(5)).sum()))


def test_evidences_that_mean_different_things_are_not_ranked():
    drawn = nl.fit(DKF("velocity", regressor=RidgeRegression()), simulated(), engine=TwoStage(state_draws=5))
    with pytest.raises(InputError, match="not from its inputs.*Pass a recording.*compare RECIPE"):
        nl.compare({"a": drawn, "b": drawn})
    for other in ({"robust": True}, {"bins_before": 2}, {"regressor": RidgeRegression(penalty=5.0)}):
        with pytest.raises(InputError, match="'a' and 'b' decode by different regressions or rules"):
            nl.compare({"a": fitted(), "b": fitted(**other)}, simulated(5))


def test_the_prior_refuses_what_is_no_spread():
    with pytest.raises(InputError, match="pairs"):
        StatePrior(pairs=0.0)
