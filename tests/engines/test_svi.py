"""SVI as an engine: near the exact posterior, below the exact evidence, stopped, continued, honest where it fails."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest

import neurolatent as nl
from neurolatent import precision
from neurolatent.choices import EM, NUTS, SVI, Run
from neurolatent.diagnostics.engines import _pareto_k
from neurolatent.engines import svi
from neurolatent.engines.checkpoint import NAME
from neurolatent.engines.plateau import last_rise
from neurolatent.models.arphmm import ARPHMM
from neurolatent.models.arphmm.prior import regression_prior
from neurolatent.recipe import read_recipe, run_recipe
from tests.engines import conjugate, small
from tests.engines.test_em import assert_same, killed_and_resumed
from tests.engines.test_nuts import press_ctrl_c_once
from tests.small_fleet import recipe, write

TINY = SVI(steps=400, n_draws=50, start=EM(steps=10, restarts=1))
ONE_STATE = ARPHMM(1)


def walk(features: int, seed: int = 0, rows: int = 80) -> np.ndarray:
    """(rows, features) a stable vector autoregression around a level."""
    rng = np.random.default_rng(seed)
    y = np.zeros((rows, features))
    for t in range(1, len(y)):
        y[t] = 0.7 * y[t - 1] + 0.3 + rng.normal(scale=0.5, size=features)
    return y


def exact(y: np.ndarray) -> conjugate.Exact:
    with precision.double():
        data = ONE_STATE.select(nl.Recording.of({"signal": y}), for_training=True, use_knowledge=False).data
        prior = jax.device_get(regression_prior(ONE_STATE.prior, data.scale, 1))
    return conjugate.posterior(y, prior.mean, prior.precision, float(prior.freedom), prior.scatter)


def elbo(fit: nl.Fit) -> tuple[float, float]:
    """Mean of importance log ratios over the draws, and its standard error: the ELBO of the guide at the end."""
    stats = fit.idata["sample_stats"]
    ratios = (stats["lp"] - stats["log_q"]).values.ravel()
    return float(ratios.mean()), float(ratios.std() / np.sqrt(ratios.size))


@pytest.fixture(scope="module")
def tiny() -> nl.Fit:
    return small.fit(TINY)


@pytest.fixture(scope="module")
def one_feature() -> nl.Fit:
    return nl.fit(ONE_STATE, walk(1), engine=SVI())


def assert_exact(fit: nl.Fit, y: np.ndarray) -> None:
    """Means and sds are those of the closed form, and the bound lies just below its evidence."""
    want, (bound, noise) = exact(y), elbo(fit)
    for name, mean in want.mean.items():
        draws, sd = getattr(fit.draws, name)[0, :, 0], want.sd[name]
        assert (np.abs(draws.mean(axis=0) - mean) < 0.15 * sd).all(), name
        np.testing.assert_allclose(draws.std(axis=0), sd, rtol=0.1, err_msg=name)
    assert bound <= want.log_evidence + 3 * noise
    assert bound >= want.log_evidence - 0.1 * y.shape[1]
    traced = fit.idata["trace"]["objective"].values[0, -500:].mean()
    np.testing.assert_allclose(traced, bound, atol=0.1)
    assert fit.converged
    assert not fit.warnings


def test_one_state_gives_the_exact_posterior_and_nearly_the_evidence(one_feature):
    assert_exact(one_feature, walk(1))


@pytest.mark.record  # one feature is told in the fast tests
def test_two_features_give_the_exact_posterior_and_nearly_the_evidence():
    assert_exact(nl.fit(ONE_STATE, walk(2), engine=SVI(n_draws=4000)), walk(2))


@pytest.mark.slow
@pytest.mark.parametrize("guide", ["low_rank", "diagonal"])
def test_poorer_guides_lie_lower(one_feature, guide):
    bound, noise = elbo(nl.fit(ONE_STATE, walk(1), engine=SVI(guide=guide)))
    best, also = elbo(one_feature)
    assert bound < best + 3 * (noise + also)
    assert guide == "low_rank" or bound < best - 3 * (noise + also)


@pytest.mark.slow
def test_draws_are_labelled_double_and_valid(tiny):
    assert not jax.config.jax_enable_x64
    posterior, stats = tiny.idata["posterior"], tiny.idata["sample_stats"]
    assert posterior["transition"].dims == ("chain", "draw", "state", "state_to")
    assert posterior["coefficients"].shape == (1, 50, 2, 1, 2)
    assert posterior["coefficients"].values.dtype == np.float64
    np.testing.assert_allclose(posterior["transition"].sum("state_to"), 1.0)
    assert (tiny.draws.covariance > 0).all()
    np.testing.assert_allclose(tiny.params.coefficients, tiny.draws.coefficients.mean(axis=(0, 1)))
    assert tiny.idata["log_likelihood"]["sequences"].shape == (1, 50, 2)
    assert set(stats.data_vars) == {"lp", "log_q"}
    assert stats["lp"].dims == ("chain", "draw")
    assert tiny.idata["trace"]["objective"].shape == (1, 400)


@pytest.mark.slow
@pytest.mark.parametrize("chunk_seconds", [0.0, 60.0])
def test_cuts_into_chunks_change_nothing(tiny, chunk_seconds):
    assert_same(tiny, small.fit(TINY, run=Run(chunk_seconds=chunk_seconds)))


@pytest.mark.slow
def test_a_saved_fit_comes_back_with_its_draws(tiny, tmp_path):
    again = nl.Fit.load(tiny.save(tmp_path / "fit.nc"))
    assert_same(tiny, again)
    assert tiny.predict(small.recording()).identical(again.predict(small.recording()))
    assert again.engine == TINY
    assert str(nl.check(again)) == str(nl.check(tiny))


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_there_and_resume_is_uninterrupted_to_the_bit(tmp_path):
    engine = dataclasses.replace(TINY, steps=15_000, n_particles=1)
    press_ctrl_c_once(tmp_path / "checkpoint" / NAME)
    stopped = small.fit(engine, run=Run(folder=tmp_path, chunk_seconds=0.02))
    assert stopped.interrupted
    assert not stopped.converged
    assert stopped.draws.initial.shape == (1, 50, 2)
    assert stopped.idata["trace"].sizes["step"] < 15_000
    assert nl.check(stopped).rows[0].verdict == "warn"
    resumed = small.fit(engine, run=Run(folder=tmp_path, resume=True))
    whole = small.fit(engine)
    assert_same(whole, resumed)
    assert whole.idata["trace"].identical(resumed.idata["trace"])


@dataclasses.dataclass(frozen=True)
class Spoiled:
    """The small model, with a density that is no number beyond a limit of the first coefficient."""

    limit: float

    def numpyro_model(self, data: Any) -> None:
        with numpyro.handlers.trace() as sites:
            small.MODEL.numpyro_model(data)
        coefficient: Any = sites["coefficients"]["value"]
        numpyro.factor("spoiled", jnp.where(coefficient[0, 0, 0] > self.limit, jnp.nan, 0.0))

    init, em_step, settling, has_one_start, ordered, unconstrained_start, relabel = (
        getattr(small.MODEL, name)
        for name in ("init", "em_step", "settling", "has_one_start", "ordered", "unconstrained_start", "relabel")
    )


@pytest.mark.slow
def test_an_elbo_that_is_no_number_is_named_and_left_out(tiny):
    limit = float(np.quantile(tiny.draws.coefficients[0, :, 0, 0, 0], 0.9))
    with precision.double():
        data = small.MODEL.select(small.recording(), for_training=True).data
        trained = svi.run(TINY, Spoiled(limit), data, jax.random.key(0), options=Run(), identity={})
    bad = np.flatnonzero(~np.isfinite(trained.trace["objective"][0]))
    assert 0 < len(bad) < 400
    assert not trained.converged
    assert any(f"no number at step {bad[0] + 1}" in w and "learning_rate" in w for w in trained.warnings)
    assert np.isfinite(trained.params.coefficients).all()


def test_too_few_steps_are_warned_of():
    rising = np.linspace(-100.0, -50.0, 1000)
    (warning,) = svi._warnings(SVI(steps=1000), rising, False)
    assert "still changed by 5 nats over the last 100 of 1000 steps" in warning
    assert svi._warnings(SVI(steps=2000), rising, True) == ()


def test_a_rise_is_seen_through_the_noise():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=1000)
    flat, rising = last_rise(noise, 400), last_rise(noise + 0.002 * np.arange(1000), 400)
    np.testing.assert_allclose(flat.noise, np.sqrt(2 / 400), rtol=0.1)
    np.testing.assert_allclose(rising.value - flat.value, 0.8)
    assert flat.is_none(0.0)
    assert not rising.is_none(0.1)
    assert rising.is_none(1.5)
    assert not last_rise(noise[:799], 400).is_none(np.inf)
    holes = np.where(np.arange(1000) % 7 == 0, np.nan, 1.0)
    assert last_rise(holes, 400).value == 0.0


@pytest.mark.parametrize("width", [0.9, 0.7, 0.3])
def test_pareto_k_of_a_narrow_normal_guide(width):
    """Ratios N(0, 1) / N(0, width^2) over draws of the latter have the tail index 1 - width^2."""
    x = width * np.random.default_rng(0).normal(size=100_000)
    ratios = -0.5 * x**2 + 0.5 * (x / width) ** 2 + np.log(width)
    np.testing.assert_allclose(_pareto_k(ratios), 1 - width**2, atol=0.15)
    assert np.isnan(_pareto_k(np.array([0.0, np.inf])))


@pytest.mark.slow
def test_check_tells_a_good_guide_from_a_bad_one():
    """Many rows make the posterior Gaussian; far from zero a diagonal misses how slope and intercept hang together.

    The index of one fit is noisy, so the middle one of three seeds counts.
    """
    cases = {"multivariate": walk(1, rows=800), "diagonal": walk(1, rows=800) + 100.0}
    found = {}
    for guide, y in cases.items():
        checks = [nl.check(nl.fit(ONE_STATE, y, engine=SVI(guide=guide), seed=seed)).rows for seed in range(3)]
        rows = [{row.what: row for row in check} for check in checks]
        found[guide] = sorted((r["Pareto k of the importance ratios"] for r in rows), key=lambda row: row.value)[1]
        assert not any(word in name for name in rows[0] for word in ("R-hat", "ESS", "divergences", "E-BFMI"))
    assert found["multivariate"].value < 0.6
    assert found["multivariate"].verdict == "pass"
    assert found["diagonal"].value > 0.7
    assert found["diagonal"].verdict != "pass"
    assert "multivariate guide" in found["diagonal"].advice


@pytest.mark.slow
def test_a_recipe_runs(tmp_path):
    engine = {"name": "svi", "guide": "low_rank", "rank": 2, "steps": 300, "n_draws": 50, "start": {"steps": 20}}
    outcome = run_recipe(read_recipe(write(tmp_path, recipe(engine=engine))))
    assert outcome.fit.engine == SVI(guide="low_rank", rank=2, steps=300, n_draws=50, start=EM(steps=20))
    assert outcome.figures["iterations"] == 300
    assert "divergences" not in outcome.figures


@pytest.mark.slow
def test_killed_and_resumed_is_uninterrupted_to_the_bit(tmp_path):
    assert_same(small.fit(small.LONG_SVI), killed_and_resumed("svi", tmp_path))


@pytest.mark.record
def test_two_states_agree_with_nuts():
    recording = small.recording((150, 120))
    sampled = nl.fit(small.MODEL, recording, engine=NUTS(chains=4, warmup=500, draws=1000))
    guided = nl.fit(small.MODEL, recording, engine=SVI(n_draws=4000))
    for name in ("initial", "transition", "coefficients", "covariance"):
        want, got = getattr(sampled.draws, name), getattr(guided.draws, name)
        sd = want.std(axis=(0, 1))
        off = np.abs(got.mean(axis=(0, 1)) - want.mean(axis=(0, 1)))
        print(name, np.max(off / sd), got.std(axis=(0, 1)) / sd)
        assert (off < 0.3 * sd).all(), name
        np.testing.assert_allclose(got.std(axis=(0, 1)), sd, rtol=0.3, err_msg=name)
