r"""Hidden Markov model with a generalised linear model in every state: spike trains, choices, or real numbers.

.. math::
    z_1 \sim Cat(\pi), \quad z_t \mid z_{t-1}=i \sim Cat(\Pi_i), \quad
    \eta_{to} = b_{z_t o} + \sum_m W_{z_t o m} x_{tm}, \quad y_{to} \mid z_t \sim p(\cdot \mid f(\eta_{to})).

The regressors x are the filtered past of the targets (:mod:`~neurolatent.models.hmmglm.history`) and covariates. With
counts and couplings it is the HMM-GLM of switching interactions, with choices and covariates the GLM-HMM of behaviour.

References: Li, Kim, Rodgers, Choi and Wu (2024), ICLR, arXiv 2310.15263; Escola, Fontanini, Katz and Paninski (2011),
Neural Computation 23(5):1071-1132; Ashwood et al. (2022), Nature Neuroscience 25:201-212.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from neurolatent.checks import InputError, at_least, one_of, place, positive, whole_number
from neurolatent.models.hmmglm import density, names
from neurolatent.models.hmmglm import select as door
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.driven import Driven
from neurolatent.models.hmmglm.families import Bernoulli, Categorical, Gaussian, Poisson
from neurolatent.models.hmmglm.history import Exponential, Kernel, Learned, NoHistory, RaisedCosine, Taps
from neurolatent.models.hmmglm.inference import beliefs, coefficients
from neurolatent.models.hmmglm.lapse import Lapses
from neurolatent.models.hmmglm.mstep import Layout
from neurolatent.models.hmmglm.onehot import OneHot
from neurolatent.models.hmmglm.params import HMMGLMParams, matched, permuted
from neurolatent.models.hmmglm.priors import Hierarchical, Ridge, refuse_couplings_only
from neurolatent.models.hmmglm.programs import filter_one, forecast_of, log_likelihood_of, posterior_of
from neurolatent.models.hmmglm.simulate import simulated
from neurolatent.models.hmmglm.sparse import Horseshoe, SpikeSlab
from neurolatent.models.hmmglm.start import noisy_start
from neurolatent.models.hmmglm.stream import Sample, StreamState, stream_start
from neurolatent.models.hmmglm.uncertainty import standard_errors
from neurolatent.models.hmmglm.update import update_chain, update_lapses, update_regressions
from neurolatent.models.protocols import Latents, Selected, Step
from neurolatent.precision import in_double
from neurolatent.recording import Recording

SelfCoupling = Literal["none", "zero", "free", "shared"]
BIAS_SD = 10.0  # of the bias of counts and values around that of the mean; ours: next to nothing
FEW_VISITS = 1e-3  # share of all samples below which a state is starved; spec of the method, section 12


@dataclass(frozen=True)
class HMMGLM:
    """What the analyst chooses; nothing in it is learned."""

    n_states: int
    family: Poisson | Bernoulli | Categorical | Gaussian = field(default_factory=Poisson)
    signal: str | None = None  # what is modelled; None: the only signal of a kind that suits the family
    channels: tuple[str, ...] = ()  # of the signal; () for all
    history: Exponential | Learned | RaisedCosine | Taps | NoHistory | None = None  # None: none for choices, else
    # Exponential()
    covariates: str | None = None  # name of a continuous signal; None: "covariates" for choices, else none
    covariate_channels: tuple[str, ...] = ()  # () for all; one called "bias" is left out, the model has its own
    self_coupling: SelfCoupling = "free"  # of the targets: like any other weight, zero, or lags of its own
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
        whole_number("n_states", self.n_states, 1)
        one_of("self_coupling", self.self_coupling, get_args(SelfCoupling))
        one_of("bias", self.bias, ("state", "shared"))
        at_least("alpha (a concentration that has a mode)", self.alpha, 1.0)
        if self.kappa is not None:
            at_least("kappa", self.kappa, 0.0)
        positive("taps_sd", self.taps_sd)
        if self.bias_sd is not None:
            positive("bias_sd", self.bias_sd)
        for name in ("channels", "covariate_channels"):
            value = getattr(self, name)
            if isinstance(value, str) or len(set(value)) < len(value):
                raise InputError(f"{name} must be different names, got {value!r}")
            object.__setattr__(self, name, tuple(value))
        if self.lapses is not None and not isinstance(self.family, Bernoulli):
            raise InputError("lapses belong to choices between two: take family=Bernoulli(), or leave them out")
        if isinstance(self.family, Categorical) and not isinstance(self.kernel, NoHistory):
            raise InputError("the past of a choice among several classes is no regressor: put it into the covariates")
        if isinstance(self.prior, (OneHot, Horseshoe, SpikeSlab)):
            one = isinstance(self.kernel, (Exponential, Learned))
            refuse_couplings_only(
                self.prior,
                has_history=self.kernel.length > 0,
                has_covariates=self.covariates is not None,
                one_weight=one,
            )

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

    @property
    def newton_prior(self) -> Any:
        """The normal prior of the weights in a Fisher-scoring step."""
        return self.prior.start if isinstance(self.prior, (Horseshoe, SpikeSlab)) else self.prior

    @functools.cached_property
    def pooled(self) -> "HMMGLM":
        """The GLM without states."""
        prior = self.prior if isinstance(self.prior, Ridge) else Ridge()
        bias_sd = self.spread_of_bias
        return replace(self, n_states=1, prior=prior, bias_sd=bias_sd, bias="state", lapses=None, driven=None)

    def chain_prior(self) -> tuple[np.ndarray, np.ndarray]:
        """Dirichlet concentrations of the initial distribution and of the rows of transitions."""
        kappa = (0.0 if self.is_choice else 50.0) if self.kappa is None else self.kappa
        first = np.full(self.n_states, 2.0 if self.learn_initial else 1.0)
        return first, np.full((self.n_states,) * 2, float(self.alpha)) + kappa * np.eye(self.n_states)

    def state_names(self) -> list[str]:
        """Labels of the states: their numbers, the first one being 1."""
        return [str(k + 1) for k in range(self.n_states)]

    def n_groups(self, data: HMMGLMData) -> int:
        """Groups of targets that a Newton step treats together."""
        return 1 if isinstance(self.family, Categorical) else data.y.shape[-1]

    def free(self, data: HMMGLMData) -> np.ndarray:
        """(targets, regressors) mask of the weights that are not held at zero."""
        targets, basis = data.y.shape[-1], self.kernel.basis()
        functions = 1 if self.learns_kernel else basis.shape[1]
        columns = functions * targets + data.x.shape[-1] - basis.shape[1] * targets
        free = np.ones((targets, columns), bool)
        if self.self_coupling != "none":
            for function in range(functions):
                free[np.arange(targets), function * targets + np.arange(targets)] = False
        return free

    def layout(self, data: HMMGLMData) -> Layout:
        """What the coefficients of one target are: own lags, regressors, bias."""
        free = self.free(data)
        lags = np.ones((len(free), data.own.shape[-1]), bool)
        one = np.ones((len(free), 1), bool)
        tied = (lags & (self.self_coupling == "shared"), np.zeros_like(free), one & (self.bias == "shared"))
        tied = [part if self.n_states > 1 else np.zeros_like(part) for part in tied]
        return Layout(np.concatenate([lags, free, one], axis=1), np.concatenate(tied, axis=1))

    # --- the door ------------------------------------------------------------------------------------------------

    def signal_of(self, recording: Recording) -> str:
        """Name of the signal that is modelled.

        Raises:
            InputError: No such signal, or several and none was chosen.
        """
        if self.signal is not None:
            recording.signal(self.signal)
            return self.signal
        kinds = self.family.kinds
        found = [n for n, s in recording.signals.items() if s.kind in kinds and n not in ("state", self.covariates)]
        usual = "choice" if self.is_choice else "spikes"
        if usual in found:
            return usual
        exact = [n for n in found if recording.signal(n).kind == kinds[0]]
        found = exact if len(found) > 1 and len(exact) == 1 else found
        if len(found) != 1:
            raise InputError(
                f"{place(recording.title)}: which signal shall be modelled? {type(self.family).__name__} wants one of "
                f"kind {' or '.join(kinds)}. Choose signal= among {found or list(recording.signals)}, or "
                f"say what it is when the recording is made: kinds={{name: {kinds[0]!r}}}."
            )
        return found[0]

    def covariates_of(self, recording: Recording) -> str | None:
        """Name of the signal of covariates; None where there is none."""
        if self.covariates is not None:
            recording.signal(self.covariates)
            return self.covariates
        return "covariates" if self.is_choice and "covariates" in recording.signals else None

    def modelled_values(self, recording: Recording) -> Float[np.ndarray, "samples features"]:
        """Values of the signal that is modelled, sequences end to end; NaN where nothing was observed."""
        name = self.signal_of(recording)
        signal = recording.with_channels(name, self.channels).signal(name)
        return np.where(signal.observed, signal.values, np.nan).reshape(len(signal.values), -1)

    def select(self, recording: Recording, *, for_training: bool, use_knowledge: bool = True) -> Selected:
        """Padded arrays of the recording; the past never crosses sequences, and what was not observed counts as 0.

        Raises:
            InputError: Signals of another kind, labels beyond the classes; at training what cannot be learned from.
        """
        name = self.signal_of(recording)
        recording = recording.with_channels(name, self.channels)
        y, seen = door.targets_of(recording.signal(name), self.family, place(recording.title, f"signal {name}"))
        covariates = self.covariates_of(recording)
        x, labels = door.columns_of(recording, covariates, self.covariate_channels)
        inputs, _ = door.columns_of(recording, *self.inputs_of())
        taken = door.Taken(y, door.mask_missing(seen, recording, covariates), x, inputs)
        if for_training:
            door.refuse_untrainable(taken, recording, self, labels)
        weights = np.ones((recording.n_samples, self.n_states))
        if use_knowledge:
            weights = recording.knowledge.render(recording, self.n_states)
        data = door.make_data(taken, recording, weights, kernel=self.kernel, own_lags=self.has_own_lags)
        return Selected(self._scaled(data, taken) if for_training else data, recording, self.skipped, {})

    def inputs_of(self) -> tuple[str | None, tuple[str, ...]]:
        """Signal and channels of the inputs of the transitions; None where they are constant."""
        return (None, ()) if self.driven is None else (self.driven.signal, self.driven.channels)

    def _scaled(self, data: HMMGLMData, taken: door.Taken) -> HMMGLMData:
        """With the centre of the bias and the spread of the targets."""
        if self.is_choice:
            return data
        mean = np.array([column[seen].mean() for column, seen in zip(taken.y.T, taken.observed.T, strict=True)])
        if isinstance(self.family, Poisson):
            return data._replace(centre=np.asarray(self.family.link.inverse(mean)))
        scale = np.array([column[seen].std() for column, seen in zip(taken.y.T, taken.observed.T, strict=True)])
        return data._replace(centre=mean, scale=scale)

    # --- EM ------------------------------------------------------------------------------------------------------

    def init(self, key: PRNGKeyArray, data: HMMGLMData, *, start: str = "auto", restart: int = 0) -> HMMGLMParams:
        """One GLM for all data in every state, moved by Normal(0, 0.1) noise, for choices 0.2.

        With ``start="random"`` the weights are Normal(0, 1) instead: restarts then find other optima too, if there are.
        """
        if start not in ("auto", "random"):
            raise InputError(f"the HMM-GLM starts from one GLM plus noise: start='auto' or 'random', not {start!r}")
        if start == "random":
            return noisy_start(self, key, data, restart, noise=1.0, keeps_weights=False)
        return noisy_start(self, key, data, restart, noise=0.2 if self.is_choice else 0.1)

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

        After ``settling`` steps it never falls: the regressions take Fisher-scoring steps that are kept only where they
        help.
        """
        found = beliefs(self, params, data, careful=careful)
        objective = found.filtered.log_evidence.sum() + (self.log_prior(params, data) if use_prior else 0.0)
        updated = update_chain(self, params, data, found)
        updated, weight = update_lapses(self, updated, data, found.smoothed)
        if isinstance(self.prior, OneHot):
            updated = self.prior.update(self, updated, data, weight, use_prior=use_prior, step=step)
        else:
            steps = 4 if self.is_choice else 2
            updated = update_regressions(self, updated, data, weight, use_prior=use_prior, steps=steps)
            updated = self.newton_prior.learned(updated, self.free(data))
        share = found.smoothed.sum(axis=(0, 1)) / jnp.maximum(data.lengths.sum(), 1)
        return Step(updated, objective, share < FEW_VISITS, found.is_right)

    def ordered(self, params: HMMGLMParams, data: HMMGLMData) -> HMMGLMParams:
        """States by the weight of the first covariate, highest first; without covariates the most visited one first."""
        if self.n_states == 1:
            return params
        first = self.free(data).shape[1] - (data.x.shape[-1] - self.kernel.basis().shape[1] * data.y.shape[-1])
        if first < params.weights.shape[-1]:
            score = np.asarray(params.weights)[:, -1, first]
        else:
            smoothed = self.posterior(params, data).along_time["smoothed"]
            score = np.asarray(smoothed).sum(axis=(0, 1))
        return permuted(params, np.argsort(-score, kind="stable"))

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
        if self.n_states == 1:
            return draws
        target = np.asarray(coefficients(reference)).reshape(self.n_states, -1)
        out = []
        for number in range(len(draws.initial)):
            one = HMMGLMParams(*(np.asarray(leaf)[number] for leaf in draws))
            own = np.asarray(coefficients(one)).reshape(self.n_states, -1)
            out.append(permuted(one, matched(((target[:, None] - own[None]) ** 2).sum(axis=-1))))
        return HMMGLMParams(*(np.stack(leaves) for leaves in zip(*out, strict=True)))

    @property
    def unfit_engines(self) -> dict[str, str]:
        """Names of the engines that do not learn under this prior, with the reason."""
        name = type(self.prior).__name__
        if isinstance(self.prior, (Horseshoe, SpikeSlab)):
            return {"EM": f"{name} has no mode for EM to find: take NUTS or SVI, or the prior OneHot or Hierarchical"}
        if isinstance(self.prior, OneHot):
            reason = "OneHot is learned by EM: for draws take the prior SpikeSlab"
            return dict.fromkeys(("NUTS", "SVI"), reason)
        return {}

    def standard_errors(self, params: HMMGLMParams, data: HMMGLMData, smoothed: ArrayLike) -> HMMGLMParams:
        """Standard errors of bias, weights and taps given the states, in the place of these; NaN elsewhere."""
        return standard_errors(self, params, data, smoothed)

    def n_parameters(self, params: HMMGLMParams) -> int:
        """How many numbers are free: chain, coefficients (shared ones once, zeros not), noise, lapses, inputs, kernel.

        Hyperparameters (centre, spread, connectome) are not counted.
        """
        chain = self.n_states**2 - 1 if self.learn_initial else self.n_states * (self.n_states - 1)
        once = {"bias": self.bias == "shared", "taps": self.self_coupling == "shared"}
        counts = [np.size(getattr(params, n)) // (self.n_states if tied else 1) for n, tied in once.items()]
        own = sum(np.size(getattr(params, name)) for name in ("noise", "lapse", "drive"))
        return chain + sum(counts) + own + int(np.count_nonzero(params.weights)) + max(np.size(params.kernel) - 1, 0)

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
        sample = Sample(*(np.atleast_1d(np.asarray(v, float)) for v in (y, covariates, inputs)))
        if isinstance(self.family, Categorical):
            classes = np.arange(1, self.family.n_classes)
            sample = sample._replace(y=np.where(np.isfinite(sample.y), sample.y == classes, np.nan))
        if sample.y.shape != params.bias.shape[-1:]:
            raise InputError(
                f"a sample of this stream has {params.bias.shape[-1]} targets, got the shape {np.shape(y)}"
            )
        return jax.device_get(filter_one(self, params, state, sample))

    def state_means(self, eta: Array, params: HMMGLMParams) -> Array:
        """Expected targets under each state, from the linear predictors."""
        mean = self.family.mean(eta)
        if self.lapses is None:
            return mean
        return params.lapse[:, :1] + (1 - params.lapse.sum(axis=1, keepdims=True)) * mean

    def state_variances(self, means: Array, params: HMMGLMParams) -> Array:
        """Variance of the targets under each state."""
        if self.is_choice:
            return means * (1 - means)
        return jnp.broadcast_to(params.noise**2, means.shape) if self.has_noise else means

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
