"""The simulated experiments against a second reading of their description, draw by draw."""

import functools
import itertools
import json
from pathlib import Path

import numpy as np
from scipy.ndimage import rotate
from scipy.optimize import minimize_scalar

from benchmarks.records.gpvae_digits import TRAINED, told_by_an_image
from neurolatent.models.gpvae.synthetic import ZOOM, digits_case, gpfa_case, images
from neurolatent.recording import Recording

RECORD = Path(__file__).parents[3] / "benchmarks" / "records" / "gpvae_digits.json"


@functools.cache
def recorded_draw(seed: int) -> Recording:
    """A draw of the record; with one neuron, for whoever looks at its third latent alone."""
    return digits_case(seed, n_neurons=1)


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


def test_large_images_are_the_small_ones_enlarged():
    turn, zoom = np.linspace(-1, 1, 3)[None], np.array([[0.7, 1.0, 1.0]])
    small, large = (images(turn, zoom, "cycle", size) for size in ("small", "large"))
    assert large.shape == (1, 3, 36, 36)
    share = lambda picture: picture.mean() * picture.size  # noqa: E731
    for a, b in zip(small[0], large[0], strict=True):
        assert abs(share(b) / 3.5**2 / share(a) - 1) < 0.05
        height = [(part.sum(axis=1) @ np.arange(len(part))) / part.sum() - (len(part) - 1) / 2 for part in (a, b)]
        assert abs(height[1] / 3.5 - height[0]) < 0.1
    assert not np.allclose(small[0, 1], images(turn, zoom, "single")[0, 1])


def test_a_single_image_tells_at_most_four_fifths_of_the_third_latent():
    """Images show its size, not its sign: the best guess from one is E[g | |g|] = |g| tanh(|g| / 0.8)."""
    g = 1 + np.sqrt(0.8) * np.random.default_rng(0).normal(size=1_000_000)
    size = np.abs(g)
    best = size * np.tanh(size / 0.8)
    assert 0.78 < np.corrcoef(best, g)[0, 1] ** 2 < 0.80
    assert np.corrcoef(np.clip(size, 0.3, 3), g)[0, 1] ** 2 < 0.80


def test_on_the_recorded_draws_no_function_of_one_image_reaches_the_aim():
    """0.85 in the median is out of reach of an encoder that hears one image at a time; ours is near what is in it."""
    each = json.loads(RECORD.read_text("utf-8"))["each"]
    for seed, run in enumerate(each, 1):
        made = recorded_draw(seed)
        told = told_by_an_image(made.take(made.ids[:TRAINED]), made.take(made.ids[TRAINED:]))
        assert abs(run["told_by_an_image"] - told) < 1e-3
        assert 0.9 < run["r2.behaviour"] / told < 1.05
    assert len(each) == 5
    assert np.median([run["told_by_an_image"] for run in each]) < 0.85


def of_a_trial(shown: np.ndarray, noise: float = 0.05) -> np.ndarray:
    """E[g | all sizes of a trial], by a dense GP for every choice of signs of the stretches between the smallest sizes.

    A size at either limit of the zoom says only on which side of it g is.
    """
    above, capped = shown > ZOOM[0], shown >= ZOOM[1]
    edges = np.flatnonzero(np.diff(np.r_[0, above.astype(int), 0])).reshape(-1, 2)
    kernel = 0.8 * factor(len(shown)) @ factor(len(shown)).T
    spread = np.where(~above, ZOOM[0] ** 2 / 3, np.where(capped, 0.3**2, noise**2))
    weights = np.linalg.inv(kernel + np.diag(spread))
    logs, means = [], []
    for signs in itertools.product((1, -1), repeat=len(edges)):
        value = np.zeros(len(shown))
        for (start, stop), sign in zip(edges, signs, strict=True):
            value[start:stop] = sign * (shown + 0.3 * capped)[start:stop]
        solved = weights @ (value - 1)
        logs.append(-0.5 * (value - 1) @ solved)
        means.append(1 + kernel @ solved)
    share = np.exp(np.array(logs) - max(logs))
    return share @ np.array(means) / share.sum()


def test_a_reader_of_whole_trials_who_knows_the_simulation_tells_more_than_one_image():
    """The sign of the third latent is in its course: 0.85 is within reach of a reader who knows its law."""
    told = []
    for seed in range(1, 6):
        g = recorded_draw(seed).signal("latents").values[60 * TRAINED :, 2].reshape(-1, 60)
        read = np.array([of_a_trial(size) for size in np.clip(np.abs(g), *ZOOM)])
        told.append(1 - ((read - g) ** 2).sum() / ((g - g.mean()) ** 2).sum())
    assert 0.9 < np.median(told) < 0.97
    assert min(told) > 0.85


def likeliest_scale(values: np.ndarray, nugget: float = 1e-3) -> float:
    """Length scale of a dense GP of unit variance, by marginal likelihood; the nugget is that of the model's prior."""
    y = ((values - values.mean()) / values.std()).T
    lag = np.subtract.outer(np.arange(len(y)), np.arange(len(y)))

    def cost(log_scale: float) -> float:
        root = np.linalg.cholesky(np.exp(-0.5 * (lag / np.exp(log_scale)) ** 2) + nugget * np.eye(len(y)))
        return 0.5 * (np.linalg.solve(root, y) ** 2).sum() / y.shape[1] + np.log(np.diagonal(root)).sum()

    return float(np.exp(minimize_scalar(cost, (np.log(5.0), np.log(10.0))).x))


def test_the_size_of_the_third_latent_has_about_the_length_scale_that_was_learned():
    """Images show |g|, whose kinks where g passes zero shorten its length scale from 10 to 7."""
    learned, of_size = json.loads(RECORD.read_text("utf-8"))["figures"]["lengthscale.behaviour_0.median"], []
    for seed in range(1, 6):
        g = recorded_draw(seed).signal("latents").values[: 60 * TRAINED, 2].reshape(TRAINED, 60)
        assert 9.5 < likeliest_scale(g) < 10.7
        of_size.append(likeliest_scale(np.clip(np.abs(g), *ZOOM)))
        assert 6.5 < of_size[-1] < 7.1
    assert 7.5 < likeliest_scale(np.clip(np.abs(g), *ZOOM), 1e-2) < 8.5  # kinks have no length scale of their own
    assert abs(np.median(of_size) - learned) < 0.7


def test_gpfa_case_has_clock_rates_and_truth():
    made = gpfa_case(0)
    assert (made.n_sequences, made.bin_width, made.clock_unit) == (40, 0.02, "s")
    counts, rates = made.signal("spikes").values, made.signal("true_rates").values
    assert abs(((counts - rates) ** 2 / rates).mean() - 1) < 0.01
