r"""Hidden Markov model with a generalised linear model in every state: spike trains, choices, or real numbers.

.. math::
    z_1 \sim Cat(\pi), \quad z_t \mid z_{t-1}=i \sim Cat(\Pi_i), \quad
    \eta_{to} = b_{z_t o} + \sum_m W_{z_t o m} x_{tm}, \quad y_{to} \mid z_t \sim p(\cdot \mid f(\eta_{to})).

The regressors x are the filtered past of the targets (:mod:`~neurolatent.models.hmmglm.history`) and covariates. With
counts and couplings it is the HMM-GLM of switching interactions, with choices and covariates the GLM-HMM of behaviour.

References: Li, Kim, Rodgers, Choi and Wu (2024), ICLR, arXiv 2310.15263; Escola, Fontanini, Katz and Paninski (2011),
Neural Computation 23(5):1071-1132; Ashwood et al. (2022), Nature Neuroscience 25:201-212.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from neurolatent.checks import InputError
from neurolatent.models.hmmglm import density, door, emstep, layout, names, order, refusals
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.driven import Driven
from neurolatent.models.hmmglm.families import Bernoulli, Categorical, Gaussian, Poisson
from neurolatent.models.hmmglm.history import Exponential, Kernel, Learned, NoHistory
from neurolatent.models.hmmglm.lapse import Lapses
from neurolatent.models.hmmglm.onehot import OneHot
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.priors import Hierarchical, Ridge
from neurolatent.models.hmmglm.programs import filter_one, forecast_of, log_likelihood_of, posterior_of
from neurolatent.models.hmmglm.simulate import simulated
from neurolatent.models.hmmglm.sparse import Horseshoe, SpikeSlab
from neurolatent.models.hmmglm.start import start_of
from neurolatent.models.hmmglm.stream import StreamState, sample_of, stream_start
from neurolatent.models.hmmglm.uncertainty import standard_errors
from neurolatent.models.protocols import Latents, Selected, Step
from neurolatent.precision import in_double
from neurolatent.recording import Recording

BIAS_SD = 10.0  # of the bias of counts and values around that of the mean; ours: next to nothing


@dataclass(frozen=True)
class HMMGLM:
    """What the analyst chooses; nothing in it is learned."""

    n_states: int
    family: Poisson | Bernoulli | Categorical | Gaussian = field(default_factory=Poisson)
    signal: str | None = None  # what is modelled; None: the only signal of a kind that suits the family
    channels: tuple[str, ...] = ()  # of the signal; () for all
    history: Kernel | None = None  # None: Exponential(), for choices NoHistory()
    covariates: str | None = None  # name of a continuous signal; None: "covariates" for choices, else none
    covariate_channels: tuple[str, ...] = ()  # () for all; one called "bias" is left out, the model has its own
    self_coupling: Literal["none", "zero", "free", "shared"] = "free"  # own past: as any other, zero, lags of its own
    bias: Literal["state", "shared"] = "state"
    prior: Ridge | Hierarchical | OneHot | Horseshoe | SpikeSlab = field(default_factory=Ridge)
    bias_sd: float | int | None = None  # None: that of the weights for choices with Ridge, else 10
    taps_sd: float | int = 10.0  # of a target's own lags; ours
    alpha: float | int = 1.0  # Dirichlet concentration of every row of transitions; 2: single animals (Ashwood)
    kappa: float | int | None = None  # added to the concentration of staying; None: 50, for choices 0
    learn_initial: bool = True  # False: uniform, as in the public code of Li et al. (2024)
    lapses: Lapses | None = None  # of a Bernoulli family
    driven: Driven | None = None  # inputs of the transitions

    def __post_init__(self) -> None:
        for name in ("channels", "covariate_channels"):
            value = getattr(self, name)
            if isinstance(value, str) or len(set(value)) < len(value):
                raise InputError(f"{name} must be different names, got {value!r}")
            object.__setattr__(self, name, tuple(value))
        refusals.refuse_choices(self)

    # --- what follows from the choices ---------------------------------------------------------------------------

    @property
    def is_choice(self) -> bool:
        """Whether the targets are choices."""
        return isinstance(self.family, (Bernoulli, Categorical))

    @property
    def kernel(self) -> Kernel:
        """The history kernel."""
        if self.history is not None:
            return self.history
        return NoHistory() if self.is_choice else Exponential()

    @property
    def learns_kernel(self) -> bool:
        """Whether the kernel is learned."""
        return isinstance(self.kernel, Learned)

    @property
    def has_noise(self) -> bool:
        """Whether the targets have a standard deviation of their own."""
        return isinstance(self.family, Gaussian)

    @property
    def residual_is_normal(self) -> bool:
        """Whether ``residual`` is standard normal if the model is right; else it has mean 0 and variance 1."""
        return self.has_noise

    @property
    def has_own_lags(self) -> bool:
        """Whether a target's own past has taps of its own."""
        return self.self_coupling in ("free", "shared") and self.kernel.length > 0

    @property
    def skipped(self) -> int:
        """Samples at the start of a sequence that are conditioned on: none, the past before it counts as 0."""
        return 0

    @property
    def reach(self) -> int:
        """Samples after one that are predicted from it."""
        return self.kernel.length

    @property
    def spread_of_bias(self) -> float:
        """Standard deviation of the prior of the bias."""
        if self.bias_sd is not None:
            return float(self.bias_sd)
        return float(self.prior.sd) if self.is_choice and isinstance(self.prior, Ridge) else BIAS_SD

    def state_names(self) -> list[str]:
        """Labels of the states: their numbers, the first one being 1."""
        return [str(k + 1) for k in range(self.n_states)]

    # --- the door ------------------------------------------------------------------------------------------------

    def signal_of(self, recording: Recording) -> str:
        """Name of the signal that is modelled.

        Raises:
            InputError: No such signal, or several and none was chosen.
        """
        return door.signal_of(self, recording)

    def covariates_of(self, recording: Recording) -> str | None:
        """Name of the signal of covariates; None where there is none."""
        return door.covariates_of(self, recording)

    def modelled_values(self, recording: Recording) -> Float[np.ndarray, "samples features"]:
        """Values of the signal that is modelled, sequences end to end; NaN where nothing was observed."""
        return door.modelled_values(self, recording)

    def select(self, recording: Recording, *, for_training: bool, use_knowledge: bool = True) -> Selected:
        """Padded arrays of the recording; the past never crosses sequences, and what was not observed counts as 0.

        Raises:
            InputError: Signals of another kind, labels beyond the classes; at training what cannot be learned from.
        """
        return door.selected(self, recording, for_training=for_training, use_knowledge=use_knowledge)

    # --- EM ------------------------------------------------------------------------------------------------------

    def init(self, key: PRNGKeyArray, data: HMMGLMData, *, start: str = "auto", restart: int = 0) -> HMMGLMParams:
        """One GLM for all data in every state, moved by Normal(0, 0.1) noise, for choices 0.2.

        With ``start="random"`` the weights are Normal(0, 1) instead: restarts then find other optima too, if there are.
        """
        return start_of(self, key, data, start, restart)

    def has_one_start(self, data: HMMGLMData) -> bool:
        """Whether restarts would repeat the first one: with one state they do."""
        return self.n_states == 1

    @property
    def settling(self) -> int:
        """EM steps before the objective is that of an ordinary EM: the annealing of the one-hot prior."""
        return self.prior.settling if isinstance(self.prior, OneHot) else 0

    def em_step(
        self, params: HMMGLMParams, data: HMMGLMData, *, use_prior: bool, step: Any = 0, careful: bool = True
    ) -> Step:
        """One update; the objective is the log evidence (plus the log prior) at the parameters that came in.

        After ``settling`` steps it never falls: Fisher-scoring steps of the regressions are kept only where they help.
        """
        return emstep.em_step(self, params, data, use_prior=use_prior, step=step, careful=careful)

    def ordered(self, params: HMMGLMParams, data: HMMGLMData) -> HMMGLMParams:
        """States by the weight of the first covariate, highest first; without covariates the most visited one first."""
        return order.ordered(self, params, data)

    # --- density -------------------------------------------------------------------------------------------------

    def log_prior(self, params: HMMGLMParams, data: HMMGLMData) -> Float[Array, ""]:
        """Log density of the priors at these parameters, nats; under a sparse prior that of EM's start."""
        return density.log_prior(self, HMMGLMParams(*map(jnp.asarray, params)), data)

    def log_likelihood(self, params: HMMGLMParams, data: HMMGLMData) -> Float[Array, " sequences"]:
        """Log probability of each sequence, nats."""
        return log_likelihood_of(self, params, data)

    def numpyro_model(self, data: HMMGLMData) -> None:
        """Declare priors and likelihood, with the states summed out; the one definition of the density."""
        params = density.sample_params(self, data)
        numpyro.factor("hmmglm", self.log_likelihood(params, data).sum())

    def unconstrained_start(self, params: HMMGLMParams, data: HMMGLMData) -> dict[str, Array]:
        """Values of the program's sites at these parameters, moved off the edges of the simplices."""
        return density.sites_at(self, HMMGLMParams(*map(jnp.asarray, params)), data)

    def relabel(self, draws: HMMGLMParams, reference: HMMGLMParams, data: HMMGLMData) -> HMMGLMParams:
        """Draws (leading axis) with their states matched to those of a reference by the distance of their weights."""
        return order.relabelled(self, draws, reference)

    @property
    def unfit_engines(self) -> dict[str, str]:
        """Names of the engines that do not learn under this prior, with the reason."""
        return refusals.unfit_engines(self)

    def standard_errors(self, params: HMMGLMParams, data: HMMGLMData, smoothed: ArrayLike) -> HMMGLMParams:
        """Standard errors of bias, weights and taps given the states, in the place of these; NaN elsewhere."""
        return standard_errors(self, params, data, smoothed)

    def n_parameters(self, params: HMMGLMParams) -> int:
        """How many numbers are free: chain, coefficients (shared ones once, zeros not), noise, lapses, inputs, kernel.

        Hyperparameters (centre, spread, connectome) are not counted.
        """
        return layout.n_parameters(self, params)

    # --- posterior -----------------------------------------------------------------------------------------------

    def posterior(self, params: HMMGLMParams, data: HMMGLMData) -> Latents:
        """Filtered, smoothed and most probable states, one-step predictions, and per sequence evidence and occupancy.

        Along time: ``filtered``, ``smoothed`` (time, state), ``path``, ``predicted_mean``, ``predicted_sd`` and
        ``residual`` (time, target). Per sequence: ``log_evidence``, ``occupancy`` (state; expected samples), and where
        there is knowledge ``agreement``.
        """
        has_knowledge = bool((np.asarray(data.log_weights) != 0).any())
        latents, is_right = posterior_of(self, params, data, False, has_knowledge)
        return latents if is_right else posterior_of(self, params, data, True, has_knowledge)[0]

    def forecast(
        self, params: HMMGLMParams, data: HMMGLMData, key: PRNGKeyArray, *, horizon: int, n_paths: int
    ) -> tuple[Array, Array]:
        """Simulated targets (sequences, paths, horizon, targets) and states after the end of each sequence."""
        return forecast_of(self, params, data, key, horizon, n_paths)

    @in_double
    def simulate(
        self,
        params: HMMGLMParams,
        key: PRNGKeyArray,
        lengths: Sequence[int],
        *,
        covariates: Sequence[np.ndarray] | None = None,
        inputs: Sequence[np.ndarray] | None = None,
    ) -> Recording:
        """A recording drawn from the model, with the true states as the signal ``state``.

        Args:
            covariates: (samples, covariates) of each sequence; None draws them from a standard normal distribution.
            inputs: The same for the inputs of the transitions.

        Raises:
            InputError: Counts that would excite themselves without end, or did.
        """
        return simulated(self, params, key, lengths, covariates=covariates, inputs=inputs)

    @in_double
    def filter_start(self, params: HMMGLMParams) -> StreamState:
        """Where a stream starts: nothing seen yet."""
        return jax.device_get(stream_start(params, self.kernel.length))

    @in_double
    def filter_step(
        self,
        params: HMMGLMParams,
        state: StreamState,
        y: ArrayLike | Sequence[float | int],
        *,
        covariates: ArrayLike | Sequence[float | int] = (),
        inputs: ArrayLike | Sequence[float | int] = (),
    ) -> tuple[StreamState, np.ndarray]:
        """One more sample of a stream (NaN where nothing was observed), and the state probabilities after it."""
        return jax.device_get(filter_one(self, params, state, sample_of(self, params, y, covariates, inputs)))

    # --- names ---------------------------------------------------------------------------------------------------

    def dimensions(self) -> Mapping[str, tuple[str, ...]]:
        """Dimensions of parameters and latent quantities, after draws, or after sequence and time."""
        return names.dimensions(self)

    def coordinates(self, recording: Recording) -> Mapping[str, list[Any]]:
        """Labels: states, targets, regressors, lags (in bins), types of couplings, inputs."""
        return names.coordinates(self, recording)

    def params_from(self, values: Mapping[str, Any]) -> HMMGLMParams:
        """Parameters from their names; what this model does not have may be left out.

        Raises:
            InputError: A parameter that is missing, probabilities that do not sum to 1.
        """
        return names.params_from(self, values)
