r"""When a latent grows from nothing: the linear theory of collapse, for Gaussian-process priors.

A latent with covariance K and small loadings w (in units of the noise) changes the evidence by
:math:`\frac12 (w^T A w - w^T D w)` with

.. math:: A = \sum_m R_m^T K R_m, \qquad D = diag(\sum_m \sum_t K_{tt} s_{mtn}),

where R are residuals over their noise sd (of counts :math:`(y - \lambda) / \sqrt\lambda`) and s says what was observed.
So it grows, along an eigenvector, where an eigenvalue of :math:`S = D^{-1/2} A D^{-1/2}` exceeds the weight of the
divergence over that of the likelihood. On pure noise the mean of S is the identity.

References: Dang, Tran, Nguyen and Ho (2024), ICLR, arXiv 2306.05023, and Lucas et al. (2019), NeurIPS, for independent
samples; the form with a kernel and gaps is ours, tested against the exact evidence.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Root = Float[np.ndarray, "F time"]  # K = root^T root


class Side(NamedTuple):
    """The channels of one modality."""

    residual: Float[np.ndarray, "sequences time channels"]  # over their noise sd; 0 where nothing was observed
    seen: Float[np.ndarray, "sequences time channels"]  # 1 where it was


def smooth_moment(first: Side, second: Side, root: Root) -> Float[np.ndarray, "first second"]:
    """S of one set of channels (given twice), or between two sets; a channel without a value has a row of 0."""
    sides = [np.einsum("ft,mtn->mfn", root, side.residual, optimize=True) for side in (first, second)]
    power = (root**2).sum(axis=0)
    scale = [np.einsum("t,mtn->n", power, side.seen) ** 0.5 for side in (first, second)]
    outer = np.outer(*scale)
    return np.divide(np.einsum("mfi,mfj->ij", *sides, optimize=True), outer, out=np.zeros_like(outer), where=outer > 0)


def effective_samples(root: Root, n_sequences: int) -> float:
    """Number of independent samples that so many smooth courses are worth: sequences (tr K)^2 / tr K^2."""
    gram = root @ root.T
    return n_sequences * float(np.trace(gram) ** 2 / (gram**2).sum())


def noise_edge(n_channels: int, n_effective: float) -> float:
    """Largest eigenvalue of S on pure noise, where both numbers are large (Marchenko and Pastur, 1967)."""
    return float((1 + np.sqrt(n_channels / n_effective)) ** 2)


def shuffled(side: Side, generator: np.random.Generator) -> Side:
    """Each channel's values in an order of their own, over bins and sequences: noise of the same marginals."""
    shape = side.residual.shape
    rows = [values.reshape(-1, shape[-1]) for values in side]
    order = generator.permuted(np.broadcast_to(np.arange(len(rows[0]))[:, None], rows[0].shape), axis=0)
    return Side(*(np.take_along_axis(values, order, axis=0).reshape(shape) for values in rows))
