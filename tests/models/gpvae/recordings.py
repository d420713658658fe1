"""Small simulated recordings of latents that are known."""

import functools
from typing import Any

import jax
import numpy as np

import neurolatent as nl
from neurolatent.models.gpvae import GPVAEParams
from neurolatent.models.gpvae.start import start_of
from neurolatent.recording import Recording


def latents(
    rng: np.random.Generator, trials: int, time: int, variances: tuple[float, ...], ell: float = 10.0
) -> np.ndarray:
    """(trials, time, latents) courses of Gaussian processes, by the Cholesky factor of the dense kernel."""
    lag = np.subtract.outer(np.arange(time), np.arange(time))
    factor = np.linalg.cholesky(np.exp(-0.5 * (lag / ell) ** 2) + 1e-8 * np.eye(time))
    drawn = factor @ rng.normal(size=(trials, len(variances), time, 1))
    return np.swapaxes(drawn[..., 0], 1, 2) * np.sqrt(variances)


@functools.cache
def gpfa_case(seed: int = 0, trials: int = 40, time: int = 60, neurons: int = 30) -> tuple[Recording, np.ndarray]:
    """Case 8.3 of the specification: spikes of two latents in bins of 20 ms, and the latents (trials, time, 2)."""
    rng = np.random.default_rng(seed)
    z = latents(rng, trials, time, (0.5, 0.5))
    counts = rng.poisson(1.5 * np.exp(z @ rng.uniform(-1, 1, (2, neurons))))
    made = Recording.of({"spikes": list(counts)}, kinds={"spikes": "counts"}, bin_width=0.02, name="gpfa")
    return made, z


def aligned_r2(train: np.ndarray, truth: np.ndarray, test: np.ndarray, test_truth: np.ndarray) -> np.ndarray:
    """R2 of each true latent on test rows, after an affine map that was fitted on training rows."""
    with_one = lambda rows: np.c_[rows, np.ones(len(rows))]  # noqa: E731
    affine = np.linalg.lstsq(with_one(train), truth, rcond=None)[0]
    error = test_truth - with_one(test) @ affine
    return 1 - (error**2).sum(axis=0) / ((test_truth - test_truth.mean(axis=0)) ** 2).sum(axis=0)


@functools.cache
def gpfa_fit() -> tuple[nl.Fit, Recording, Recording]:
    """A fit of the first 30 trials of the case, those trials, and the others."""
    made, _ = gpfa_case()
    train, test = made.take(made.ids[:30]), made.take(made.ids[30:])
    return nl.fit(nl.GPFA(2), train), train, test


def random_params(**choices: Any) -> tuple[nl.GPVAE, GPVAEParams]:
    """A model of six neurons and four channels of behaviour on a circle of its own, with random parameters."""
    model = nl.GPVAE(**{"decoder": (5,), "behaviour_encoder": (4,), "circle": 128, **choices})
    rng = np.random.default_rng(4)
    values = {"spikes": list(rng.poisson(2.0, (3, 16, 6))), "behaviour": list(rng.normal(size=(3, 16, 4)))}
    data = model.select(Recording.of(values, kinds={"spikes": "counts"}), for_training=True).data
    params = start_of(model, data, rng, 1)
    return model, params._replace(loadings=params.loadings + 0.5 * rng.normal(size=params.loadings.shape))


def with_gaps(model: nl.GPVAE, params: GPVAEParams, lengths: tuple[int, ...]) -> Recording:
    """Drawn from the model, a tenth of the bins of each signal missing."""
    made = model.simulate(params, jax.random.key(2), lengths)
    rng = np.random.default_rng(3)
    for name in made.signals:
        whole = made.signal(name)
        keep = np.ones(whole.values.shape, bool)
        keep[rng.random(len(keep)) < 0.1] = False
        made = made.with_signal(name, whole.masked(keep))
    return made
