"""How many latents the data can feed, where it is known; and what each latent is worth, written out by hand."""

import numpy as np
import pytest

import neurolatent as nl
from neurolatent.diagnostics.collapse import collapse_table, expected_noise, latents_at_most
from tests.models.gpvae.recordings import gpfa_case, latents


def two_modalities(strength: float) -> nl.Recording:
    """Spikes of a private and a shared latent, and ten linear outputs of the shared and another private one."""
    rng = np.random.default_rng(3)
    z = latents(rng, 40, 60, (0.5, 0.5, 0.5))
    counts = rng.poisson(1.5 * np.exp(strength * z[..., :2] @ rng.uniform(-1, 1, (2, 20))))
    outputs = strength * z[..., 1:] @ rng.normal(size=(2, 10)) + 0.7 * rng.normal(size=(40, 60, 10))
    return nl.Recording.of({"spikes": list(counts), "behaviour": list(outputs)}, kinds={"spikes": "counts"})


def test_known_numbers_of_latents_are_told_before_a_fit():
    model = nl.GPVAE(n_neural=1, n_shared=1, n_behaviour=1)
    found = latents_at_most(model, two_modalities(0.4))
    assert {name: modes.n_latents for name, modes in found.items()} == {"neural": 2, "behaviour": 2, "shared": 1}
    assert found["neural"].collapse == pytest.approx(4.0)  # 20 neurons weigh half of their share beside ten outputs
    assert str(found["shared"]).startswith("at most 1 latents")


def test_pure_noise_feeds_no_latent():
    model = nl.GPVAE(n_neural=1, n_shared=1, n_behaviour=1, likelihood_weights="none")
    recording = two_modalities(0.0)
    found, edge = latents_at_most(model, recording), expected_noise(model, recording)
    assert [modes.n_latents for modes in found.values()] == [0, 0, 0]
    for name in ("neural", "behaviour"):
        assert found[name].noise == pytest.approx(edge[name], rel=0.25)


def test_a_weight_of_the_divergence_above_the_strongest_mode_collapses_all():
    recording, model = two_modalities(0.4).select("spikes"), nl.GPFA(2)
    first = latents_at_most(model, recording)["neural"].values[0]
    counts = [latents_at_most(model, recording, kl_weight=w * first)["neural"].n_latents for w in (0.99, 1.01)]
    assert counts == [1, 0]


def test_rates_far_from_linear_only_raise_the_bound_and_a_gap_leaves_it():
    recording = gpfa_case()[0]
    spikes = recording.signal("spikes")
    keep = np.random.default_rng(4).random(spikes.values.shape) < 0.7
    holed = recording.with_signal("spikes", spikes.masked(keep))
    whole, found = (latents_at_most(nl.GPFA(2), r)["neural"] for r in (recording, holed))
    assert whole.n_latents >= 2
    assert found.n_latents >= 2
    # The excess over noise rests on pairs of bins, of which 0.7 stay for each bin that stays.
    np.testing.assert_allclose(found.values[:2] - 1, 0.7 * (whole.values[:2] - 1), rtol=0.1)


@pytest.mark.slow
def test_a_latent_too_many_is_superfluous_and_gains_what_decoders_lose_without_it():
    recording = gpfa_case()[0]
    test = recording.take(recording.ids[30:])
    fit = nl.fit(nl.GPFA(3), recording.take(recording.ids[:30]))
    table, told = collapse_table(fit, test), fit.predict(test)
    counts, params = test.signal("spikes").values, fit.params

    def expected(loadings: np.ndarray) -> float:
        eta = told["latents"].values @ loadings + params.offset + np.log(test.bin_width)
        return float((counts * eta - np.exp(eta + 0.5 * told["latents_sd"].values ** 2 @ loadings**2)).sum())

    for p in range(3):
        loadings = np.array(params.loadings)
        loadings[p] = 0.0
        lost = (expected(np.asarray(params.loadings)) - expected(loadings)) / test.n_sequences
        assert table["gain"][p] == pytest.approx(lost, rel=1e-6, abs=1e-6)
    assert table["superfluous"].tolist() == [False, False, True]
    assert (table["gain"][:2] > 100).all()
