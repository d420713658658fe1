"""Figures of a model with continuous latents, counted once more."""

import numpy as np
import pytest
from scipy.stats import poisson

import neurolatent as nl
from neurolatent.checks import InputError
from neurolatent.choices import MinibatchVI
from neurolatent.models.gpvae.synthetic import gpfa_case
from neurolatent.recipe.latents import trial_figures, variance_told, without
from neurolatent.recipe.trials import trials_of


def test_a_table_names_the_trials():
    table = {"name": "gpfa_case", "seed": 3, "n_trials": 2, "bins": 12}
    assert trials_of(table, "x").fingerprint() == gpfa_case(3, n_trials=2, bins=12).fingerprint()
    assert trials_of({"length": 3}, "x") is None
    with pytest.raises(InputError, match="x: unknown key 'trials'. Did you mean 'n_trials'"):
        trials_of({"name": "digits_case", "trials": 4}, "x")


@pytest.mark.slow
def test_figures_are_those_of_poisson_probabilities_and_hidden_neurons_stay_hidden():
    made = gpfa_case(1, n_trials=12, bins=30, n_neurons=10)
    train, test = made.take(made.ids[:9]), made.take(made.ids[9:])
    fit = nl.fit(nl.GPFA(2), train, engine=MinibatchVI(epochs=8, batch=9, validation=0))
    got = trial_figures(fit, train, test)
    counts, mean = test.signal("spikes").values, train.signal("spikes").values.mean(axis=0)

    def bits(rate):
        return (poisson.logpmf(counts, rate) - poisson.logpmf(counts, mean)).sum() / np.log(2) / counts.sum()

    assert got["bits_per_spike"] == pytest.approx(bits(0.02 * fit.predict(test)["rates"].values), rel=1e-4)
    assert got["oracle.bits_per_spike"] == pytest.approx(bits(test.signal("true_rates").values))
    rates = np.empty(counts.shape)
    for neuron in range(10):
        hidden = np.arange(10) % 5 == neuron % 5
        rates[:, neuron] = fit.predict(without(test, "spikes", hidden))["rates"].values[:, neuron]
    assert got["cosmoothing.bits_per_spike"] == pytest.approx(bits(0.02 * rates), rel=1e-4)
    assert got["lengthscale.neural_0"] == pytest.approx(float(fit.params.lengthscale[0]))
    assert got["r2.neural"] == pytest.approx(got["r2_all.neural"])


def test_variance_is_that_of_what_was_observed():
    rng = np.random.default_rng(0)
    truth, told, seen = rng.normal(size=(20, 4)), rng.normal(size=(20, 4)), rng.random((20, 4)) < 0.7
    truth[:, 3] = np.float32(0.3)  # its mean in single precision is another number
    truth[~seen] = 1e9
    seen[:, 2] = False
    got = variance_told(told, truth, seen)
    errors, totals = [], []
    for channel in (0, 1, 3):
        kept = seen[:, channel]
        errors.append(((told[kept, channel] - truth[kept, channel]) ** 2).sum())
        totals.append(kept.sum() * truth[kept, channel].var())
    want = [1 - sum(errors) / sum(totals), *(1 - np.divide(errors[:2], totals[:2]))]
    np.testing.assert_allclose(got[:3], want)
    assert np.ma.getmaskarray(got).tolist() == [False, False, False, True, True]
    assert variance_told(told, truth, np.zeros((20, 4), bool)).mask.all()
    assert np.ma.getmaskarray(variance_told(told, truth.astype(np.float32), seen)).tolist()[-1]


def test_what_is_told_as_no_number_has_no_share():
    truth, told = np.random.default_rng(0).normal(size=(2, 20, 2))
    told[3, 1] = np.nan
    got = variance_told(told, truth, np.ones((20, 2), bool))
    assert not np.ma.getmaskarray(got).any()
    assert np.isnan(got.data).tolist() == [True, False, True]
