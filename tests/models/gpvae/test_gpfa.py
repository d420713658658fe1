"""Poisson GPFA end to end: latents that are known come back, on trials that it has not seen."""

import numpy as np
import pytest

import neurolatent as nl
from tests.models.gpvae.recordings import aligned_r2, gpfa_case, gpfa_fit


def test_latents_of_unseen_trials_come_back():
    fit, train, test = gpfa_fit()
    truth = gpfa_case()[1]
    inside, outside = fit.predict(train), fit.predict(test)
    rows = (inside["latents"].values, truth[:30].reshape(-1, 2), outside["latents"].values, truth[30:].reshape(-1, 2))
    assert (aligned_r2(*rows) >= 0.975).all()
    np.testing.assert_allclose(fit.params.lengthscale, 10.0, atol=2.0)
    assert fit.converged
    assert nl.check(fit).verdict == "pass"


def test_rates_are_in_hz_and_explain_unseen_spikes():
    fit, train, test = gpfa_fit()
    told, counts = fit.predict(test), test.signal("spikes").values
    mean = train.signal("spikes").values.mean(axis=0)

    def score(rate):
        return (counts * np.log(rate) - rate).sum() / np.log(2) / counts.sum()

    truth = gpfa_case()[1][30:].reshape(-1, 2)
    rng = np.random.default_rng(0)
    rng.normal(size=(40, 2, 60, 1))
    oracle = 1.5 * np.exp(truth @ rng.uniform(-1, 1, (2, 30)))
    gain = score(told["rates"].values * 0.02) - score(mean)
    assert gain >= 0.95 * (score(oracle) - score(mean)) > 0.2
    assert (told["rates_sd"].values > 0).all()


def test_a_saved_fit_says_the_same(tmp_path):
    fit, _, test = gpfa_fit()
    again = nl.Fit.load(fit.save(tmp_path / "fit.nc"))
    assert again.predict(test).identical(fit.predict(test))
    assert again.score(test).identical(fit.score(test))
    assert [str(n) for n in again.idata["latents"]["latent"].values] == ["neural 0", "neural 1"]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({}, "are all 0: a model needs a latent"),
        ({"n_shared": 1, "behaviour": None}, "Shared latents need both modalities"),
        ({"n_neural": -1}, "n_neural must be a whole number of at least 0"),
        ({"n_neural": 1, "lengthscale": 4.0}, "lengthscale must exceed half of minlens"),
        ({"n_shared": 1, "likelihood_weights": (-1.0, 1.0)}, "must be at least 0"),
    ],
)
def test_choices_that_make_no_model_are_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        nl.GPVAE(**choices)
