"""What each latent is worth, written out by hand."""

import numpy as np
import pytest

import neurolatent as nl
from neurolatent.diagnostics.latents import superfluous_latents
from tests.models.gpvae.recordings import gpfa_case, gpfa_fit


@pytest.mark.slow
def test_a_latent_too_many_is_superfluous_and_gains_what_decoders_lose_without_it():
    recording = gpfa_case()[0]
    test = recording.take(recording.ids[30:])
    fit = nl.fit(nl.GPFA(3), recording.take(recording.ids[:30]))
    told = fit.predict(test)
    gain = told["gain"].values.mean(axis=0)
    counts, params = test.signal("spikes").values, fit.params

    def expected(loadings: np.ndarray) -> float:
        eta = told["latents"].values @ loadings + params.offset + np.log(test.bin_width)
        return float((counts * eta - np.exp(eta + 0.5 * told["latents_sd"].values ** 2 @ loadings**2)).sum())

    for p in range(3):
        loadings = np.array(params.loadings)
        loadings[p] = 0.0
        lost = (expected(np.asarray(params.loadings)) - expected(loadings)) / test.n_sequences
        assert gain[p] == pytest.approx(lost, rel=1e-6, abs=1e-6)
    assert superfluous_latents(fit) == ["neural 2"]
    assert (gain[:2] > 100).all()
    assert nl.check(fit).verdict == "warn"
    assert superfluous_latents(gpfa_fit()[0]) == []
