r"""The variational recurrent network with an encoder (VRNN), beside which the PV-RNN is measured.

.. math::
    z_t \sim N(prior(h_{t-1})), \quad x_t \sim p(x \mid dec(z_t, h_{t-1})), \quad q(z_t) = enc(x_t, h_{t-1}), \quad
    h_t = GRU(h_{t-1}, [x_t, z_t])

The encoder sees the present step alone, so a sequence is filtered, not revised; it goes on with its own expectations.

Reference: Chung, Kastner, Dinh, Goel, Courville and Bengio (2015), NeurIPS, arXiv 1506.02216.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.checks import InputError, at_least, whole_number
from neurolatent.compiling import compiled, key_of
from neurolatent.models.protocols import Bound, Latents, Selected
from neurolatent.models.pvrnn import door, names
from neurolatent.models.pvrnn.cell import Heads
from neurolatent.models.pvrnn.door import PVRNNData
from neurolatent.models.pvrnn.joint import sd_of
from neurolatent.models.pvrnn.layer import Layer
from neurolatent.models.pvrnn.likelihoods import Softmax, Symbols, UnitGaussian
from neurolatent.models.pvrnn.loss import divergence
from neurolatent.models.pvrnn.params import Floats
from neurolatent.models.pvrnn.regression import BAND, Foreseen, step_noise
from neurolatent.ops.mlp import apply_network, make_network, network_kind
from neurolatent.recording import Recording

NETWORKS = ("prior", "encoder", "decoder")
DRAWS, SEED = 8, 0  # of the noise, over which nats are averaged; as of the PV-RNN


class VRNNParams(NamedTuple):
    """All that is learned."""

    prior: Any
    encoder: Any
    decoder: Any
    gate_input: Floats  # (inputs, 3 units): reset, update, candidate
    gate_state: Floats  # (units, 3 units)
    gate_bias: Floats  # (3 units,)


@dataclass(frozen=True)
class VRNN:
    """What the analyst chooses; nothing in it is learned.

    Attributes:
        units: Of the recurrent state (GRU).
        latent: Stochastic units z.
        width: Of the one hidden layer of prior, encoder and decoder.
        beta: Weight of the divergence; 1 climbs the evidence lower bound itself.
        horizon, draws: Steps that are foreseen, and draws of them.
    """

    units: int = 32
    latent: int = 4
    width: int = 32
    signal: str | None = None
    likelihood: Softmax | UnitGaussian | Symbols = field(default_factory=UnitGaussian)
    beta: float | int = 1.0
    horizon: int = 10
    draws: int = 20

    deterministic = False
    normalise = "none"
    window = 1
    foresight = "its filter goes on with its own expectations"
    residual_is_normal = False

    def __post_init__(self) -> None:
        for name in ("units", "latent", "width", "horizon", "draws"):
            whole_number(name, getattr(self, name), 1)
        at_least("beta", self.beta, 0.0)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Its one layer."""
        return (Layer(self.units, self.latent),)

    @property
    def is_symbolic(self) -> bool:
        """Whether the data are symbols."""
        return isinstance(self.likelihood, Symbols)

    def tempering(self) -> tuple[np.ndarray, np.ndarray]:
        """The weight of the divergence, at all steps."""
        return np.array([float(self.beta)]), np.array([float(self.beta)])

    def betas(self, channels: int) -> np.ndarray:
        """The temperature."""
        return np.array([float(self.beta)])

    def with_horizon(self, horizon: int) -> "VRNN":
        """The same model, which looks so many steps ahead."""
        return replace(self, horizon=horizon)

    def signal_of(self, recording: Recording) -> str:
        """Name of the signal that is modelled."""
        return door.signal_of(self, recording)

    def select(self, recording: Recording, *, for_training: bool, use_knowledge: bool = True) -> Selected:
        """Coded and padded arrays, as of the PV-RNN."""
        return door.selected(self, recording, for_training=for_training)

    # --- learning ------------------------------------------------------------------------------------------------

    def free_start(self, key: PRNGKeyArray, data: PVRNNData, *, restart: int = 0) -> VRNNParams:
        """Random networks."""
        rng, outputs = np.random.default_rng(np.asarray(jax.random.key_data(key))), int(np.prod(data.target.shape[2:]))
        h, z = self.units, self.latent
        sizes = {"prior": (h, 2 * z), "encoder": (outputs + h, 2 * z), "decoder": (z + h, outputs)}
        nets = {name: make_network((first, self.width, last), rng) for name, (first, last) in sizes.items()}
        uniform = lambda rows: rng.uniform(-1, 1, (rows, 3 * h)) / np.sqrt(h)  # noqa: E731
        return VRNNParams(**nets, gate_input=uniform(outputs + z), gate_state=uniform(h), gate_bias=np.zeros(3 * h))

    def bound(self, free: VRNNParams, data: PVRNNData, key: PRNGKeyArray | None, kl_weight: Any) -> Bound:
        """Tempered and plain evidence lower bound of each sequence, with one draw of the noise."""
        found = filtered(self, free, data, _noise(self, key, data, free.gate_bias.dtype))
        parts = {"rec": found.rec, "kl.1": found.kl}
        return Bound(-found.rec - kl_weight * self.beta * found.kl, -found.rec - found.kl, parts)

    def free_log_prior(self, free: VRNNParams, data: PVRNNData) -> Float[Array, ""]:
        """None."""
        return jnp.zeros(())

    def params_at(self, free: VRNNParams, data: PVRNNData) -> VRNNParams:
        """The parameters are without constraints."""
        return free

    # --- what is told --------------------------------------------------------------------------------------------

    def log_likelihood(self, params: VRNNParams, data: PVRNNData) -> Float[Array, " sequences"]:
        """A lower bound on the log probability of each sequence, nats."""
        return self.posterior(params, data).per_sequence["log_evidence"]

    def posterior(self, params: VRNNParams, data: PVRNNData) -> Latents:
        """Latents, reconstruction and the parts of the objective, by the names of the PV-RNN."""
        return _told(self, params, data, key_of(SEED))

    def foresee(self, params: VRNNParams, data: PVRNNData, key: PRNGKeyArray) -> Foreseen:
        """What it tells of the coming steps after every observation (time, sequences, horizon, ...)."""
        return _foreseen(self, params, data, key)

    def dimensions(self) -> Mapping[str, tuple[str, ...]]:
        """Dimensions of latent quantities, after sequence and time."""
        return names.DIMENSIONS

    def coordinates(self, recording: Recording) -> Mapping[str, list[Any]]:
        """Labels, as of the PV-RNN."""
        return names.coordinates(self, recording)

    def params_from(self, values: Mapping[str, Any]) -> VRNNParams:
        """Parameters from their names with dots."""
        plain = {str(name): np.asarray(value, float) for name, value in values.items()}
        nets = {}
        for net in NETWORKS:
            own = {n.removeprefix(f"{net}."): v for n, v in plain.items() if n.startswith(f"{net}.")}
            if not own:
                raise InputError(f"parameters of the VRNN: {net!r} is missing. Given: {sorted(plain)}")
            nets[net] = network_kind(len(own) // 2)(**own)
        return VRNNParams(**nets, **{n: plain[n] for n in VRNNParams._fields[len(NETWORKS) :]})


class Filtered(NamedTuple):
    """A sequence as the encoder follows it; along time (time, sequences, ...)."""

    rec: Array  # nats of each sequence
    kl: Array
    posterior: Heads
    prior: Heads
    state: Array  # h after the step
    output: Array  # (time, sequences, channels, bins)


def _noise(model: VRNN, key: PRNGKeyArray | None, data: PVRNNData, dtype: Any) -> Array:
    size = (data.valid.shape[1], data.valid.shape[0], model.latent)
    return jnp.zeros(size, dtype) if key is None else jax.random.normal(key, size, dtype)


def _heads(raw: Array) -> Heads:
    return Heads(*jnp.split(raw, 2, axis=-1))


def _gru(params: VRNNParams, h: Array, x: Array) -> Array:
    """The next state, by Cho et al. (2014)."""
    reset, update, new = jnp.split(x @ params.gate_input + params.gate_bias, 3, axis=-1)
    old_reset, old_update, old_new = jnp.split(h @ params.gate_state, 3, axis=-1)
    gate = jax.nn.sigmoid(update + old_update)
    return gate * h + (1 - gate) * jnp.tanh(new + jax.nn.sigmoid(reset + old_reset) * old_new)


def filtered(model: VRNN, params: VRNNParams, data: PVRNNData, noise: Array) -> Filtered:
    """The encoder along sequences; a value that was not observed is read as 0."""
    count, time = data.valid.shape
    x = jnp.swapaxes(data.target * data.seen[..., None], 0, 1).reshape(time, count, -1)

    def step(h: Array, at: tuple[Array, Array]) -> tuple[Array, Any]:
        x, eps = at
        q = _heads(apply_network(params.encoder, jnp.concatenate([x, h], axis=-1)))
        z = q.mean + sd_of(q.log_sd) * eps
        after = _gru(params, h, jnp.concatenate([x, z], axis=-1))
        return after, (q, z, h, after)

    _, (q, z, before, after) = jax.lax.scan(step, jnp.zeros((count, model.units), noise.dtype), (x, noise))
    prior, output = _heads(apply_network(params.prior, before)), _output(model, params, z, before)
    target, seen, floor = (jnp.swapaxes(part, 0, 1) for part in (data.target, data.seen, data.floor))
    rec = ((model.likelihood.loss(output, target) - floor) * seen).sum(axis=(0, 2))
    return Filtered(rec, (divergence(q, prior) * data.valid.T).sum(axis=0), q, prior, after, output)


def _output(model: VRNN, params: VRNNParams, z: Array, h: Array) -> Array:
    raw = apply_network(params.decoder, jnp.concatenate([z, h], axis=-1))
    return raw.reshape(*raw.shape[:-1], -1, model.likelihood.per_channel)


@compiled(static=(0,))
def _told(model: VRNN, params: VRNNParams, data: PVRNNData, key: PRNGKeyArray) -> Latents:
    dtype = params.gate_bias.dtype
    mean = filtered(model, params, data, _noise(model, None, data, dtype))

    def one(key: PRNGKeyArray) -> tuple[Array, Array, Array]:
        (noise,) = step_noise(model, key, jnp.arange(data.valid.shape[1]), data.valid.shape[0], dtype)
        found = filtered(model, params, data, noise)
        return found.rec, found.kl, model.likelihood.told(found.output)

    rec, kl, told = (part.mean(axis=0) for part in jax.vmap(one)(jax.random.split(key, DRAWS)))
    along = {"activity": mean.state}
    for name, belief in (("posterior", mean.posterior), ("prior", mean.prior)):
        along |= {f"{name}_mean": belief.mean, f"{name}_sd": sd_of(belief.log_sd)}
    along["probability" if model.is_symbolic else "reconstruction_mean"] = told[:, :, 0] if model.is_symbolic else told
    constant = model.likelihood.constant() * data.seen.sum(axis=(1, 2))
    parts = {"log_evidence": -rec - kl - constant, "loss": rec + model.beta * kl, "rec": rec, "kl": kl[:, None]}
    return Latents({name: jnp.swapaxes(values, 0, 1) for name, values in along.items()}, parts)


@compiled(static=(0,))
def _foreseen(model: VRNN, params: VRNNParams, data: PVRNNData, key: PRNGKeyArray) -> Foreseen:
    dtype = params.gate_bias.dtype

    def one(key: PRNGKeyArray) -> tuple[Array, Array]:
        key_now, key_ahead = jax.random.split(key)
        found = filtered(model, params, data, _noise(model, key_now, data, dtype))
        size = (model.horizon, *found.state.shape[:2], model.latent)

        def step(h: Array, eps: Array) -> tuple[Array, Array]:
            prior = _heads(apply_network(params.prior, h))
            z = prior.mean + sd_of(prior.log_sd) * eps
            output = _output(model, params, z, h)
            told = model.likelihood.expected_code(output)
            x = told.reshape(*told.shape[:-2], -1)
            return _gru(params, h, jnp.concatenate([x, z], axis=-1)), model.likelihood.told(output)

        _, ahead = jax.lax.scan(step, found.state, jax.random.normal(key_ahead, size, dtype))
        return jnp.moveaxis(ahead, 0, 2), model.likelihood.told(found.output)

    ahead, now = jax.lax.map(one, jax.random.split(key, model.draws))
    low, high = jnp.quantile(ahead, jnp.asarray(BAND, dtype), axis=0)
    return Foreseen(ahead.mean(axis=0), low, high, now.mean(axis=0))
