"""How many latents can the data feed at most, before any fit; and what each latent is worth after one."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from neurolatent.checks import whole_number
from neurolatent.diagnostics.latents import KL_COLLAPSED, RATIO_COLLAPSED
from neurolatent.models.gpvae import GPVAE, GPVAEParams
from neurolatent.ops.collapse import Side, effective_samples, noise_edge, shuffled, smooth_moment
from neurolatent.recording import Recording
from neurolatent.result import Fit

NULLS = 20  # draws of noise, whose largest value is its edge: exceeded by noise once in 21 times


class Modes(NamedTuple):
    """Strengths of the smooth directions of the data, and the level that a latent must exceed to grow."""

    values: Float[np.ndarray, " modes"]  # eigenvalues of S, or singular values between modalities; largest first
    threshold: float  # the larger one of collapse and noise
    collapse: float  # weight of the divergence over that of the likelihood; 0 between modalities
    noise: float  # largest value on draws of noise
    n_latents: int  # modes above the threshold

    def __str__(self) -> str:
        """The finding in a line."""
        first = ", ".join(f"{v:.3g}" for v in self.values[: self.n_latents + 2])
        return f"at most {self.n_latents} latents (strengths {first}, ...; needed {self.threshold:.3g})"


def latents_at_most(
    model: GPVAE, recording: Any, *, kl_weight: float | int = 1.0, seed: int = 0, nulls: int = NULLS
) -> dict[str, Modes]:
    """How many latents of the model's length scale the data can feed, by the linear theory of collapse.

    ``neural`` bounds the neural and shared latents together, ``behaviour`` the shared and behaviour latents, ``shared``
    the shared ones. Nothing is fitted. Noise is what the model calls so: Poisson counts of each neuron's mean, other
    values in a shuffled order; between modalities, trials that do not belong together. The bound is not tight where
    rates are far from linear, for exp(z) has smooth directions of its own at z^2. And it speaks of the start, at
    loadings of 0: normal noise that shrinks while latents are found lets weaker ones follow.

    Args:
        model: Says which signals, the length scale, and the weights of the likelihoods.
        recording: Training data, prepared; whatever :meth:`Recording.of` takes.
        kl_weight: Of the divergence (beta).
        seed: Of the draws of noise.
        nulls: Number of these.

    Raises:
        InputError: A recording that the model cannot read.
    """
    whole_number("nulls", nulls, 1)
    data = model.select(Recording.of(recording), for_training=True).data
    root, generator = _root(model, data), np.random.default_rng(seed)
    weights = model.weights_of(data.y_seen.sum(), data.x_seen.sum())
    sides, found = _sides(model, data), {}
    for (name, side), weight in ((pair, weights[pair[0] == "behaviour"]) for pair in sides.items()):
        values = np.linalg.eigvalsh(smooth_moment(side, side, root))[::-1]
        is_count = name == "neural" and model.is_count
        null = [_largest(_noise(data, side, is_count, generator), root) for _ in range(nulls)]
        found[name] = _modes(values, kl_weight / weight if weight else np.inf, null)
    if len(sides) == 2 and len(data.y) > 1:
        found["shared"] = _between(sides["neural"], sides["behaviour"], root, generator, nulls)
    return found


def expected_noise(model: GPVAE, recording: Any) -> dict[str, float]:
    """Largest strength on pure noise by random matrix theory, to hold beside that of draws."""
    data = model.select(Recording.of(recording), for_training=True).data
    count = effective_samples(_root(model, data), len(data.y))
    sizes = {"neural": (data.y_seen.sum(axis=(0, 1)) > 0).sum(), "behaviour": (data.x_seen.sum(axis=(0, 1)) > 0).sum()}
    return {name: noise_edge(int(size), count) for name, size in sizes.items() if size}


def collapse_table(fit: Fit, recording: Any) -> pd.DataFrame:
    """What each latent is worth on a recording: one row per latent, with two verdicts.

    ``kl`` (nats per sequence), ``active``: mean square of the posterior means over the prior variance, ``var_ratio``:
    mean ratio of posterior to prior variance, ``gain``: nats per sequence that the log likelihood falls where the
    decoders do not hear the latent. ``collapsed``: a divergence below 0.1 nats and a variance ratio above 0.95.
    ``superfluous``: it gains less than its divergence costs, so that the bound is higher without it; a latent too many
    is often this long before it has collapsed.
    """
    recording = Recording.of(recording)
    told, whole = fit.predict(recording), float(fit.score(recording).mean())
    names = [str(n) for n in told["latent"].values]
    kl, active, ratio = (told[name].values.mean(axis=0) for name in ("kl", "mean_square", "var_ratio"))
    others = (replace(fit, params=_deaf(fit.model, fit.params, p)) for p in range(len(names)))
    gain = np.array([whole - float(other.score(recording).mean()) for other in others])
    return pd.DataFrame(
        {
            "latent": names,
            "group": [name.split()[0] for name in names],
            "lengthscale": np.asarray(fit.params.lengthscale, float),
            "kl": kl,
            "active": active,
            "var_ratio": ratio,
            "gain": gain,
            "collapsed": (kl < KL_COLLAPSED) & (ratio > RATIO_COLLAPSED),
            "superfluous": gain < kl,
        }
    )


def _deaf(model: GPVAE, params: GPVAEParams, latent: int) -> GPVAEParams:
    """The parameters with decoders that do not hear one latent; its posterior stays."""
    loadings, place = np.array(params.loadings), latent - model.n_neural
    if latent < len(loadings):
        loadings[latent] = 0.0
    if not model.has_behaviour or place < 0:
        return params._replace(loadings=loadings)
    first = np.array(params.decoder.weight_0)
    first[place] = 0.0
    return params._replace(loadings=loadings, decoder=params.decoder._replace(weight_0=first))


def _root(model: GPVAE, data: Any) -> Float[np.ndarray, "F time"]:
    """Half of the prior covariance of one latent."""
    basis = model.basis(data.y.shape[1])
    return np.sqrt(np.asarray(basis.prior_var(float(model.lengthscale), 1.0, model.alpha), float))[:, None] * basis.B


def _sides(model: GPVAE, data: Any) -> dict[str, Side]:
    """Residuals of the modalities that the model has."""
    sides = {"neural": _residuals(data.y, data.y_seen, model.is_count)} if model.has_neural else {}
    if model.has_behaviour:
        parts = (data.x, data.x_seen)
        if model.behaviour_likelihood == "von_mises":
            parts = np.concatenate([np.cos(data.x), np.sin(data.x)], axis=-1), np.tile(data.x_seen, 2)
        sides["behaviour"] = _residuals(*parts, False)
    return sides


def _residuals(values: np.ndarray, seen: np.ndarray, is_count: bool) -> Side:
    """Deviations from each channel's mean, over the sd of a Poisson count of that mean, or over their own."""
    count = np.maximum(seen.sum(axis=(0, 1)), 1.0)
    mean = (values * seen).sum(axis=(0, 1)) / count
    off = (values - mean) * seen
    var = mean if is_count else (off**2).sum(axis=(0, 1)) / count
    dull = var <= 1e-12
    return Side(off / np.sqrt(np.where(dull, 1.0, var)), seen * ~dull)


