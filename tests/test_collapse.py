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
    kernel = np.exp(-0.5 * (np.subtract.outer(np.arange(30), np.arange(30)) / 6.0) ** 2)
    C = np.zeros((5, 5))
    for trial in counts - rate:
        for t in range(30):
            for u in range(30):
                C += kernel[t, u] * np.outer(trial[t], trial[u])
    ratio = (C - 180 * np.diag(rate)) / np.outer(rate, rate) / (6 * kernel.sum())  # of covariances to products of means
    root = np.sqrt(rate)
    S = np.eye(5) + np.outer(root, root) * np.log(1 + ratio) * 6 * kernel.sum() / 180
    np.testing.assert_allclose(got.eigenvalues, np.linalg.eigvalsh(S)[::-1], rtol=2e-3)
    n_eff = 6 * np.trace(kernel) ** 2 / (kernel**2).sum()
    assert got.edge == pytest.approx((1 + np.sqrt(5 / n_eff)) ** 2, rel=1e-3)


def test_noise_holds_no_latent():
    found = [most_latents(noise(seed), lengthscale=5.0, seed=1000 + seed) for seed in range(20)]
    assert sum(got.most > 0 for got in found) <= 3  # chance: one in twenty
    assert np.mean([got.eigenvalues[0] < 1.1 * got.edge for got in found]) > 0.9
    np.testing.assert_allclose([got.eigenvalues.mean() for got in found], 1, atol=0.15)


def with_latents(seed: int, n_latents: int, scale: float) -> Recording:
    rng = np.random.default_rng(seed)
    z = np.stack([gaussian_process(rng, 40, 60, 0.5) for _ in range(n_latents)], axis=-1)
    counts = rng.poisson(1.5 * np.exp(z @ (scale * rng.uniform(-1, 1, (n_latents, 30)))))
    return Recording.of({"spikes": list(counts)}, kinds={"spikes": "counts"})


@pytest.mark.parametrize("n_latents", [1, 2, 3, 5])
def test_latents_are_counted_and_strong_ones_hardly_more_than_once(n_latents):
    for scale, more in ((0.25, 0), (0.5, 0), (1.0, 2)):
        found = [most_latents(with_latents(seed, n_latents, scale), shuffles=20).most for seed in range(3)]
        assert min(found) >= n_latents
        assert max(found) <= n_latents + more


def test_a_likelihood_of_less_weight_holds_fewer_latents():
    made = with_latents(0, 3, 0.25)
    heavy, light = most_latents(made, shuffles=20), most_latents(made, weight=0.1, shuffles=20)
    assert light.threshold == pytest.approx(10.0)
    assert heavy.most == 3
    assert light.most == (heavy.eigenvalues > 10).sum() == 2


@pytest.mark.parametrize("n_shared", [0, 1])
def test_shared_latents_are_counted(n_shared):
    rng = np.random.default_rng(n_shared)
    z = np.stack([gaussian_process(rng, 40, 40, 0.6) for _ in range(3)], axis=-1)
    counts = rng.poisson(np.exp(z[..., :2] @ rng.uniform(-1, 1, (2, 10))))
    told = z[..., [1 if n_shared else 2, 2]] @ np.array([[1.0, 1.0, -0.5], [0.2, -1.0, 1.0]])
    told = told + 0.5 * rng.normal(size=told.shape)
    made = Recording.of({"spikes": list(counts), "behaviour": list(told)}, kinds={"spikes": "counts"})
    assert most_shared(made).most == n_shared
