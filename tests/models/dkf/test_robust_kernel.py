"""One channel goes astray: the robust multiple kernel hardly notices, where a Kalman filter loses its way."""

import numpy as np
import pytest

import neurolatent as nl
from neurolatent.baselines.kalman import kalman
from neurolatent.models.dkf import DKF
from neurolatent.models.regressors import MultipleKernel
from neurolatent.ops.decoding import nrmse
from neurolatent.recording import Recording

CHANNELS, TRAIN, TEST = 40, 5000, 1000


def tuned_counts(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A slow state in the plane, and Poisson counts of neurons with cosine tuning, z-scored over training rows."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(TRAIN + TEST, 2))
    for t in range(1, len(z)):
        z[t] = 0.95 * z[t - 1] + np.sqrt(1 - 0.95**2) * z[t]
    turn, depth = rng.uniform(0, 2 * np.pi, CHANNELS), rng.uniform(0.2, 0.8, CHANNELS)
    rate = np.exp(rng.uniform(0, 1.5, CHANNELS) + depth * (z @ np.stack([np.cos(turn), np.sin(turn)])))
    x = rng.poisson(rate).astype(float)
    return z, (x - x[:TRAIN].mean(axis=0)) / x[:TRAIN].std(axis=0)


def recording(x: np.ndarray, z: np.ndarray) -> Recording:
    return Recording.of({"neural": x, "velocity": z}, bin_width=0.1)


@pytest.mark.slow
def test_the_best_channel_off_by_five_costs_the_multiple_kernel_little_and_a_kalman_filter_much():
    losses = {"kalman": [], "robust": []}
    for seed in range(3):
        z, x = tuned_counts(seed)
        best = np.argmax(np.abs(np.corrcoef(x[:TRAIN].T, z[:TRAIN].T)[:CHANNELS, CHANNELS:]).max(axis=1))
        astray = x[TRAIN:].copy()
        astray[:, best] += 5.0
        models = {"kalman": kalman("velocity"), "robust": DKF("velocity", regressor=MultipleKernel())}
        for name, model in models.items():
            fit = nl.fit(model, recording(x[:TRAIN], z[:TRAIN]))
            errors = [
                nrmse(z[TRAIN:], fit.predict(recording(seen, z[TRAIN:]))["filtered_mean"].values)
                for seen in (x[TRAIN:], astray)
            ]
            losses[name].append(errors[1] / errors[0] - 1)
    assert max(losses["robust"]) < 0.15
    assert np.median(losses["kalman"]) > 0.4
