"""The simulated experiments against a second reading of their description, draw by draw."""

import numpy as np
from scipy.ndimage import rotate

from neurolatent.models.gpvae.synthetic import digits_case, gpfa_case, images


def factor(bins: int) -> np.ndarray:
    lag = np.arange(bins)[:, None] - np.arange(bins)
    return np.linalg.cholesky(np.exp(-(lag**2) / 200) + 1e-8 * np.eye(bins))


def test_draws_come_in_the_order_of_the_description():
    made, rng = digits_case(32, n_trials=3, bins=20, n_neurons=4), np.random.default_rng(32)
    g = [rng.normal(size=(3, 20)) @ factor(20).T for _ in range(3)]
    g = [np.sqrt(0.3) * g[0], np.sqrt(0.5) * g[1], 1 + np.sqrt(0.8) * g[2]]
    weights, offset = 1.5 * rng.uniform(-1, 1, (4, 2)), 0.5 * rng.uniform(-1, 1, 4)
    rates = np.exp(g[0][..., None] * weights[:, 0] + g[1][..., None] * weights[:, 1] + offset)
    truth = made.signal("latents")
    assert truth.names == ["neural 0", "shared 0", "behaviour 0"]
    np.testing.assert_allclose(truth.values, np.stack([g[1], g[0], g[2]], axis=-1).reshape(60, 3))
    np.testing.assert_array_equal(made.signal("spikes").values, rng.poisson(rates).reshape(60, 4))


def test_mean_count_and_variances_are_those_of_the_description():
    made = digits_case(32)
    assert 1.2 < made.signal("spikes").values.mean() < 1.5  # about 1.35
    np.testing.assert_allclose(made.signal("latents").values.var(axis=0), [0.5, 0.3, 0.8], rtol=0.2)


def test_an_image_turns_as_rotate_turns_it():
    still = images(np.zeros((1, 1)), np.ones((1, 1)), "single")[0, 0]
    turned = images(np.full((1, 1), 0.25), np.ones((1, 1)), "single")[0, 0]  # 30 degrees
    want = [rotate(still, angle, reshape=False, order=1) for angle in (30, -30)]
    assert min(np.abs(turned - other).max() for other in want) < 1e-10
    assert still.shape == (12, 12)
    assert 0.9 < still.max() <= 1.0
    np.testing.assert_array_equal(still[:2], 0.0)
    small = images(np.zeros((1, 1)), np.full((1, 1), 0.0), "single")[0, 0]  # held at 0.3
    assert 0 < (small > 0).sum() < (still > 0).sum() / 4


def test_a_single_image_tells_at_most_four_fifths_of_the_third_latent():
    """Images show its size, not its sign: the best guess from one is E[g | |g|] = |g| tanh(|g| / 0.8)."""
    g = 1 + np.sqrt(0.8) * np.random.default_rng(0).normal(size=1_000_000)
    size = np.abs(g)
    best = size * np.tanh(size / 0.8)
    assert 0.78 < np.corrcoef(best, g)[0, 1] ** 2 < 0.80
    assert np.corrcoef(np.clip(size, 0.3, 3), g)[0, 1] ** 2 < 0.80


def test_gpfa_case_has_clock_rates_and_truth():
    made = gpfa_case(0)
    assert (made.n_sequences, made.bin_width, made.clock_unit) == (40, 0.02, "s")
    counts, rates = made.signal("spikes").values, made.signal("true_rates").values
    assert abs(((counts - rates) ** 2 / rates).mean() - 1) < 0.01