def _noise(data: Any, side: Side, is_count: bool, generator: np.random.Generator) -> Side:
    """The same channels without a signal."""
    if not is_count:
        return shuffled(side, generator)
    mean = (data.y * data.y_seen).sum(axis=(0, 1)) / np.maximum(data.y_seen.sum(axis=(0, 1)), 1.0)
    return _residuals(generator.poisson(np.broadcast_to(mean, data.y.shape)).astype(float), data.y_seen, True)


def _largest(side: Side, root: np.ndarray) -> float:
    return float(np.linalg.eigvalsh(smooth_moment(side, side, root))[-1])


def _between(first: Side, second: Side, root: np.ndarray, generator: np.random.Generator, nulls: int) -> Modes:
    """Singular values between modalities; chance pairs the trials of one with other trials of the other."""
    values, null = np.linalg.svd(smooth_moment(first, second, root), compute_uv=False), []
    for _ in range(nulls):
        order = generator.permutation(len(first.seen))
        moment = smooth_moment(Side(first.residual[order], first.seen[order]), second, root)
        null.append(float(np.linalg.norm(moment, 2)))
    return _modes(values, 0.0, null)


def _modes(values: np.ndarray, collapse: float, null: list[float]) -> Modes:
    threshold = max(collapse, *null)
    return Modes(values, threshold, collapse, max(null), int((values > threshold).sum()))
