r"""How many latents the data can hold at most, before any fit: the linear theory of posterior collapse.

At loadings of zero a latent with covariance K over time grows from nothing where an eigenvalue of

.. math:: S = \frac{1}{\sum_m tr K_m} \sum_m \sum_f c_f\, r_{mf} r_{mf}^T

exceeds the variance of the noise, 1 for residuals that are scaled by it (Poisson: (y - mean) / sqrt(mean)), over the
weight of the likelihood. Here :math:`r_{mf}` are the coefficients of a sequence's residuals in the Fourier basis and c
their prior variances; the number of such eigenvalues bounds the number of latents of that length scale.

Under exponential rates a strong latent fills more than one direction of S: the covariance of two counts over the
product of their means is :math:`e^{w_n^T w_m k} - 1`. For counts its logarithm stands in the place of that ratio, which
leaves one direction for each latent. (The average over lags comes before the logarithm, so that strong latents, whose
log rates vary with a variance near 1, may still count once more.) Chance moves the largest eigenvalue above 1; how far,
shuffled data tell, or the edge of Marchenko and Pastur (1967). Where log rates vary by far more, shuffled counts are so
heavy-tailed that weaker latents hide below them.

References: Dang, Tran, Nguyen and Ho (2024), ICLR, arXiv 2306.05023; Lucas, Tucker, Grosse and Norouzi (2019), NeurIPS.
"""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from neurolatent.checks import InputError, positive, whole_number
from neurolatent.ops.fourier_gp import FourierBasis
from neurolatent.recording import Recording

LEAST_RATIO = -0.9  # of a covariance to the product of the means, before its logarithm
NULL_LEVEL = 0.95  # quantile of the largest eigenvalue of shuffled data
LEAST_COUNT = 1  # spikes of a neuron that is asked


class MostLatents(NamedTuple):
    """How many latents of one length scale data can hold."""

    eigenvalues: Float[np.ndarray, " channels"]  # largest first; of two signals singular values
    threshold: float  # above it a latent can grow: the larger one of 1 / weight (of one signal) and of shuffled data
    edge: float  # largest eigenvalue of noise by Marchenko and Pastur; NaN of two signals
    most: int  # eigenvalues above the threshold


def most_latents(
    recording: Recording,
    signal: str = "spikes",
    *,
    lengthscale: float | int = 10.0,
    weight: float | int = 1.0,
    shuffles: int = 100,
    seed: int = 0,
) -> MostLatents:
    """At most so many latents of a length scale can be learned from one signal.

    Counts are scaled as Poisson counts, other values by their standard deviation, which bounds their noise: of these
    the count is cautious.

    Args:
        lengthscale: Bins.
        weight: Of the signal's likelihood in what is climbed, relative to the divergence.
        shuffles: Times that each channel's samples are shuffled by themselves, to see what chance does.

    Raises:
        InputError: No such signal, or settings out of range.
    """
    positive("weight", weight)
    parts, means = _residuals(recording, signal, lengthscale, shuffles)
    kernels = [_kernel(len(part), float(lengthscale)) for part in parts]
    total, whole, squares = (sum(getattr(k, name) for k in kernels) for name in ("trace", "whole", "square"))
    level = None if means is None else np.sqrt(means * whole / total)
    values = _eigenvalues(_weighted(parts, lengthscale), total, level)
    rng, ends, rows = np.random.default_rng(seed), np.cumsum(recording.lengths)[:-1], np.concatenate(parts)
    largest = []
    for _ in range(shuffles):
        mixed = np.split(rng.permuted(rows, axis=0), ends)
        largest.append(_eigenvalues(_weighted(mixed, lengthscale), total, level)[0])
    threshold = max(1.0 / weight, float(np.quantile(largest, NULL_LEVEL)))
    edge = (1 + np.sqrt(rows.shape[1] * squares / total**2)) ** 2
    return MostLatents(values, threshold, float(edge), int((values > threshold).sum()))


