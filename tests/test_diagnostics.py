"""Every verdict can fail: planted faults are found, with advice, and a good fit passes."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

import neurolatent as nl
from neurolatent.choices import EM, NUTS, SVI
from neurolatent.diagnostics import Diagnosis, Row, check
from tests.engines import small


@pytest.fixture(scope="module")
def good() -> nl.Fit:
    return nl.fit(small.MODEL, small.recording((250, 200)), engine=EM(tolerance=1e-10), seed=0)


@pytest.fixture(scope="module")
def sampled(good) -> nl.Fit:
    """A fit with draws as a good sampler would make them: independent, around one value."""
    rng, draws = np.random.default_rng(0), 500
    repeated = type(good.params)(*(np.broadcast_to(leaf, (4, 12, *leaf.shape)) for leaf in good.params))
    fit = dataclasses.replace(good, engine=NUTS(), draws=repeated)
    posterior = {
        name: (("chain", "draw", *dims), value.values + 0.01 * rng.normal(size=(4, draws, *value.shape)))
        for name, value in fit.idata["point_estimate"].data_vars.items()
        for dims in [value.dims]
    }
    stats = {
        "diverging": (("chain", "draw"), np.zeros((4, draws), bool)),
        "energy": (("chain", "draw"), rng.normal(size=(4, draws))),
    }
    return with_groups(fit, posterior=xr.Dataset(posterior), sample_stats=xr.Dataset(stats))


@pytest.fixture(scope="module")
def guided(good) -> nl.Fit:
    """A fit with draws of a good guide: a little narrower than the posterior, and an ELBO that only trembles."""
    rng, repeated = np.random.default_rng(0), type(good.params)(*(leaf[None, None] for leaf in good.params))
    fit = dataclasses.replace(good, engine=SVI(steps=1000), draws=repeated)
    elbo = (("restart", "step"), rng.normal(size=(1, 1000)))
    fit = with_groups(fit, trace=xr.Dataset({"objective": elbo, "best": ((), 0)}))
    return with_guide(fit, 0.9)


def with_guide(fit: nl.Fit, width: float) -> nl.Fit:
    """Densities at draws of N(0, width^2), for a posterior that is standard normal."""
    x = width * np.random.default_rng(0).normal(size=(1, 1000))
    stats = {"lp": -0.5 * x**2, "log_q": -0.5 * (x / width) ** 2 - np.log(width)}
    return with_groups(fit, sample_stats=xr.Dataset({k: (("chain", "draw"), v) for k, v in stats.items()}))


def with_groups(fit: nl.Fit, **groups: xr.Dataset) -> nl.Fit:
    tree = {name: node.to_dataset() for name, node in fit.idata.children.items()}
    return dataclasses.replace(fit, idata=xr.DataTree.from_dict({**tree, **groups}))


def changed(fit: nl.Fit, group: str, name: str, values: np.ndarray) -> nl.Fit:
    data = fit.idata[group].to_dataset()
    return with_groups(fit, **{group: data.assign({name: (data[name].dims, values)})})


def row(fit: nl.Fit, start: str) -> Row:
    found = [r for r in check(fit).rows if r.what.startswith(start)]
    assert len(found) == 1, [r.what for r in check(fit).rows]
    assert found[0].advice
    return found[0]


def test_a_good_fit_passes(good):
    diagnosis = check(good)
    assert diagnosis.verdict == "pass", str(diagnosis)
    assert diagnosis.passed
    assert all(np.isfinite(r.value) and r.threshold for r in diagnosis.rows)


def test_good_draws_pass(sampled):
    rows = [r for r in check(sampled).rows if r.what.split()[0] in ("largest", "smallest", "divergences")]
    assert len(rows) == 6
    assert {r.verdict for r in rows} == {"pass"}, rows


def test_an_interrupted_or_unconverged_fit_is_warned_of(good):
    assert row(dataclasses.replace(good, interrupted=True), "ran to its end").verdict == "warn"
    assert row(dataclasses.replace(good, converged=False), "EM converged").verdict == "warn"


def test_a_falling_objective_fails(good):
    objective = good.idata["trace"]["objective"].values.copy()
    best = int(good.idata["trace"]["best"])
    objective[best, 2] = objective[best, 1] - 1.0
    found = row(changed(good, "trace", "objective", objective), "objective falls")
    assert found.verdict == "fail"
    assert found.value > 1e-5


def test_an_objective_without_numbers_fails(good):
    objective = np.full_like(good.idata["trace"]["objective"].values, np.nan)
    assert row(changed(good, "trace", "objective", objective), "objective falls").verdict == "fail"


def test_restarts_that_disagree_are_warned_of(good):
    objective = good.idata["trace"]["objective"].values.copy()
    others = [r for r in range(len(objective)) if r != int(good.idata["trace"]["best"])]
    objective[others] -= 100.0
    found = row(changed(good, "trace", "objective", objective), "share of restarts")
    assert (found.verdict, found.value) == ("warn", 0.2)


@pytest.mark.parametrize(("share", "verdict"), [(0.005, "warn"), (0.0, "fail")])
def test_an_empty_state_is_named(good, share, verdict):
    smoothed = good.idata["latents"]["smoothed"].values.copy()
    smoothed[:, 1], smoothed[:, 0] = share, 1 - share
    found = row(changed(good, "latents", "smoothed", smoothed), "share of the least visited state")
    assert found.verdict == verdict
    assert "State 2" in found.advice


def test_states_that_cannot_be_told_apart_are_warned_of(good):
    smoothed = np.full_like(good.idata["latents"]["smoothed"].values, 0.5)
    assert row(changed(good, "latents", "smoothed", smoothed), "mean probability").verdict == "warn"


def test_knowledge_against_the_data_is_warned_of(good):
    agreement = np.array([-60.0, 0.0])
    assert row(changed(good, "latents", "agreement", agreement), "lowest log agreement").verdict == "warn"


@pytest.mark.parametrize(("factor", "verdict"), [(0.85, "warn"), (3.0, "fail"), (0.2, "fail")])
def test_intervals_that_do_not_cover_are_found(good, factor, verdict):
    residual = good.idata["latents"]["residual"].values * factor
    assert row(changed(good, "latents", "residual", residual), "coverage").verdict == verdict


def test_correlated_residuals_are_warned_of(good):
    residual = good.idata["latents"]["residual"].values.copy()
    residual[2:] = 0.8 * residual[1:-1] + 0.6 * residual[2:]
    assert row(changed(good, "latents", "residual", residual), "lag-1 correlation").verdict == "warn"


def test_explosive_dynamics_are_warned_of(good):
    coefficients = good.params.coefficients.copy()
    coefficients[0, 0, 0] = 1.3
    found = row(dataclasses.replace(good, params=good.params._replace(coefficients=coefficients)), "largest spectral")
    assert found.verdict == "warn"
    np.testing.assert_allclose(found.value, 1.3)


def test_chains_that_disagree_fail(sampled):
    values = sampled.idata["posterior"]["coefficients"].values.copy()
    values[0] += 1.0
    fit = changed(sampled, "posterior", "coefficients", values)
    assert row(fit, "largest R-hat").verdict == "fail"
    assert row(fit, "smallest bulk ESS").verdict == "fail"


def test_a_chain_that_never_moves_fails(sampled):
    values = sampled.idata["posterior"]["coefficients"].values.copy()
    values[:] = values[:, :1]
    assert row(changed(sampled, "posterior", "coefficients", values), "largest R-hat").verdict == "fail"


@pytest.mark.parametrize(("count", "verdict"), [(1, "warn"), (50, "fail")])
def test_divergences_are_counted(sampled, count, verdict):
    diverging = np.zeros((4, 500), bool)
    diverging.flat[:count] = True
    found = row(changed(sampled, "sample_stats", "diverging", diverging), "divergences")
    assert (found.value, found.verdict) == (count, verdict)


def test_energy_that_creeps_is_warned_of(sampled):
    energy = np.cumsum(np.random.default_rng(0).normal(size=(4, 500)), axis=1)
    assert row(changed(sampled, "sample_stats", "energy", energy), "smallest E-BFMI").verdict == "warn"


def test_a_good_guide_passes_without_questions_to_chains(guided):
    names = [r.what for r in check(guided).rows if r.verdict == "pass"]
    assert {"last change of the ELBO (nats)", "steps without a finite ELBO"} < set(names)
    assert row(guided, "Pareto k").verdict == "pass"
    assert not any(word in name for name in names for word in ("R-hat", "ESS", "divergences", "E-BFMI", "EM"))


def test_an_elbo_that_still_rises_is_warned_of(guided):
    elbo = guided.idata["trace"]["objective"].values + 0.02 * np.arange(1000)
    found = row(changed(guided, "trace", "objective", elbo), "last change of the ELBO")
    assert found.verdict == "warn"
    np.testing.assert_allclose(found.value, 2.0, atol=0.5)


@pytest.mark.parametrize(("count", "verdict"), [(3, "warn"), (100, "fail")])
def test_steps_without_an_elbo_are_counted(guided, count, verdict):
    elbo = guided.idata["trace"]["objective"].values.copy()
    elbo[0, :count] = np.nan
    found = row(changed(guided, "trace", "objective", elbo), "steps without a finite ELBO")
    assert (found.value, found.verdict) == (count, verdict)


def test_a_guide_that_is_too_narrow_is_found(guided):
    found = row(with_guide(guided, 0.05), "Pareto k")
    assert found.value > 0.7
    assert found.verdict != "pass"


def test_a_guide_where_the_density_is_no_number_fails(guided):
    lp = guided.idata["sample_stats"]["lp"].values.copy()
    lp[0, 3] = np.nan
    assert row(changed(guided, "sample_stats", "lp", lp), "Pareto k").verdict == "fail"


def test_the_table_can_be_read(good):
    text, html = str(check(good)), check(good)._repr_html_()
    assert text.startswith("verdict: pass")
    for r in check(good).rows:
        assert r.what in text
        assert r.advice in html
    assert set(check(good).table()[0]) == {"what", "value", "threshold", "verdict", "advice"}
    worse = Diagnosis((*check(good).rows, Row("x", 1.0, "0", "fail", "do that")))
    assert not worse.passed
    assert "do that" in str(worse)
