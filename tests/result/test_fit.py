"""A fit answers new recordings in their units, sequence by sequence, with or without draws."""

import jax
import numpy as np
import pytest

import neurolatent as nl
from neurolatent import precision
from neurolatent.choices import EM
from neurolatent.models.arphmm import ARPHMM
from neurolatent.recording import Recording
from neurolatent.result.labels import combine
from tests.engines import small
from tests.recording.refusals import refuses

QUICK = EM(steps=3, restarts=1)


@pytest.fixture(scope="module")
def fit() -> nl.Fit:
    return small.fit(EM(steps=10, restarts=1))


@pytest.fixture(scope="module")
def drawn(fit) -> nl.Fit:
    """With draws scattered around the fit's parameters."""
    rng = np.random.default_rng(0)

    def scatter(name: str, leaf: np.ndarray) -> np.ndarray:
        noise = 0.05 * rng.normal(size=(2, 30, *leaf.shape)) if name == "coefficients" else 0.0
        return np.broadcast_to(leaf, (2, 30, *leaf.shape)) + noise

    draws = type(fit.params)(*(scatter(name, leaf) for name, leaf in fit.params._asdict().items()))
    return nl.Fit(**{**vars(fit), "draws": draws, "n_latent_draws": 60})


def two_channels(n: int = 60) -> Recording:
    model = ARPHMM(2, transitions="ergodic", order=1)
    rng = np.random.default_rng(4)
    values = np.cumsum(rng.normal(size=(n, 3)), axis=0) * [1.0, 10.0, 100.0] + [0.0, 50.0, -900.0]
    assert model.order == 1
    return Recording.of({"signal": values}, channels={"signal": ["a", "b", "c"]})


def test_a_fit_shows_itself_in_few_words(fit):
    assert repr(fit).startswith("Fit of ARPHMM(")
    assert len(repr(fit).splitlines()) < 10


def test_predictions_are_labelled_by_sequence_and_clock(fit):
    recording = small.recording((30, 20), seed=3)
    got = fit.predict(recording)
    assert got["smoothed"].dims == ("sample", "state")
    assert got.sizes["sample"] == 50
    np.testing.assert_array_equal(got["clock"], recording.clock())
    np.testing.assert_array_equal(got["sample_sequence"], ["0"] * 30 + ["1"] * 20)
    first = [0, 30]
    assert np.isnan(got["smoothed"].values[first]).all()
    assert (got["path"].values[first] == -1).all()
    rest = np.setdiff1d(np.arange(50), first)
    np.testing.assert_allclose(got["filtered"].values[rest].sum(axis=1), 1.0)
    assert all(got[name].dtype == np.float64 for name in ("filtered", "smoothed", "predicted_sd"))
    assert not jax.config.jax_enable_x64


def test_a_short_sequence_is_refused_and_the_others_answered(fit):
    got = fit.predict(Recording.of({"signal": [np.ones(1), np.arange(5.0)]}, ids=["short", "long"]))
    assert got["sequence"].values.tolist() == ["long"]
    assert got["refused"].values.tolist() == ["short"]
    assert "at least 2" in str(got["reason"].values[0])
    assert fit.score(Recording.of({"signal": [np.ones(1), np.arange(5.0)]}))["sequence"].size == 1
    with refuses("no sequence is long enough"):
        fit.predict(Recording.of({"signal": np.ones(1)}))


def test_units_come_back_whatever_the_preparation():
    recording = two_channels()
    bare = nl.fit(ARPHMM(1), recording, engine=EM(steps=20))
    prepared = nl.fit(ARPHMM(1), recording, prepare=[nl.Standardise()], engine=EM(steps=20))
    a, b = bare.predict(recording), prepared.predict(recording)
    level = recording.signal("signal").values[1:].mean(axis=0)
    assert (np.abs(b["predicted_mean"].values[1:].mean(axis=0) - level) < [1.0, 10.0, 100.0]).all()
    for name in ("predicted_mean", "predicted_sd"):  # two priors that differ a little
        gap = np.abs(a[name].values[1:] - b[name].values[1:]) / [1.0, 10.0, 100.0]
        assert gap.max() < 1.0, name