def most_shared(
    recording: Recording,
    first: str = "spikes",
    second: str = "behaviour",
    *,
    lengthscale: float | int = 10.0,
    shuffles: int = 100,
    seed: int = 0,
) -> MostLatents:
    """At most so many latents of a length scale are shared by two signals.

    Asked are the singular values of the cross-covariance of their smooth parts, each whitened; chance is what remains
    where the sequences of one signal are permuted against the other's.

    Raises:
        InputError: No such signal, sequences of unequal length, or settings out of range.
    """
    if len(set(recording.lengths.tolist())) > 1:
        raise InputError(f"{recording.title}: sequences are permuted, so all must have one length. Cut them first.")
    pairs = [_residuals(recording, name, lengthscale, shuffles)[0] for name in (first, second)]
    ours, theirs = (_whitened(_weighted(parts, lengthscale)) for parts in pairs)
    values = _singular(ours, theirs)
    rng, largest = np.random.default_rng(seed), []
    for _ in range(shuffles):
        largest.append(_singular(ours, [theirs[k] for k in rng.permutation(len(theirs))])[0])
    threshold = float(np.quantile(largest, NULL_LEVEL))
    return MostLatents(values, threshold, float("nan"), int((values > threshold).sum()))


def _residuals(
    recording: Recording, name: str, lengthscale: float | int, shuffles: int
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """(time, channels) of each sequence, with mean 0 and noise of variance 1; 0 where nothing was observed.

    Beside it the means of counts; None of other values.
    """
    positive("lengthscale", lengthscale)
    whole_number("shuffles", shuffles, 1)
    signal = recording.signal(name)
    values, seen = (part.reshape(recording.n_samples, -1) for part in (signal.filled().astype(float), signal.observed))
    count = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, values, 0).sum(axis=0) / count
    off = np.where(seen, values - mean, 0.0)
    is_counts = signal.kind == "counts"
    variance = mean if is_counts else (off**2).sum(axis=0) / count
    keep = mean * count >= LEAST_COUNT if is_counts else variance > 0
    scaled = off[:, keep] / np.sqrt(variance[keep])
    return [scaled[part] for part in recording.slices()], mean[keep] if is_counts else None


class _Kernel(NamedTuple):
    """The kernel of a latent on so many bins."""

    root: np.ndarray  # (F, bins) the basis times roots of prior variances
    trace: float
    whole: float  # sum of all its entries
    square: float  # trace of its square


@functools.lru_cache(maxsize=256)
def _kernel(bins: int, lengthscale: float) -> _Kernel:
    basis = FourierBasis(bins, lengthscale)
    root = np.sqrt(np.asarray(basis.prior_var(lengthscale), float))[:, None] * basis.B
    return _Kernel(
        root, float((root**2).sum()), float((root.sum(axis=1) ** 2).sum()), float(((root @ root.T) ** 2).sum())
    )


def _weighted(parts: list[np.ndarray], lengthscale: float | int) -> list[np.ndarray]:
    """(F, channels) of each sequence: coefficients times the root of their prior variance."""
    return [_kernel(len(part), float(lengthscale)).root @ part for part in parts]


def _eigenvalues(weighted: list[np.ndarray], total: float, level: np.ndarray | None) -> np.ndarray:
    """Eigenvalues of S, largest first; of counts with the logarithm in the place of ratios to the level's product."""
    stacked = np.concatenate(weighted)
    S = stacked.T @ stacked / total
    if level is not None:
        noise, product = np.eye(len(S)), np.outer(level, level)
        S = noise + product * np.log1p(np.maximum((S - noise) / product, LEAST_RATIO))
    return np.linalg.eigvalsh(S)[::-1]


def _whitened(weighted: list[np.ndarray]) -> list[np.ndarray]:
    """Each sequence's coefficients in orthonormal directions over all of them; those of hardly any weight left out."""
    stacked = np.concatenate(weighted)
    left, values, _ = np.linalg.svd(stacked, full_matrices=False)
    kept = left[:, values > 1e-6 * values[0]]
    return np.split(kept, np.cumsum([len(w) for w in weighted])[:-1])


def _singular(ours: list[np.ndarray], theirs: list[np.ndarray]) -> np.ndarray:
    """Singular values of the whitened cross-covariance: canonical correlations of the smooth parts."""
    return np.linalg.svd(sum(a.T @ b for a, b in zip(ours, theirs, strict=True)), compute_uv=False)
