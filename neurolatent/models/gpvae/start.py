"""Where the engine starts: loadings and a linear encoder from principal components, small random networks."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from neurolatent.models.gpvae.door import GPVAEData
from neurolatent.models.gpvae.params import Encoder, GPVAEParams, Scaling
from neurolatent.models.gpvae.time_map import first_map
from neurolatent.ops.mlp import make_network

SMOOTHED = 0.5  # width of the smoothing before components are taken, in first length scales; ours
COMPONENTS = 10  # of behaviour that may tell a shared latent at the start; ours
RARE = 0.05  # counts added to a mean before its logarithm: a silent neuron gets a low rate, not none
FIRST_LOG_SD = 1.0  # of what a bin of behaviour says of its latents: little, before its network has learned; ours
SMALL = 0.1  # factor of the last layer of a network beside a linear map, and spread of restarts' loadings
FIRST_NOISE = 0.7  # standard deviation of what is standardised; ours
FIRST_CONCENTRATION = 5.0  # of counts, or of angles; ours


class Seen(NamedTuple):
    """Moments of one modality over what was observed."""

    mean: Float[np.ndarray, " channel"]
    sd: Float[np.ndarray, " channel"]


def moments(values: np.ndarray, seen: np.ndarray) -> Seen:
    """Mean and standard deviation of each channel; 0 and 1 where there is nothing, or no change."""
    count = seen.sum(axis=(0, 1))
    mean = (values * seen).sum(axis=(0, 1)) / np.maximum(count, 1)
    var = (((values - mean) ** 2) * seen).sum(axis=(0, 1)) / np.maximum(count, 1)
    return Seen(mean, np.where(var > 0, np.sqrt(var), 1.0))


def start_of(model: Any, data: GPVAEData, generator: np.random.Generator, restart: int) -> GPVAEParams:
    """Parameters in their own units."""
    n_y, n_x = (model.n_neural + model.n_shared), (model.n_shared + model.n_behaviour)
    root, behaviour = moments(model.compressed(data.y), data.y_seen), moments(data.x, data.x_seen)
    common = np.full_like(behaviour.sd, np.sqrt((behaviour.sd**2).mean() if len(behaviour.sd) else 1.0))
    weights = model.weights_of(float(data.y_seen.sum()), float(data.x_seen.sum()))
    scaling = Scaling(root.mean, root.sd, behaviour.mean, common, np.array(weights))
    loadings, precision = _components(model, data, root, n_y, generator, restart)
    inputs = [
        np.shape(part)[-1] * (2 if _has_gaps(seen) else 1)
        for part, seen in zip((data.y, data.x), (data.y_seen, data.x_seen), strict=True)
    ]
    inputs[1] *= 2 if model.behaviour_likelihood == "von_mises" else 1  # points on the circle
    over_time = first_map(model.basis(np.shape(data.y)[1])) if model.encoder_time == "linear" else ()
    encoder = _neural_encoder(model, loadings, precision, inputs[0], root, generator)._replace(over_time=over_time)
    size = (inputs[1], *model.behaviour_encoder, 2 * n_x) if n_x else (0,)
    is_mean = np.arange(2 * n_x) < n_x
    direct = is_mean * generator.normal(size=(inputs[1], 2 * n_x)) / np.sqrt(max(inputs[1], 1))
    network = make_network(size if model.behaviour_encoder else (0,), generator, last=SMALL)
    return GPVAEParams(
        lengthscale=np.full(model.n_latents, float(model.lengthscale)),
        loadings=loadings,
        offset=_offset(model, data),
        loading_sd=np.maximum(np.sqrt((loadings**2).sum(axis=1) / max(loadings.shape[1], 1)), 0.05),
        noise=_first_extra(model.neural_family, len(root.sd)),
        output_noise=_first_extra(model.behaviour_family, min(n_x, 1)),
        encoder=encoder,
        output_encoder=Encoder(direct, np.where(is_mean, 0.0, FIRST_LOG_SD), network, over_time),
        decoder=_decoder(model, behaviour, n_x, generator),
        scaling=scaling,
    )


def _has_gaps(seen: np.ndarray) -> bool:
    """Whether some bins hold observed and missing channels."""
    return bool((seen.any(axis=-1) & ~seen.all(axis=-1)).any())


def _first_extra(family: Any, size: int) -> np.ndarray:
    """The positive number of each channel."""
    first = FIRST_CONCENTRATION if family.extra == "concentration" else FIRST_NOISE
    return np.full(size if family.extra else 0, first)


def _decoder(model: Any, behaviour: Seen, size: int, generator: np.random.Generator) -> Any:
    """A small random network whose first output is 0, or the mean log odds of events."""
    if not size:
        return make_network((0,), generator)
    network = make_network((size, *model.decoder, len(behaviour.mean)), generator)
    if model.behaviour_likelihood not in ("bernoulli", "binomial"):
        return network
    return network._replace(**{f"bias_{len(model.decoder)}": _log_odds(behaviour.mean / (model.trials or 1))})


def _log_odds(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, RARE / 10, 1 - RARE / 10)
    return np.log(p / (1 - p))


def _offset(model: Any, data: GPVAEData) -> np.ndarray:
    if model.neural_likelihood in ("bernoulli", "binomial"):
        return _log_odds(moments(data.y, data.y_seen).mean / (model.trials or 1))
    if not model.is_count:
        return np.zeros(np.shape(data.y)[-1])
    seen, exposure = data.y_seen, np.exp(data.log_exposure)[:, None, None]
    count = (data.y * seen).sum(axis=(0, 1)) + RARE
    return np.log(count / np.maximum((exposure * seen).sum(axis=(0, 1)), 1e-12))


def _components(
    model: Any, data: GPVAEData, root: Seen, size: int, generator: np.random.Generator, restart: int
) -> tuple[np.ndarray, np.ndarray]:
    """Loadings by principal components of smoothed data in units of their noise, and the information of a bin.

    For counts, a square root m away from its mean by d is a log rate away by about 2 d / m, with information m^2.
    """
    slope, information = _linearised(model, root)
    spread = SMOOTHED * model.lengthscale
    offsets = np.arange(-int(3 * spread), int(3 * spread) + 1)
    kernel = np.exp(-0.5 * (offsets / spread) ** 2)
    deviation = (model.compressed(data.y) - root.mean) * data.y_seen
    sums = [_smoothed(part, kernel) for part in (deviation, data.y_seen)]
    heard = data.y_seen.any(axis=-1)
    smooth = (sums[0] / np.maximum(sums[1], 1.0) * slope * np.sqrt(information))[heard]
    loadings, kept = np.zeros((size, len(slope))), min(size, *smooth.shape)
    if kept:
        scores, values, rows = np.linalg.svd(smooth, full_matrices=False)
        turned = _shared_last(scores[:, :kept], data.x[heard]) if model.n_shared and model.n_neural else np.eye(kept)
        loadings[:kept] = turned.T @ (values[:kept, None] / np.sqrt(len(smooth)) * rows[:kept]) / np.sqrt(information)
    loadings += SMALL * (restart > 0) * generator.normal(size=loadings.shape)
    return loadings, information


def _shared_last(scores: np.ndarray, behaviour: np.ndarray) -> np.ndarray:
    """A rotation of orthonormal scores (bins, components) after which behaviour tells the last ones best.

    Told is what the first principal components of behaviour tell by least squares.
    """
    centred = behaviour - behaviour.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    parts = np.linalg.qr(centred @ directions[:, -COMPONENTS:])[0]
    told = parts.T @ scores
    return np.linalg.eigh(told.T @ told)[1]


def _linearised(model: Any, root: Seen) -> tuple[np.ndarray, np.ndarray]:
    """Change of the predictor with the encoded value, and the information of a bin on it."""
    if model.neural_likelihood in ("bernoulli", "binomial"):
        trials = model.trials or 1
        p = np.clip(root.mean / trials, RARE, 1 - RARE)
        return 1 / (trials * p * (1 - p)), trials * p * (1 - p)
    if not model.is_count:
        return 1 / root.sd, np.full_like(root.sd, 2.0)
    mean = np.maximum(root.mean, 0.1)
    return 2 / mean, mean**2


def _smoothed(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Each course smoothed over its bins, 0 beyond its ends."""
    half, out = len(kernel) // 2, np.zeros(values.shape)
    for shift, weight in zip(range(-half, half + 1), kernel, strict=True):
        if abs(shift) < values.shape[1]:
            to, of = (
                slice(max(shift, 0), values.shape[1] + min(shift, 0)),
                slice(max(-shift, 0), values.shape[1] - max(shift, 0)),
            )
            out[:, to] += weight * values[:, of]
    return out


def _neural_encoder(
    model: Any, loadings: np.ndarray, information: np.ndarray, inputs: int, root: Seen, generator: np.random.Generator
) -> Encoder:
    """Weighted least squares of the linearised predictor on the loadings, and a network that begins near 0."""
    size = len(loadings)
    slope, _ = _linearised(model, root)
    weighted = loadings * information
    gram = weighted @ loadings.T + 1e-3 * np.eye(size)
    direct = np.zeros((inputs, 2 * size))
    direct[: len(slope), :size] = (np.linalg.solve(gram, weighted) * slope * root.sd).T
    shift = np.concatenate([np.zeros(size), -0.5 * np.log(np.diagonal(gram))])
    layers = (inputs, *model.encoder, 2 * size) if model.encoder and size else (0,)
    return Encoder(direct, shift, make_network(layers, generator, last=SMALL))
