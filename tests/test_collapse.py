"""How many latents data can hold: against sums over the dense kernel, noise, and simulated latents."""

import numpy as np
import pytest

from neurolatent.diagnostics.collapse import most_latents, most_shared
from neurolatent.models.gpvae.synthetic import gaussian_process, gpfa_case
from neurolatent.recording import Recording


def noise(seed: int) -> Recording:
    counts = np.random.default_rng(seed).poisson(1.5, size=(20, 40, 8))
    return Recording.of({"spikes": list(counts)}, kinds={"spikes": "counts"})


def test_eigenvalues_are_those_of_sums_over_the_dense_kernel():
    made = gpfa_case(3, n_trials=6, bins=30, n_neurons=5)
    got = most_latents(made, lengthscale=6.0, shuffles=1)
    counts = made.signal("spikes").values.reshape(6, 30, 5).astype(float)
    rate = counts.mean(axis=(0, 1))
    S, weight = np.zeros((5, 5)), 0.0
    for trial in counts:
        r = (trial - rate) / np.sqrt(rate)
        for t in range(30):
            weight += 1.0
            for u in range(30):
                S += np.exp(-0.5 * ((t - u) / 6.0) ** 2) * np.outer(r[t], r[u])
    np.testing.assert_allclose(got.eigenvalues, np.linalg.eigvalsh(S / weight)[::-1], rtol=2e-3)
    kernel = np.exp(-0.5 * (np.subtract.outer(np.arange(30), np.arange(30)) / 6.0) ** 2)
    n_eff = 6 * np.trace(kernel) ** 2 / (kernel**2).sum()
    assert got.edge == pytest.approx((1 + np.sqrt(5 / n_eff)) ** 2, rel=1e-3)


def test_noise_holds_no_latent():
    found = [most_latents(noise(seed), lengthscale=5.0, seed=1000 + seed) for seed in range(20)]
    assert sum(got.most > 0 for got in found) <= 3  # chance: one in twenty
    assert np.mean([got.eigenvalues[0] < 1.1 * got.edge for got in found]) > 0.9
    np.testing.assert_allclose([got.eigenvalues.mean() for got in found], 1, atol=0.15)


def test_two_weak_latents_are_counted_as_two_and_strong_ones_at_least():
    rng = np.random.default_rng(5)
    z = np.stack([gaussian_process(rng, 40, 60, 0.5) for _ in range(2)], axis=-1)
    counts = rng.poisson(1.5 * np.exp(0.5 * z @ rng.uniform(-1, 1, (2, 20))))
    weak = Recording.of({"spikes": list(counts)}, kinds={"spikes": "counts"})
    assert most_latents(weak).most == 2
    assert most_latents(gpfa_case(0)).most >= 2


@pytest.mark.parametrize("n_shared", [0, 1])
def test_shared_latents_are_counted(n_shared):
    rng = np.random.default_rng(n_shared)
    z = np.stack([gaussian_process(rng, 40, 40, 0.6) for _ in range(3)], axis=-1)
    counts = rng.poisson(np.exp(z[..., :2] @ rng.uniform(-1, 1, (2, 10))))
    told = z[..., [1 if n_shared else 2, 2]] @ np.array([[1.0, 1.0, -0.5], [0.2, -1.0, 1.0]])
    told = told + 0.5 * rng.normal(size=told.shape)
    made = Recording.of({"spikes": list(counts), "behaviour": list(told)}, kinds={"spikes": "counts"})
    assert most_shared(made).most == n_shared
