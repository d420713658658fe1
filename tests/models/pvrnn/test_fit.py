"""From a recording to a saved fit: patterns of a small machine."""

import functools

import numpy as np
import pytest

import neurolatent as nl
from neurolatent.choices import MinibatchVI
from neurolatent.models.pvrnn import PVRNN, ErrorRegression, Layer, Symbols
from neurolatent.models.pvrnn.synthetic import fsm_case

MODEL = PVRNN((Layer(10, 1, 2.0),), likelihood=Symbols(3), w=0.025, recognition=ErrorRegression(whole=100))
QUICK = MinibatchVI(400, None, 5e-3, 5e-3, clip=None, validation=0.0)


@functools.cache
def fitted():
    return nl.fit(MODEL, fsm_case(0), engine=QUICK, seed=1)


def test_it_learns_the_training_sequences():
    fit, truth = fitted(), fsm_case(0).signal("symbol").values[:, 0]
    told = fit.idata["latents"]["probability"].values
    assert told.shape == (240, 3)
    assert list(fit.idata["latents"]["symbol"].values) == ["A", "B", "C"]
    assert (told.argmax(axis=1) == truth).mean() > 0.97
    trace = fit.idata["trace"]
    assert trace["rec"].values[0, -1] < 0.2 * trace["rec"].values[0, 0]
    np.testing.assert_allclose(trace["elbo"].values, -(trace["rec"].values + trace["kl.1"].values), rtol=1e-4)


def test_the_parts_add_up_to_the_objective():
    found = fitted().idata["latents"]
    first = found["loss"].values - found["rec"].values - 0.025 * found["kl"].values.sum(axis=1)
    np.testing.assert_allclose(first, 0.0, atol=1e-5)  # one channel, one latent: nothing is divided
    np.testing.assert_allclose(found["log_evidence"], -found["rec"] - found["kl"].sum("layer"), rtol=1e-9)


def test_new_sequences_are_recognised():
    fit, new = fitted(), fsm_case(7, sequences=5)
    told = fit.predict(new)
    guess = told["probability"].values.argmax(axis=1)
    assert (guess == new.signal("symbol").values[:, 0]).mean() > 0.9
    assert (told["kl"].values > 0).all()
    np.testing.assert_array_equal(fit.score(new), told["log_evidence"])


def test_a_saved_fit_is_the_same(tmp_path):
    fit = fitted()
    again = nl.Fit.load(fit.save(tmp_path / "fit.nc"))
    assert again.model == fit.model
    assert again.predict(fsm_case(7, sequences=3)).identical(fit.predict(fsm_case(7, sequences=3)))


def test_the_same_seed_gives_the_same_result():
    again = nl.fit(MODEL, fsm_case(0), engine=QUICK, seed=1)
    assert again.idata["latents"].identical(fitted().idata["latents"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine": MinibatchVI(10)}, "validation must be 0"),
        ({"model": PVRNN(likelihood=Symbols(2))}, "it holds the symbol 2, but count=2 ends before it"),
        ({"model": PVRNN()}, "UnitGaussian tells continuous"),
    ],
)
def test_what_cannot_be_learned_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        nl.fit(**{"model": MODEL, "recording": fsm_case(0), "engine": QUICK} | change)


def test_a_sequence_of_one_step_is_left_out_and_told():
    short = nl.Recording.of([np.zeros((1, 1)), np.linspace(-1, 1, 12)[:, None]])
    fit = nl.fit(PVRNN(), short, engine=MinibatchVI(4, None, validation=0.0))
    assert "1 step, at least 2 are needed" in fit.warnings[0]
    with pytest.raises(ValueError, match="no sequence is left"):
        nl.fit(PVRNN(), short.take(short.ids[:1]), engine=QUICK)