def test_chosen_channels_come_back_in_their_own_units_and_order():
    recording = two_channels()
    model = ARPHMM(1, channels=("c", "a"))
    prepared = nl.fit(model, recording, prepare=[nl.Standardise()], engine=EM(steps=20))
    got = prepared.predict(recording)["predicted_mean"]
    assert got["feature"].values.tolist() == ["c", "a"]
    values = recording.signal("signal").values[1:]
    for name, channel, sd in (("c", 2, 100.0), ("a", 0, 1.0)):
        assert np.abs(got.sel(feature=name).values[1:] - values[:, channel]).mean() < 2 * sd
    ahead = prepared.forecast(recording, 2, seed=0, n_paths=50)["mean"]
    assert abs(float(ahead.sel(feature="c")[0, 0]) - values[-1, 2]) < 500


def test_forecast_is_reproducible_and_ordered(fit):
    recording = small.recording((30, 20), seed=3)
    a, b = (fit.forecast(recording, 4, seed=1, n_paths=64) for _ in range(2))
    assert a.identical(b)
    assert (np.diff(a["quantile"].values, axis=0) >= 0).all()
    np.testing.assert_allclose(a["state_probability"].sum("state"), 1.0)
    np.testing.assert_array_equal(a["ahead"], [1, 2, 3, 4])
    assert not a["mean"].equals(fit.forecast(recording, 4, seed=2, n_paths=64)["mean"])
    with refuses("horizon", "0"):
        fit.forecast(recording, 0, seed=1)


def test_score_with_draws_is_the_log_of_the_mean_evidence(fit, drawn):
    recording = small.recording((30, 20), seed=3)
    with precision.double():
        data = drawn.prepared(recording).data
        each = [np.asarray(drawn.model.log_likelihood(p, data)) for p in drawn.parameter_sets()]
    assert len(each) == 60
    np.testing.assert_allclose(drawn.score(recording), np.log(np.mean(np.exp(each), axis=0)), rtol=1e-10)
    assert (drawn.score(recording).values >= np.mean(each, axis=0)).all()
    np.testing.assert_allclose(fit.score(recording), fit.model.log_likelihood(fit.params, data), rtol=1e-5)


def test_prediction_with_draws_is_the_mixture(drawn):
    recording = small.recording((30,), seed=3)
    got = drawn.predict(recording)
    with precision.double():
        data = drawn.prepared(recording).data
        parts = [jax.device_get(drawn.model.posterior(p, data)).along_time for p in drawn.parameter_sets()]
    mean = np.array([p["predicted_mean"][0, :29] for p in parts])
    second = np.array([p["predicted_sd"][0, :29] ** 2 for p in parts]) + mean**2
    np.testing.assert_allclose(got["predicted_mean"][1:], mean.mean(axis=0), rtol=1e-9)
    want = np.sqrt(second.mean(axis=0) - mean.mean(axis=0) ** 2)
    np.testing.assert_allclose(got["predicted_sd"][1:], want, rtol=1e-6)
    best = parts[int(np.argmax([np.sum(drawn.model.log_likelihood(p, data)) for p in drawn.parameter_sets()]))]
    np.testing.assert_array_equal(got["path"][1:], best["path"][0, :29])
    assert got["smoothed_sd"].dims == ("sample", "state")
    assert float(got["smoothed_sd"].max()) > 0


def test_one_part_combines_to_itself(fit):
    with precision.double():
        part = fit.model.posterior(fit.params, fit.prepared(small.recording((20,))).data)
    assert combine([part]) is part


def test_knowledge_of_a_new_recording_weighs_in_only_if_asked(fit):
    recording = small.recording((30,), seed=3)
    weights = np.ones((30, 2))
    weights[:, 1] = 0.0
    known = recording.with_knowledge(nl.Knowledge(plausibilities=(weights,)))
    assert fit.predict(known)["smoothed"].identical(fit.predict(recording)["smoothed"])
    np.testing.assert_array_equal(fit.predict(known, use_knowledge=True)["smoothed"].values[1:], [[1.0, 0.0]] * 29)


def test_words_say_what_it_is(fit):
    text = str(fit)
    assert "2 sequences, 105 samples" in text
    assert "seed 0" in text
    assert "<pre>" in fit._repr_html_()
