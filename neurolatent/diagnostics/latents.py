"""Does what was learned hold up, of a model with continuous latents under a Gaussian-process prior?"""

from collections.abc import Iterable

import numpy as np

from neurolatent.diagnostics.rows import Row, graded
from neurolatent.result import Fit

KL_COLLAPSED, RATIO_COLLAPSED = 0.1, 0.95  # nats per sequence, posterior to prior variance: specification, section 13
EDGE = 0.02  # of the logarithmic range of length scales, at either end
KERNEL_ERROR = 0.05


def latent_rows(fit: Fit) -> Iterable[Row]:
    """Are all latents used, are length scales off their bounds, do the ends of a sequence not know each other?"""
    rows = [*_use_rows(fit)]
    if fit.model.has_lengthscale:
        rows.append(_bound_row(fit))
    if fit.model.domain == "fourier":
        rows.append(_kernel_row(fit))
    return rows


def _use_rows(fit: Fit) -> Iterable[Row]:
    found, names = fit.idata["latents"], [str(n) for n in fit.idata["latents"]["latent"].values]
    kl, ratio = (found[name].values.mean(axis=0) for name in ("kl", "var_ratio"))
    collapsed, superfluous = (np.isin(names, told(fit)) for told in (collapsed_latents, superfluous_latents))
    worth = found["gain"].values.mean(axis=0) / np.maximum(kl, 1e-12)
    return [
        Row(
            "least divergence of a latent from its prior (nats per sequence)",
            float(kl.min()),
            f">= {KL_COLLAPSED}",
            graded(float(kl.min()), not collapsed.any(), True),
            _advice(names, collapsed, "Collapsed: {}. Choose fewer latents."),
        ),
        Row(
            "largest ratio of posterior to prior variance",
            float(ratio.max()),
            f"<= {RATIO_COLLAPSED}",
            graded(float(ratio.max()), bool((ratio <= RATIO_COLLAPSED).all()), True),
            _advice(names, ratio > RATIO_COLLAPSED, "The data say next to nothing of {}: choose fewer latents."),
        ),
        Row(
            "least gain of a latent over its divergence",
            float(worth.min()),
            ">= 1",
            graded(float(worth.min()), not superfluous.any(), True),
            _advice(names, superfluous, "{} cost more than they gain the likelihood: choose fewer latents."),
        ),
    ]


def _bound_row(fit: Fit) -> Row:
    names = [str(n) for n in fit.idata["latents"]["latent"].values]
    low, high = np.log(fit.model.bounds(_longest(fit)))
    place = (np.log(np.asarray(fit.params.lengthscale)) - low) / (high - low)
    at_bound = (place < EDGE) | (place > 1 - EDGE)
    return Row(
        "length scales at a bound",
        float(at_bound.sum()),
        "0",
        graded(float(at_bound.sum()), not at_bound.any(), True),
        _advice(names, at_bound, "At a bound: {}. Change lengthscale or minlens, or choose fewer latents."),
    )


def _kernel_row(fit: Fit) -> Row:
    ell = np.asarray(fit.params.lengthscale)
    basis = fit.model.basis(_longest(fit))
    error = max(basis.kernel_error(float(e)) for e in ell)
    return Row(
        "largest error of the covariance that the basis gives",
        error,
        f"<= {KERNEL_ERROR}",
        graded(error, error <= KERNEL_ERROR, True),
        f"The circle is too short for a length scale of {ell.max():.3g} bins: raise longest, or lower minlens.",
    )


def _longest(fit: Fit) -> int:
    """Bins of the longest sequence."""
    return int(np.unique(fit.idata["latents"]["sample_sequence"].values, return_counts=True)[1].max())


def _advice(names: list[str], flags: np.ndarray, words: str) -> str:
    """Words with the names of what is flagged; none where nothing is."""
    return words.format(", ".join(n for n, flag in zip(names, flags, strict=True) if flag)) if flags.any() else ""


def collapsed_latents(fit: Fit) -> list[str]:
    """Names of the latents that no training sequence says anything of."""
    found = fit.idata["latents"]
    kl, ratio = (found[name].values.mean(axis=0) for name in ("kl", "var_ratio"))
    return [str(n) for n in found["latent"].values[(kl < KL_COLLAPSED) & (ratio > RATIO_COLLAPSED)]]


def superfluous_latents(fit: Fit) -> list[str]:
    """Names of the latents that gain the likelihood of the training sequences less than their divergence costs.

    The bound is higher without them. A latent too many is often superfluous long before it has collapsed.
    """
    found = fit.idata["latents"]
    gain, kl = (found[name].values.mean(axis=0) for name in ("gain", "kl"))
    return [str(n) for n in found["latent"].values[gain < kl]]
