"""The PV-RNN in plain loops, one sequence and one step at a time; and small models for the tests."""

import numpy as np

from neurolatent.models.pvrnn import PVRNN, Layer, Softmax, Symbols, UnitGaussian
from neurolatent.models.pvrnn.door import PVRNNData
from neurolatent.models.pvrnn.params import LayerWeights, PVRNNParams, Tempering, by_layer

LAYERS = (Layer(4, 2, (1.5, 2.0, 3.0, 2.5)), Layer(3, 1, 4.0))
MODELS = {
    "top-down, state": PVRNN(LAYERS, w=(0.3, 0.2), w_first=0.1),
    "top-down, free, bins": PVRNN(
        LAYERS, likelihood=Softmax(5, -1.0, 1.0, 0.1), posterior_form="free", normalise="bins", w=0.1
    ),
    "both, state": PVRNN(LAYERS, connect="both", prior_first="learned", w=0.2, normalise="none"),
    "both, free, symbols": PVRNN(LAYERS, likelihood=Symbols(3), connect="both", posterior_form="free", w_first=0.0),
    "deterministic, tanh": PVRNN(LAYERS, deterministic=True, likelihood=UnitGaussian("tanh")),
    "three layers": PVRNN((Layer(3, 2, 1.0), Layer(2, 1, 2.0), Layer(2, 2, 5.0)), w=(0.1, 0.2, 0.3)),
}


def random_params(model: PVRNN, channels: int, count: int, time: int, seed: int = 0) -> PVRNNParams:
    rng, layers = np.random.default_rng(seed), by_layer(len(model.layers))
    each = []
    for n, layer in enumerate(model.layers):
        above = model.layers[n + 1].units if n + 1 < len(model.layers) else 0
        below = model.layers[n - 1].units if n and model.connect == "both" else 0
        rows = {"recurrent": layer.units, "latent": layer.latent, "above": above, "below": below}
        parts = {name: rng.normal(size=(k, layer.units)) / 2 for name, k in rows.items()}
        heads, is_state = 2 * layer.latent, model.posterior_form == "state"
        parts |= {"prior": rng.normal(size=(layer.units, heads)), "prior_bias": rng.normal(size=heads)}
        parts |= {"posterior": rng.normal(size=(layer.units if is_state else 0, heads))}
        parts |= {"posterior_bias": rng.normal(size=heads) * is_state, "bias": rng.normal(size=layer.units)}
        each.append(LayerWeights(**parts))
    adaptive = layers(*(rng.normal(size=(count, time, 2 * layer.latent)) for layer in model.layers))
    units = channels * model.likelihood.per_channel
    output, bias = rng.normal(size=(model.layers[0].units, units)), rng.normal(size=units)
    return PVRNNParams(layers(*each), output, bias, adaptive, Tempering(*model.tempering()))


def random_data(model: PVRNN, channels: int, count: int, time: int, seed: int = 1) -> PVRNNData:
    """Sequences of unequal length with gaps."""
    rng = np.random.default_rng(seed)
    symbols = isinstance(model.likelihood, Symbols)
    values = (
        rng.integers(0, model.likelihood.count, (count, time, channels))
        if symbols
        else rng.uniform(-0.9, 0.9, (count, time, channels))
    )
    target = model.likelihood.coded(values)
    seen = (rng.random((count, time, channels)) < 0.8).astype(float)
    valid = np.ones((count, time))
    for n in range(count):
        last = time - n
        seen[n, last:], valid[n, last:] = 0.0, 0.0
        seen[n, last - 1] = 1.0
    return PVRNNData(target, model.likelihood.floor(target), seen, valid, np.arange(count))


def random_noise(model: PVRNN, count: int, time: int, seed: int = 2) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    scale = 0.0 if model.deterministic else 1.0
    return tuple(scale * rng.normal(size=(time, count, layer.latent)) for layer in model.layers)


def sequence_loss(model, params, data, noise, n):
    """(J, rec, divergence of each layer) of sequence n."""
    depth = len(model.layers)
    h = [np.zeros(layer.units) for layer in model.layers]
    rec, kl, weighted = 0.0, np.zeros(depth), np.zeros(depth)
    for t in range(data.target.shape[1]):
        d, new = [np.tanh(x) for x in h], list(h)
        for k in reversed(range(depth)):
            p, layer = params.layers[k], model.layers[k]
            latent = layer.latent
            prior = d[k] @ p.prior + p.prior_bias
            mp, sp = np.tanh(prior[:latent]), prior[latent:]
            if t == 0 and model.prior_first == "unit":
                mp, sp = np.zeros(latent), np.zeros(latent)
            raw = params.adaptive[k][n, t].copy()
            if model.posterior_form == "state":
                raw += d[k] @ p.posterior + p.posterior_bias
            mq, sq = np.tanh(raw[:latent]), raw[latent:]
            z = mq if model.deterministic else mq + np.exp(np.clip(sq, -7, 3)) * noise[k][t, n]
            u = p.recurrent.T @ d[k] + p.latent.T @ z + p.bias
            if k + 1 < depth:
                u = u + p.above.T @ (np.tanh(new[k + 1]) if model.connect == "topdown" else d[k + 1])
            if k > 0 and model.connect == "both":
                u = u + p.below.T @ d[k - 1]
            tau = np.array(layer.taus)
            new[k] = (1 - 1 / tau) * h[k] + u / tau
            if model.deterministic:
                step = 0.5 * np.sum((mq - mp) ** 2)
            else:
                sq, sp = np.clip(sq, -7, 3), np.clip(sp, -7, 3)
                step = np.sum(sp - sq + ((mq - mp) ** 2 + np.exp(2 * sq)) / (2 * np.exp(2 * sp)) - 0.5)
            step *= data.valid[n, t]
            kl[k] += step
            weighted[k] += step * params.tempering[1 if t == 0 else 0][k]
        h = new
        out = (np.tanh(h[0]) @ params.output + params.output_bias).reshape(data.target.shape[2:])
        for c in range(out.shape[0]):
            rec += data.seen[n, t, c] * channel_loss(model.likelihood, out[c], data.target[n, t, c])
    by_rec, by_layer_ = model.normalisers(data.target.shape[2])
    return rec / by_rec + np.sum(weighted / np.array(by_layer_)), rec, kl


def channel_loss(likelihood, out, target):
    if isinstance(likelihood, UnitGaussian):
        mean = np.tanh(out) if likelihood.output == "tanh" else out
        return 0.5 * float((mean - target)[0] ** 2)
    log_o = out - np.log(np.exp(out).sum())
    if isinstance(likelihood, Symbols):
        return -float(target @ log_o)
    return sum(float(c * (np.log(c) - o)) for c, o in zip(target, log_o, strict=True) if c > 0)
