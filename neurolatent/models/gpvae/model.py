r"""Gaussian-process variational autoencoder of spikes and behaviour, with shared and private latents.

.. math::
    z_p \sim GP(0, k_{\ell_p}), \quad y_{tn} \sim Poisson(e^{(W^T z_t^{neural, shared} + b)_n}), \quad
    x_t \sim N(f(z_t^{shared, behaviour}), \sigma^2)

The prior is diagonal in a truncated Fourier basis of a padded circle (:mod:`neurolatent.ops.fourier_gp`), the posterior
is a Gaussian whose means and variances an encoder tells. With spikes alone it is Poisson GPFA, with behaviour alone a
GP-VAE. What is climbed is the evidence lower bound with exact divergence; its likelihoods may be weighted.

References: Gondur, Sikandar, Schaffer, Aoi and Keeley (2024), ICLR, arXiv 2310.03111; Yu et al. (2009), Journal of
Neurophysiology 102(1):614-635; Casale et al. (2018), NeurIPS; Jensen et al. (2021), NeurIPS.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.models.gpvae import density, door, names, refusals
from neurolatent.models.gpvae.bound import FEW_POINTS, partly_heard, terms_of
from neurolatent.models.gpvae.door import GPVAEData
from neurolatent.models.gpvae.families import BEHAVIOUR, LOG_RATE, NEURAL, Family
from neurolatent.models.gpvae.params import GPVAEParams, from_free, to_free
from neurolatent.models.gpvae.programs import elbo_of, posterior_of
from neurolatent.models.gpvae.simulate import simulated
from neurolatent.models.gpvae.start import start_of
from neurolatent.models.protocols import Bound, Latents, Selected
from neurolatent.ops.fourier_gp import FourierBasis
from neurolatent.precision import in_double
from neurolatent.recording import Recording

BALANCE = 0.1  # of a larger behaviour, relative to its share; chosen on two simulated draws that serve for nothing else


@dataclass(frozen=True)
class GPVAE:
    """What the analyst chooses; nothing in it is learned.

    Attributes:
        n_neural, n_shared, n_behaviour: Latents that only the neurons, both, or only behaviour depend on.
        signal: Name of the neural signal.
        behaviour: Name of the signal of behaviour, which may be images.
        neural_likelihood: Counts with rates exp(eta); values with a standard deviation of their own per neuron; events
            with log odds eta. See :mod:`neurolatent.models.gpvae.families`.
        behaviour_likelihood: Values, with outliers or without; events; one category of several; angles.
        trials: Trials in a bin of a binomial likelihood.
        n_categories: Of categorical behaviour, which are numbered from 0.
        encoder, behaviour_encoder: Hidden layers beside a linear map from a bin to what it says of its latents.
        decoder: Hidden layers from latents to behaviour; () for a linear decoder, whose bound is exact.
        encoder_time: From bins to coefficients: by joining their messages with the prior, for sequences of any length
            and with gaps; or by a learned linear map for one length, as in the published code.
        combine: How two modalities tell a shared latent: ``mean`` of both posteriors, ``product`` of both messages.
        modality_dropout: Share of the training sequences whose encoder hears one modality alone, anew in each step, so
            that it learns to tell shared latents from either. The bound stays one: it holds for any posterior. The
            default was chosen on two simulated draws that serve for nothing else.
        domain: Prior of the latents: Gaussian processes in Fourier coefficients, whose posterior joins the bins; the
            same processes bin by bin (``time``) or bins without memory (``independent``, the standard variational
            autoencoder), whose encoder hears one bin alone: both are there to be compared with.
        likelihood_weights: ``balanced`` gives the neural signal 1, and behaviour with more entries (images) a tenth
            of their ratio; ``none`` climbs the bound itself; or two numbers. Other weights than 1 temper the posterior.
        lengthscale: First length scale (bins) of all latents, and median of its prior.
        lengthscale_spread: Standard deviation of the logarithm of the length scale under its prior.
        minlens: Shortest length scale (bins) that the basis represents in full; half of it is the lower bound.
        longest: Length scale (bins) for which the circle leaves room: 4 of it; None takes ``lengthscale``.
        circle: Bins of the circle; None for the longest sequence and that room.
        alpha: Added to the prior variance of each coefficient: a numerical floor.
    """

    n_neural: int = 0
    n_shared: int = 0
    n_behaviour: int = 0
    signal: str | None = "spikes"
    behaviour: str | None = "behaviour"
    neural_likelihood: Literal["poisson", "negative_binomial", "normal", "bernoulli", "binomial"] = "poisson"
    behaviour_likelihood: Literal["normal", "student_t", "bernoulli", "binomial", "categorical", "von_mises"] = "normal"
    trials: int | None = None
    n_categories: int | None = None
    encoder: tuple[int, ...] = ()
    behaviour_encoder: tuple[int, ...] = (256, 128, 64)
    decoder: tuple[int, ...] = (64, 128, 256)
    encoder_time: Literal["projection", "linear"] = "projection"
    combine: Literal["mean", "product"] = "mean"
    modality_dropout: float | int = 0.25
    domain: Literal["fourier", "time", "independent"] = "fourier"
    likelihood_weights: Literal["balanced", "none"] | tuple[float, float] = "balanced"
    lengthscale: float | int = 10.0
    lengthscale_spread: float | int = 0.5
    minlens: float | int = 10.0
    longest: float | int | None = None
    circle: int | None = None
    alpha: float | int = 1e-3

    def __post_init__(self) -> None:
        refusals.refuse_choices(self)
        for name in ("encoder", "behaviour_encoder", "decoder"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    # --- what follows from the choices ---------------------------------------------------------------------------

    @property
    def n_latents(self) -> int:
        """Number of latents, in the order neural, shared, behaviour."""
        return self.n_neural + self.n_shared + self.n_behaviour

    @property
    def has_neural(self) -> bool:
        """Whether the model reads a neural signal."""
        return self.n_neural + self.n_shared > 0

    @property
    def has_behaviour(self) -> bool:
        """Whether the model reads behaviour."""
        return self.n_shared + self.n_behaviour > 0

    @property
    def is_count(self) -> bool:
        """Whether the neural signal is counts whose rates are exp(eta)."""
        return self.neural_likelihood in LOG_RATE

    @property
    def neural_family(self) -> Family:
        """Distribution of the neural signal given its predictor."""
        return NEURAL[self.neural_likelihood](self)

    @property
    def behaviour_family(self) -> Family:
        """Distribution of behaviour given the output of its decoder."""
        return BEHAVIOUR[self.behaviour_likelihood](self)

    @property
    def has_lengthscale(self) -> bool:
        """Whether bins know each other under the prior."""
        return self.domain != "independent"

    @property
    def residual_is_normal(self) -> bool:
        """False: there are no one-step predictions."""
        return False

    @property
    def room(self) -> int:
        """Bins of the circle beyond a sequence."""
        return math.ceil(4 * (self.lengthscale if self.longest is None else self.longest))

    def basis(self, time: int) -> FourierBasis:
        """The Fourier basis of sequences of so many (padded) bins."""
        pad = self.room if self.circle is None else self.circle - time
        return _basis(time, float(self.minlens), pad)

    def bounds(self, time: int) -> tuple[float, float]:
        """Smallest and largest length scale, bins."""
        return 0.5 * self.minlens, max(2.0 * time, 2.0 * self.lengthscale)

    def compressed(self, y: Any) -> Any:
        """What the encoder sees: square roots of counts, or the values."""
        return y**0.5 if self.is_count else y

    def rates_in_hz(self, recording: Recording) -> bool:
        """Whether rates are per second, not per bin."""
        return self.is_count and recording.clock_unit == "s"

    def weights_of(self, neural: float, behaviour: float) -> tuple[float, float]:
        """Weights of the two likelihoods by the numbers of their observed entries."""
        if not isinstance(self.likelihood_weights, str):
            return float(self.likelihood_weights[0]), float(self.likelihood_weights[1])
        if self.likelihood_weights == "none" or not min(neural, behaviour):
            return 1.0, 1.0
        return 1.0, 1.0 if behaviour <= neural else BALANCE * neural / behaviour

    # --- the door ------------------------------------------------------------------------------------------------

    def signal_of(self, recording: Recording) -> str:
        """Name of the signal that is observed first: the neural one, or behaviour where there is no other.

        Raises:
            InputError: No such signal.
        """
        name = str(self.signal if self.has_neural else self.behaviour)
        recording.signal(name)
        return name

    def select(self, recording: Recording, *, for_training: bool, use_knowledge: bool = True) -> Selected:
        """Padded arrays of the recording; training leaves out sequences in which nothing was observed.

        Raises:
            InputError: Signals of another kind; at training what cannot be learned from.
        """
        return door.selected(self, recording, for_training=for_training)

    # --- learning ------------------------------------------------------------------------------------------------

    def free_start(self, key: PRNGKeyArray, data: GPVAEData, *, restart: int = 0) -> GPVAEParams:
        """Principal components of the neural data and random networks; later restarts move the components."""
        generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
        params = start_of(self, jax.tree.map(np.asarray, data), generator, restart)
        return jax.device_get(to_free(params, self.bounds(data.y.shape[1])))

    def bound(self, free: GPVAEParams, data: GPVAEData, key: PRNGKeyArray | None, kl_weight: Any) -> Bound:
        """The weighted bound of each sequence, and the bound itself."""
        params = self.params_at(free, data)
        heard = None
        if key is not None and self.has_neural and self.has_behaviour and self.modality_dropout:
            key, own = jax.random.split(key)
            heard = partly_heard(self, data, own)
        terms, _ = terms_of(self, params, data, key, points=FEW_POINTS, heard=heard)
        weight, kl = params.scaling.weights, terms.kl.sum(axis=1)
        objective = weight[0] * terms.neural + weight[1] * terms.behaviour - kl_weight * kl
        return Bound(objective, terms.neural + terms.behaviour - kl)

    def free_log_prior(self, free: GPVAEParams, data: GPVAEData) -> Float[Array, ""]:
        """Log prior density of length scales, loadings and their spreads, in their own units."""
        return density.log_prior(self, self.params_at(free, data))

    def params_at(self, free: GPVAEParams, data: GPVAEData) -> GPVAEParams:
        """The parameters in their own units."""
        return from_free(jax.tree.map(jnp.asarray, free), self.bounds(data.y.shape[1]))

    # --- density -------------------------------------------------------------------------------------------------

    def log_likelihood(self, params: GPVAEParams, data: GPVAEData) -> Float[Array, " sequences"]:
        """A lower bound on the log probability of each sequence, nats: the ELBO, with all weights 1."""
        return elbo_of(self, params, data)

    def numpyro_model(self, data: GPVAEData) -> None:
        """Declare priors, coefficients and likelihood of a model whose decoders are linear."""
        density.program(self, data)

    # --- posterior -----------------------------------------------------------------------------------------------

    def posterior(self, params: GPVAEParams, data: GPVAEData) -> Latents:
        """Latents, rates and reconstruction in time; per sequence the bound in its terms.

        Along time: ``latents`` and ``latents_sd`` (latent), ``rates`` and ``rates_sd`` (neuron; Hz where the clock is
        in seconds, else per bin), ``reconstruction`` (output). Per sequence: ``log_evidence`` (the ELBO, a lower
        bound), its two expected log likelihoods, ``kl`` (latent; nats), ``mean_square`` of the posterior means relative
        to the prior, ``var_ratio``, the mean ratio of posterior to prior variance (near 1: collapsed), and ``gain``,
        the nats by which the expected log likelihood falls where the decoders hear 0 in a latent's place.
        """
        return posterior_of(self, params, data)

    @in_double
    def simulate(self, params: GPVAEParams, key: PRNGKeyArray, lengths: Sequence[int], **options: Any) -> Recording:
        """A recording drawn from the model, with the true latents as the signal ``latents``."""
        return simulated(self, params, key, lengths, **options)

    # --- names ---------------------------------------------------------------------------------------------------

    def dimensions(self) -> Mapping[str, tuple[str, ...]]:
        """Dimensions of parameters and latent quantities, after draws, or after sequence and time."""
        return names.DIMENSIONS

    def coordinates(self, recording: Recording) -> Mapping[str, list[Any]]:
        """Labels: latents by group and number, neurons, channels of behaviour."""
        return names.coordinates(self, recording)

    def params_from(self, values: Mapping[str, Any]) -> GPVAEParams:
        """Parameters from their names with dots.

        Raises:
            InputError: A parameter is missing.
        """
        return names.params_from(values)


@lru_cache(maxsize=32)
def _basis(time: int, minlens: float, pad: int) -> FourierBasis:
    return FourierBasis(time, minlens, pad)
