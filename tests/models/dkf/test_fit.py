"""Through the house: fit, predict in the user's units, save, load, sequences, gaps, unknown targets, calibration."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import neurolatent as nl
from neurolatent.checks import InputError
from neurolatent.choices import NUTS, TwoStage
from neurolatent.models.dkf import DKF
from neurolatent.models.regressors import MLP, REGRESSORS, GaussianProcess, Neighbours, RidgeRegression
from neurolatent.ops.decoding import ellipse_coverage, nrmse
from neurolatent.recording import Recording
from tests.models.dkf.recordings import fitted, simulated, with_gaps

QUICK = {
    "gp": GaussianProcess(tuning_points=60),
    "gp, inducing": GaussianProcess(tuning_points=60, most_points=100, inducing_points=40),
    "knn": Neighbours(10),
    "mlp": MLP(units=4, steps=30),
    **{name: REGRESSORS[name]() for name in ("ridge", "nw", "multiple_kernel")},
}


def test_it_decodes_better_than_bin_by_bin_and_smooths_better_still():
    fit, test = fitted(), simulated(5)
    told, truth = fit.predict(test), test.signal("velocity").values - 3.0
    alone, filtered, smoothed = (
        nrmse(truth, told[f"{name}_mean"].values - 3.0) for name in ("regressed", "filtered", "smoothed")
    )
    assert smoothed < filtered < alone < 0.7
    sd = np.sqrt(np.diagonal(told["filtered_cov"].values, axis1=1, axis2=2))
    np.testing.assert_allclose(told["filtered_sd"].values, sd)
    assert list(told["feature"].values) == ["vx", "vy"]


def test_sequences_are_answered_each_for_itself():
    fit, test = fitted(), simulated(5)
    whole = fit.predict(test)
    alone = fit.predict(test.take(test.ids[1]))
    inside = whole["sample_sequence"].values == test.ids[1]
    for name in ("filtered_mean", "smoothed_cov", "log_increment"):
        np.testing.assert_allclose(whole[name].values[inside], alone[name].values, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(whole["log_evidence"].values[1], alone["log_evidence"].values[0])


def test_missing_bins_are_predicted_and_told():
    fit, test = fitted(), with_gaps(simulated(5))
    told = fit.predict(test)
    gone = ~test.signal("neural").observed.all(axis=1)
    assert gone[20]
    np.testing.assert_array_equal(told["skipped"].values, gone)
    for name in ("mean", "cov"):
        np.testing.assert_allclose(told[f"filtered_{name}"].values[gone], told[f"predicted_{name}"].values[gone])
    assert np.isfinite(told["smoothed_mean"].values).all()
    assert (told["log_increment"].values[gone] == 0).all()


def test_a_target_that_is_not_known_is_decoded_all_the_same():
    fit, test = fitted(), simulated(5)
    known, unknown = fit.predict(test), fit.predict(test.select("neural"))
    np.testing.assert_array_equal(known["filtered_mean"].values, unknown["filtered_mean"].values)


@pytest.mark.parametrize("name", QUICK)
def test_each_regressor_is_saved_and_predicts_the_same(name, tmp_path):
    model = DKF("velocity", regressor=QUICK[name], noise="nw" if name == "nw" else "constant", bins_before=1)
    fit = nl.fit(model, simulated(), engine=TwoStage())
    again = nl.Fit.load(fit.save(tmp_path / "fit.nc"))
    test = simulated(5)
    assert fit.predict(test).identical(again.predict(test))
    assert fit.score(test).identical(again.score(test))
    assert again.model == model
    assert nrmse(test.signal("velocity").values - 3.0, fit.predict(test)["filtered_mean"].values - 3.0) < 0.75


def test_an_estimator_of_scikit_learn_plugs_in_and_is_not_saved(tmp_path):
    fit = fitted(regressor=LinearRegression())
    test = simulated(5)
    ours = fitted(regressor=RidgeRegression(0.0))
    np.testing.assert_allclose(
        fit.predict(test)["filtered_mean"].values, ours.predict(test)["filtered_mean"].values, atol=1e-9
    )
    with pytest.raises(InputError, match="LinearRegression.*no file of ours"):
        fit.save(tmp_path / "fit.nc")
    assert list(tmp_path.iterdir()) == []


def test_preparation_of_the_target_is_undone_in_means_and_covariances():
    test, engine = simulated(5), TwoStage()
    plain = fitted().predict(test)
    prepared = nl.fit(DKF("velocity", regressor=RidgeRegression()), simulated(), [nl.Standardise()], engine).predict(
        test
    )
    for name in ("filtered_mean", "filtered_sd", "filtered_cov", "smoothed_cov", "regressed_mean"):
        np.testing.assert_allclose(prepared[name].values, plain[name].values, rtol=1e-6, atol=1e-8)


def heavy_tailed(recording: Recording, rng: np.random.Generator) -> Recording:
    """With a velocity that is mostly slow and sometimes fast, in spells of 30 bins."""
    signal = recording.signal("velocity")
    pace = np.repeat(rng.choice([0.3, 0.3, 0.3, 0.3, 2.5], len(signal.values) // 30), 30)
    values = signal.values.mean(axis=0) + (signal.values - signal.values.mean(axis=0)) * pace[:, None]
    return recording.with_signal("velocity", replace(signal, values=values))


def test_calibration_brings_held_out_ellipses_to_their_level():
    rng = np.random.default_rng(0)
    train, test = simulated(0, (1500,)), simulated(1, (1500,))
    heavy = [heavy_tailed(part, rng) for part in (train, test)]
    model, found = DKF("velocity", regressor=RidgeRegression()), {}
    for calibrates in (False, True):
        fit = nl.fit(model, heavy[0], engine=TwoStage(calibrate=calibrates))
        told = fit.predict(heavy[1])
        found[calibrates] = told
        coverage = ellipse_coverage(
            heavy[1].signal("velocity").values, told["filtered_mean"].values, told["filtered_cov"].values, 0.95
        )
        assert (abs(coverage - 0.95) < 0.03) == calibrates
    np.testing.assert_allclose(found[False]["filtered_mean"].values, found[True]["filtered_mean"].values)
    assert float(fit.idata["trace"]["coverage_before"]) < 0.93
    assert fit.params.scaling.spread == pytest.approx(float(fit.idata["trace"]["factor"]))


def hardly_paired(recording: Recording, signal: str) -> tuple[Recording, np.ndarray]:
    """The signal observed in the first 25 bins and then in every other one, which makes no pairs; and where it is."""
    keep = np.zeros(recording.n_samples, bool)
    keep[:25] = keep[26::2] = True
    whole = recording.signal(signal)
    mask = np.broadcast_to(keep[:, None], whole.values.shape)
    return recording.with_signal(signal, whole.masked(mask)), keep


def test_with_draws_of_the_state_model_their_mixture_is_what_is_calibrated():
    rng, found = np.random.default_rng(0), {}
    train, test = (heavy_tailed(simulated(seed, (6000,)), rng) for seed in (0, 1))
    train = hardly_paired(train, "velocity")[0]
    seen, kept = hardly_paired(test, "neural")
    truth, model = test.signal("velocity").values[kept], DKF("velocity", regressor=RidgeRegression(), stabilise=True)
    for calibrates in (False, True):
        fit = nl.fit(model, train, engine=TwoStage(calibrate=calibrates, state_draws=10))
        told = fit.predict(seen)
        found[calibrates] = told["filtered_mean"].values[kept], told["filtered_cov"].values[kept]
    before, after = (ellipse_coverage(truth, *found[calibrates], 0.95) for calibrates in (False, True))
    assert before < 0.92
    assert after == pytest.approx(0.95, abs=0.02)
    factor, (mean, cov), (same, narrow) = float(fit.params.scaling.spread), found[True], found[False]
    np.testing.assert_allclose(mean, same)
    assert factor > 1
    assert np.linalg.eigvalsh(factor * narrow - cov).max() > 0  # what the draws' means differ by is not scaled
    with pytest.raises(InputError, match="calibrate the state model before it is drawn"):
        nl.fit(model, train, engine=NUTS(chains=1, warmup=5, draws=5, start=TwoStage(calibrate=True)))


def test_noise_of_rows_that_the_regression_has_seen_is_only_given_on_request():
    with pytest.raises(InputError, match="in_sample=True"):
        TwoStage(share=1.0)
    model = DKF("velocity", regressor=Neighbours(1))
    unseen, seen = (
        nl.fit(model, simulated(), engine=TwoStage(in_sample=asked)).params.noise.mean for asked in (False, True)
    )
    assert np.trace(seen) < 1e-3 * np.trace(unseen)


@pytest.mark.parametrize("choices", [{}, {"robust": True}, {"noise": "nw", "on_indefinite": "clip"}])
def test_a_long_sequence_takes_the_short_way_to_the_same_numbers(choices):
    fit = fitted(**choices)
    long = simulated(3, (2100,))
    told = fit.predict(long)
    short = fit.predict(long.cut(0, 1990))
    np.testing.assert_allclose(told["filtered_mean"].values[:1990], short["filtered_mean"].values, atol=1e-11)
    np.testing.assert_allclose(told["log_increment"].values[:1990], short["log_increment"].values, atol=1e-9)
