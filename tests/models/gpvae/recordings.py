"""Small simulated recordings of latents that are known."""

import functools

import numpy as np

import neurolatent as nl
from neurolatent.recording import Recording


def latents(rng: np.random.Generator, trials: int, time: int, variances: tuple[float, ...], ell: float = 10.0) -> np.ndarray:
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
