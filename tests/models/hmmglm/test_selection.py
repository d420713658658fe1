"""The door of the model: every refusal names the place, the value and the remedy; doubtful data are warned of."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import neurolatent as nl
from neurolatent.checks import InputError
from neurolatent.choices import EM
from neurolatent.models.hmmglm import (
    HMMGLM,
    Bernoulli,
    Categorical,
    Driven,
    Gaussian,
    Hierarchical,
    HMMGLMParams,
    Horseshoe,
    Lapses,
    NoHistory,
    OneHot,
    RaisedCosine,
    Ridge,
    SpikeSlab,
    Taps,
)
from neurolatent.models.hmmglm.synthetic import synthetic_network
from neurolatent.models.protocols import ModelWarning
from neurolatent.recording import Recording
from neurolatent.recording.signal import make_signal

CHOICE = HMMGLM(2, family=Bernoulli())


def counts(values: Any = None, **options: Any) -> Recording:
    values = np.random.default_rng(0).poisson(1.0, (60, 2)) if values is None else values
    return Recording.of({"spikes": values}, kinds={"spikes": "counts"}, name="day 1", **options)


def choices(label: Any = None, covariates: Any = None) -> Recording:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 60) if label is None else label
    covariates = rng.normal(size=(len(label), 2)) if covariates is None else covariates
    kinds = {"choice": "category", "covariates": "continuous"}
    return Recording.of({"choice": np.asarray(label)[:, None], "covariates": covariates}, kinds=kinds, name="mouse")


MODELS: dict[str, tuple[Callable[[], Any], str]] = {
    "no state": (lambda: HMMGLM(0), "n_states must be a whole number of at least 1, got 0"),
    "alpha without a mode": (lambda: HMMGLM(2, alpha=0.5), "alpha .* must be at least 1.0, got 0.5"),
    "negative ridge": (lambda: Ridge(0), "sd must be a number above 0, got 0"),
    "no spread": (lambda: Hierarchical(sd=-1.0), "sd must be a number above 0, got -1.0"),
    "lapses of counts": (lambda: HMMGLM(2, lapses=Lapses()), "lapses belong to choices"),
    "weak lapses": (lambda: Lapses(strength=1.0), "strength .* must be at least 2.0, got 1.0"),
    "one class": (lambda: Categorical(1), "n_classes must be a whole number of at least 2, got 1"),
    "one-hot covariates": (lambda: HMMGLM(2, prior=OneHot(), covariates="u"), "leave out the covariates"),
    "one-hot without a past": (lambda: HMMGLM(2, prior=OneHot(), history=NoHistory()), "give a history"),
    "one-hot bumps": (lambda: HMMGLM(2, prior=OneHot(), history=RaisedCosine()), "one weight for each pair"),
    "horseshoe taps": (lambda: HMMGLM(2, prior=Horseshoe(), history=Taps()), "one weight for each pair"),
    "past of classes": (lambda: HMMGLM(2, family=Categorical(3), history=Taps()), "put it into the covariates"),
    "bumps beyond": (lambda: RaisedCosine(5, 3), "length of as many bins, got 3"),
    "driven ridge": (lambda: Driven(sd=0), "sd must be a number above 0, got 0"),
    "channels twice": (lambda: HMMGLM(2, channels=("a", "a")), "different names"),
}

DATA: dict[str, tuple[HMMGLM, Callable[[], Recording], str]] = {
    "negative count": (HMMGLM(2), lambda: counts(np.full((60, 1), -1)), "value is -1.*whole numbers of at least 0"),
    "fraction": (HMMGLM(2), lambda: counts(np.full((60, 1), 0.5)), "value is 0.5.*whole numbers"),
    "infinite": (HMMGLM(2), lambda: counts(np.full((60, 1), np.inf)), "Infinite values are refused"),
    "values for counts": (
        HMMGLM(2),
        lambda: Recording.of({"x": np.ones((60, 1))}),
        r"which signal shall.*kinds=\{name: .counts.\}",
    ),
    "named values": (HMMGLM(2, signal="x"), lambda: Recording.of({"x": np.ones((60, 1))}), "signal x.*kind counts"),
    "too many states": (HMMGLM(7), counts, "60 observed samples are too few for n_states=7"),
    "short sequence": (HMMGLM(2, history=Taps(60)), counts, "sequence 0: 60 bins, but the history is 60 long"),
    "no neuron left": (HMMGLM(2, channels=("9",)), counts, "no channel '9'"),
    "silent neuron": (HMMGLM(2), lambda: counts(np.eye(2, dtype=int)[np.zeros(60, int)]), "channel 1: not a single"),
    "one class only": (CHOICE, lambda: choices(np.zeros(60, int)), "every choice is 0"),
    "label beyond": (CHOICE, lambda: choices(np.arange(60) % 3), r"label is 2, but .* 0 to 1.*n_classes=3"),
    "class never chosen": (
        HMMGLM(2, family=Categorical(4)),
        lambda: choices(np.arange(60) % 3),
        "class 3 is never chosen",
    ),
    "flat covariate": (CHOICE, lambda: choices(covariates=np.ones((60, 1))), "'0' never changes"),
    "no such covariates": (HMMGLM(2, family=Bernoulli(), covariates="stim"), choices, "no signal 'stim'"),
    "no inputs": (HMMGLM(2, family=Bernoulli(), driven=Driven()), choices, "no signal 'inputs'"),
    "flat channel": (
        HMMGLM(2, family=Gaussian()),
        lambda: Recording.of({"x": np.ones((60, 1))}),
        "channel 0: it never changes",
    ),
}


@pytest.mark.parametrize(("make", "message"), MODELS.values(), ids=MODELS)
def test_choices_that_make_no_sense_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(("model", "make", "message"), DATA.values(), ids=DATA)
def test_data_that_cannot_be_learned_from_are_refused(model, make, message):
    with pytest.raises(InputError, match=message):
        model.select(make(), for_training=True)


WARNINGS: dict[str, tuple[HMMGLM, Callable[[], Recording], str]] = {
    "few spikes": (HMMGLM(2), lambda: counts((np.arange(60) % 20 == 0)[:, None].astype(int)), "fewer than 10 spikes"),
    "frequent": (HMMGLM(2), lambda: counts(np.full((60, 1), 30) + np.arange(60)[:, None]), "another bin width"),
    "collinear": (
        CHOICE,
        lambda: choices(covariates=np.random.default_rng(0).normal(size=(60, 1)) * np.array([[1.0, 2.0]])),
        "0, 1 depend on each other",
    ),
}


@pytest.mark.parametrize(("model", "make", "message"), WARNINGS.values(), ids=WARNINGS)
def test_doubtful_data_are_warned_of(model, make, message):
    with pytest.warns(ModelWarning, match=message):
        model.select(make(), for_training=True)


@pytest.mark.parametrize(
    ("prior", "engine", "message"),
    [
        (Horseshoe(), EM(), "take NUTS or SVI"),
        (SpikeSlab(), EM(), "take NUTS"),
        (OneHot(), nl.SVI(), "prior SpikeSlab"),
    ],
)
def test_engines_that_a_prior_does_not_suit_are_refused(prior, engine, message):
    with pytest.raises(InputError, match=message):
        nl.fit(HMMGLM(2, prior=prior), counts(), engine=engine)


def test_a_schedule_that_does_not_fit_into_the_steps_is_refused():
    with pytest.raises(InputError, match="steps must exceed the 40 steps"):
        nl.fit(HMMGLM(2, prior=OneHot()), counts(), engine=EM(steps=40))


def test_a_start_of_another_model_is_refused():
    with pytest.raises(InputError, match="start='auto' or 'random', not 'kmeans'"):
        nl.fit(HMMGLM(2), counts(), engine=EM(start="kmeans"))


def test_the_bias_among_the_covariates_is_the_models_own():
    x = np.stack([np.ones(60), np.random.default_rng(0).normal(size=60)], axis=1)
    made = choices().with_signal("covariates", make_signal(x, channels=["bias", "stimulus"]))
    assert CHOICE.select(made, for_training=True).data.x.shape[-1] == 1
    assert CHOICE.coordinates(made)["regressor"] == ["stimulus"]


def test_counts_that_feed_themselves_are_not_simulated():
    none = np.zeros(0)
    weights = np.zeros((1, 2, 2))
    weights[0] = [[0.5, 0.6], [0.6, 0.5]]
    params = HMMGLMParams(np.ones(1), np.ones((1, 1)), weights, np.zeros((1, 2)), *[none] * 10)
    model = HMMGLM(1, self_coupling="none")
    with pytest.raises(InputError, match="state 1 .* spectral radius .* 1.1, at most 0.9"):
        model.simulate(params, jax.random.key(0), [50])
    assert model.simulate(params._replace(weights=0.5 * weights), jax.random.key(0), [50]).n_samples == 50


def test_probabilities_that_do_not_sum_to_one_are_refused():
    values = {"initial": [1.0], "transition": [[0.9]], "weights": np.zeros((1, 2, 2)), "bias": np.zeros((1, 2))}
    with pytest.raises(InputError, match=r"transition: rows of probabilities must sum to 1, got \[\[0.9\]\]"):
        HMMGLM(1, self_coupling="none").params_from(values)


def test_the_synthetic_network_is_that_of_the_specification():
    made = synthetic_network(0)
    assert made.recording.signal("spikes").values.sum() == 68_584
    assert made.recording.signal("state").values.sum() == 15_816
    np.testing.assert_allclose(made.params.weights.sum(), -12.139111, atol=5e-7)
    share = [(np.asarray(made.params.types)[..., k] == 1).mean() for k in range(3)]
    np.testing.assert_allclose(share, [0.1433, 0.7633, 0.0933], atol=5e-5)
