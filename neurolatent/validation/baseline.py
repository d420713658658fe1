"""What a model without states and covariates says of held-out samples: one rate, one frequency, one Gaussian."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import gammaln

from neurolatent.recording import Signal

LEAST = 0.5  # events that a rate or a frequency is learned from at least: held-out data are never impossible


class Yardstick(NamedTuple):
    """In what a held-out score is counted."""

    figure: str  # name of the figure, such as bits_per_spike
    unit: str  # one of what the bits are per
    without: str  # what it is compared with, in words


BY_KIND = {
    "counts": Yardstick("bits_per_spike", "spike", "one constant rate per channel"),
    "binary": Yardstick("bits_per_trial", "trial", "the frequencies of the choices"),
    "category": Yardstick("bits_per_trial", "trial", "the frequencies of the choices"),
    "continuous": Yardstick("bits_per_sample", "sample", "one normal distribution per channel"),
}

BY_UNIT = {yardstick.unit: yardstick for yardstick in BY_KIND.values()}


def baseline_scores(
    signal: Signal, train: Bool[np.ndarray, " samples"], held: Bool[np.ndarray, " samples"]
) -> Float[np.ndarray, " samples"]:
    """(samples,) log likelihood of each held-out sample, nats, learned from the training samples; 0 elsewhere."""
    return baseline_of_entries(signal, train[:, None], held[:, None]).sum(axis=1)


def baseline_of_entries(
    signal: Signal, train: Bool[np.ndarray, "samples #channels"], held: Bool[np.ndarray, "samples #channels"]
) -> Float[np.ndarray, "samples channels"]:
    """Log likelihood of each held-out entry, nats, learned from the training entries of its channel; 0 elsewhere.

    Counts: Poisson with the mean count of each channel. Categories: their frequencies. Continuous values: normal with
    mean and variance of each channel.
    """
    seen = signal.observed.reshape(len(train), -1)
    values = np.where(seen, signal.values.reshape(len(train), -1), 0).astype(float)
    learns = {"counts": _poisson, "continuous": _normal}.get(signal.kind, _frequencies)
    return np.stack([learns(*columns) for columns in zip(values.T, (seen & train).T, (seen & held).T, strict=True)], 1)


def amounts(signal: Signal, held: Bool[np.ndarray, " samples"]) -> Float[np.ndarray, " samples"]:
    """(samples,) how much of its unit each held-out sample holds: spikes, or 1 where something was observed."""
    seen = signal.observed.reshape(len(held), -1) & held[:, None]
    if signal.kind == "counts":
        return np.where(seen, signal.values.reshape(len(held), -1), 0).sum(axis=1).astype(float)
    return seen.any(axis=1).astype(float)


def _poisson(x: np.ndarray, train: np.ndarray, held: np.ndarray) -> np.ndarray:
    rate = max(x[train].sum(), LEAST) / max(train.sum(), 1)
    return np.where(held, x * np.log(rate) - rate - gammaln(x + 1), 0.0)


def _frequencies(x: np.ndarray, train: np.ndarray, held: np.ndarray) -> np.ndarray:
    classes = x.astype(int)
    count = np.bincount(classes[train], minlength=int(classes[train | held].max(initial=0)) + 1).astype(float)
    share = np.maximum(count, LEAST)
    return np.where(held, np.log(share / share.sum())[np.where(held, classes, 0)], 0.0)


def _normal(x: np.ndarray, train: np.ndarray, held: np.ndarray) -> np.ndarray:
    variance = x[train].var()
    return np.where(held, -0.5 * (np.log(2 * np.pi * variance) + (x - x[train].mean()) ** 2 / variance), 0.0)
