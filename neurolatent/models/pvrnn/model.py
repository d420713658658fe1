r"""Variational recurrent network without an encoder, inspired by predictive coding (PV-RNN).

.. math::
    \mu^{p,l}_t = \tanh(W_\mu d^l_{t-1} + b_\mu), \quad \log \sigma^{p,l}_t = W_s d^l_{t-1} + b_s, \quad
    z^l_t \sim N(\mu^{p,l}_t, (\sigma^{p,l}_t)^2)

Layers of leaky units d of growing time constants carry latents z, of which the lowest layer tells the output. The
posterior of every training sequence has free parameters A at every step, learned together with the weights; a new
sequence is recognised by learning its own A with the weights frozen (error regression). The meta-prior w weighs
divergence against reconstruction; what it means depends on ``normalise``, so that beta is told beside it.

Reference: Ahmadi and Tani (2019), Neural Computation 31(11), arXiv 1811.01339.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.compiling import key_of
from neurolatent.models.protocols import Bound, Latents, Selected
from neurolatent.models.pvrnn import door, names, refusals
from neurolatent.models.pvrnn.door import PVRNNData
from neurolatent.models.pvrnn.generation import simulated
from neurolatent.models.pvrnn.layer import Layer
from neurolatent.models.pvrnn.likelihoods import Softmax, Symbols, UnitGaussian
from neurolatent.models.pvrnn.loss import objective, terms_of
from neurolatent.models.pvrnn.params import PVRNNParams, without_gradient
from neurolatent.models.pvrnn.program import program
from neurolatent.models.pvrnn.programs import evidence_of, foreseen_of, posterior_of
from neurolatent.models.pvrnn.regression import ErrorRegression, Foreseen
from neurolatent.models.pvrnn.start import start_of
from neurolatent.models.pvrnn.stream import PatternStream
from neurolatent.precision import in_double
from neurolatent.recording import Recording


@dataclass(frozen=True)
class PVRNN:
    """What the analyst chooses; nothing in it is learned.

    Attributes:
        layers: Lowest first, the one next to the output.
        signal: Name of the modelled signal; None takes the only one.
        likelihood: How the output tells the data: values coded by softmaxes, values with unit variance, or symbols.
        w: Meta-prior of each layer from the second step on, or one for all.
        w_first: Meta-prior of the first step; None takes ``w``.
        normalise: ``paper`` divides the reconstruction by the channels and each divergence by the latent units of its
            layer; ``bins`` the reconstruction by channels times bins; ``none`` by nothing, where w is the temperature.
        posterior_form: ``state`` adds a learned map of the state to A; ``free`` takes A alone.
        connect: ``topdown`` reads the layer above at the same step; ``both`` its neighbours at the step before.
        prior_first: The prior of the first step: the unit Gaussian, or the learned map of the state at rest, for which
            the weight of the divergence is ``w`` as in all steps.
        deterministic: Standard deviations of zero (an RNN): z is its mean, and half the squared distance of posterior
            and prior stands for the divergence.
        adaptive_start: A before learning: zero, standard normal, or where the posterior is the prior.
        weight_sd: Standard deviation of a normal prior on all weights; None for none.
        recognition: How new sequences are recognised.
    """

    layers: tuple[Layer, ...] = (Layer(10, 1, 2.0),)  # the first experiment, as recalled: specification, section 6
    signal: str | None = None
    likelihood: Softmax | UnitGaussian | Symbols = field(default_factory=UnitGaussian)
    w: float | int | tuple[float | int, ...] = 0.025  # near the best statistics of that experiment, as recalled
    w_first: float | int | tuple[float | int, ...] | None = None
    normalise: Literal["paper", "bins", "none"] = "paper"
    posterior_form: Literal["state", "free"] = "state"
    connect: Literal["topdown", "both"] = "topdown"
    prior_first: Literal["unit", "learned"] = "unit"
    deterministic: bool = False
    adaptive_start: Literal["zero", "normal", "prior"] = "zero"
    weight_sd: float | int | None = None
    recognition: ErrorRegression = field(default_factory=ErrorRegression)

    def __post_init__(self) -> None:
        for name in ("layers", "w", "w_first"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        refusals.refuse_choices(self)

    # --- what follows from the choices ---------------------------------------------------------------------------

    @property
    def residual_is_normal(self) -> bool:
        """False: one-step predictions are draws of the network."""
        return False

    @property
    def is_symbolic(self) -> bool:
        """Whether the data are symbols."""
        return isinstance(self.likelihood, Symbols)

    @property
    def horizon(self) -> int:
        """Steps that are told ahead."""
        return self.recognition.horizon

    @property
    def window(self) -> int:
        """Steps that are still revised as more is seen."""
        return self.recognition.window

    @property
    def foresight(self) -> str:
        """Words for how it looks ahead."""
        told = self.recognition
        return f"the last {told.window} are revised {told.iterations} times at each step, then the prior goes on"

    def tempering(self) -> tuple[Float[np.ndarray, " layers"], Float[np.ndarray, " layers"]]:
        """Meta-prior of each layer, and that of its first step."""
        w = np.broadcast_to(np.asarray(self.w, float), len(self.layers)).copy()
        if self.w_first is None or self.prior_first == "learned":
            return w, w.copy()
        return w, np.broadcast_to(np.asarray(self.w_first, float), len(self.layers)).copy()

    def normalisers(self, channels: int) -> tuple[float, tuple[float, ...]]:
        """What divides the reconstruction, and the divergence of each layer."""
        each = tuple(1.0 if self.normalise == "none" else float(layer.latent) for layer in self.layers)
        rec = {"none": 1, "paper": channels, "bins": channels * self.likelihood.per_channel}[self.normalise]
        return float(rec), each

    def betas(self, channels: int) -> Float[np.ndarray, " layers"]:
        """The temperature of each layer: w R_X / R_l."""
        rec, each = self.normalisers(channels)
        return self.tempering()[0] * rec / np.asarray(each)

    # --- the door ------------------------------------------------------------------------------------------------

    def signal_of(self, recording: Recording) -> str:
        """Name of the signal that is modelled.

        Raises:
            InputError: It is not named, and there is more than one.
        """
        return door.signal_of(self, recording)

    def select(self, recording: Recording, *, for_training: bool, use_knowledge: bool = True) -> Selected:
        """Coded and padded arrays; training leaves out sequences of one step, or in which nothing was observed.

        Raises:
            InputError: Values that the likelihood cannot tell; the message names the first.
        """
        return door.selected(self, recording, for_training=for_training)

    # --- learning ------------------------------------------------------------------------------------------------

    def free_start(self, key: PRNGKeyArray, data: PVRNNData, *, restart: int = 0) -> PVRNNParams:
        """Random weights; adaptive arrays as chosen."""
        return start_of(self, data, key)

    def parted(self, free: PVRNNParams) -> tuple[Any, Any]:
        """What all sequences share, and what each has of its own (sequences first)."""
        return free._replace(adaptive=None), free.adaptive

    def joined(self, shared: Any, own: Any) -> PVRNNParams:
        """The whole again."""
        return shared._replace(adaptive=own)

    def beside(self) -> "PVRNN":
        """The model without its meta-priors, which its parameters hold: sweeps over them are one program."""
        return replace(self, w=0.0, w_first=None)

    def bound(self, free: PVRNNParams, data: PVRNNData, key: PRNGKeyArray | None, kl_weight: Any) -> Bound:
        """Minus the objective J of each sequence, and the evidence lower bound (nats), with one draw of the noise.

        The bound leaves out the normaliser of a unit Gaussian, as the objective does.
        """
        params = without_gradient(free)
        terms, *_ = terms_of(self, params, data, self.noise(key, data.valid.shape, params.output.dtype))
        terms = terms._replace(weighted=kl_weight * terms.weighted)
        parts = {"rec": terms.rec} | {f"kl.{n}": terms.kl[:, n - 1] for n in range(1, len(self.layers) + 1)}
        return Bound(-objective(self, terms, data.target.shape[2]), -terms.rec - terms.kl.sum(axis=1), parts)

    def noise(self, key: PRNGKeyArray | None, shape: tuple[int, int], dtype: Any) -> tuple[Array, ...]:
        """Standard normal draws by layer (time, sequences, latent) of (sequences, time); zeros without a key."""
        sizes = [(shape[1], shape[0], layer.latent) for layer in self.layers]
        if key is None or self.deterministic:
            return tuple(jnp.zeros(size, dtype) for size in sizes)
        keys = jax.random.split(key, len(sizes))
        return tuple(jax.random.normal(k, size, dtype) for k, size in zip(keys, sizes, strict=True))

    def free_log_prior(self, free: PVRNNParams, data: PVRNNData) -> Float[Array, ""]:
        """Log prior density of the weights, nats; 0 where they have none."""
        if self.weight_sd is None:
            return jnp.zeros(())
        leaves = jax.tree.leaves((free.layers, free.output, free.output_bias))
        return -0.5 * sum((jnp.sum((leaf / self.weight_sd) ** 2) for leaf in leaves), jnp.zeros(()))

    def params_at(self, free: PVRNNParams, data: PVRNNData) -> PVRNNParams:
        """The parameters are without constraints."""
        return free

    # --- density and posterior -----------------------------------------------------------------------------------

    def numpyro_model(self, data: PVRNNData) -> None:
        """Parameters, noise and the objective as a factor, from a start with the seed 0; see ``pvrnn.program``."""
        program(self, self.free_start(key_of(0), data), data)

    def log_likelihood(self, params: PVRNNParams, data: PVRNNData) -> Float[Array, " sequences"]:
        """A lower bound on the log probability of each sequence, nats: the ELBO with all weights 1.

        Softmax coding has no density of the values: there the reconstruction is minus the divergence of the codes. The
        posterior is that of the tempered objective, so that the bound is not as tight as it could be.
        """
        return evidence_of(self, params, data)

    def posterior(self, params: PVRNNParams, data: PVRNNData) -> Latents:
        """Latents by layer, and the parts of the objective; new sequences are recognised first.

        Along time: ``posterior_mean`` and ``posterior_sd``, ``prior_mean`` and ``prior_sd`` (latent) and ``activity``
        (unit) along the posterior mean; ``reconstruction_mean`` (feature), or ``probability`` (symbol). Per sequence:
        ``log_evidence`` (the ELBO), ``loss`` (J), ``rec`` and ``kl`` (layer), nats, over a few draws.
        """
        return posterior_of(self, params, data)

    # --- the time ahead ------------------------------------------------------------------------------------------

    def foresee(self, params: PVRNNParams, data: PVRNNData, key: PRNGKeyArray) -> Foreseen:
        """What error regression tells of the coming steps after every observation (time, sequences, horizon, ...)."""
        return foreseen_of(self.beside(), params, data, key)

    def with_horizon(self, horizon: int) -> "PVRNN":
        """The same model, which looks so many steps ahead."""
        return replace(self, recognition=replace(self.recognition, horizon=horizon))

    def stream(self, params: PVRNNParams) -> PatternStream:
        """A running error regression: ``update(x)`` with each observation tells the coming steps."""
        return PatternStream(self.beside(), params)

    @in_double
    def simulate(self, params: PVRNNParams, key: PRNGKeyArray, lengths: Sequence[int]) -> Recording:
        """Sequences that the prior makes: expected values or drawn symbols, with the latents as ``latents``."""
        return simulated(self, params, key, lengths)

    # --- names ---------------------------------------------------------------------------------------------------

    def dimensions(self) -> Mapping[str, tuple[str, ...]]:
        """Dimensions of parameters and latent quantities, after draws, or after sequence and time."""
        return names.DIMENSIONS

    def coordinates(self, recording: Recording) -> Mapping[str, list[Any]]:
        """Labels: layers from 1 (the lowest), latents and units by layer, channels, symbols."""
        return names.coordinates(self, recording)

    def params_from(self, values: Mapping[str, Any]) -> PVRNNParams:
        """Parameters from their names with dots.

        Raises:
            InputError: A parameter is missing.
        """
        return names.params_from(self, values)
