r"""Autoregressive hidden Markov model with partial knowledge of its states.

.. math::
    s_1 \sim Cat(\pi), \quad s_t \mid s_{t-1}=k \sim Cat(A_k), \quad
    y_t \mid s_t=k \sim N(W_k z_t, \Sigma_k), \quad z_t = [y_{t-1}; \ldots; y_{t-p}; 1].

Knowledge gives each state a plausibility :math:`w_{t,k}`; the objective is the weighted likelihood
:math:`L_w = \sum_s p(y, s) \prod_t w_{t,s_t}`, that is, every density is multiplied by the plausibility of its state.

References: Juesas, Ramasso, Drujont and Placet (2016), PHM Society European conference 3(1), arXiv 2105.00211;
Ramasso and Denoeux (2014), IEEE Trans. Fuzzy Systems 22(2):395-405.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray

from neurolatent.checks import InputError, at_least, one_of, place, whole_number
from neurolatent.models.arphmm import density, emstep, names, order, selection
from neurolatent.models.arphmm.data import ARPHMMData
from neurolatent.models.arphmm.params import ARPHMMParams
from neurolatent.models.arphmm.prior import (
    ARPrior,
    chain_log_prior,
    concentrations,
    regression_log_prior,
    regression_prior,
)
from neurolatent.models.arphmm.programs import (
    evidence_rows,
    filter_one,
    filtered_rows,
    forecast_of,
    log_likelihood_of,
    posterior_of,
    simulate_paths,
)
from neurolatent.models.arphmm.rollout import drawn_recording, last_known
from neurolatent.models.arphmm.start import (
    Start,
    tells_states_apart,
)
from neurolatent.models.arphmm.stream import FilteredRows, StreamState, sizes_of, stream_start
from neurolatent.models.arphmm.structure import (
    Transitions,
    allowed_transitions,
    chain_mask,
    expand_transition,
    refuse_unreachable,
)
from neurolatent.models.protocols import Latents, Selected, Step
from neurolatent.precision import in_double
from neurolatent.recording import Recording

Covariance = Literal["full", "diag", "tied", "spherical"]


@dataclass(frozen=True)
class ARPHMM:
    """What the analyst chooses; nothing in it is learned.

    With ignorance of the states it is an autoregressive HMM; with ``order=0`` a Gaussian HMM with partial labels; with
    one state a vector autoregression; with labels everywhere, supervised learning.
    """

    n_states: int
    order: int = 1  # lags of the autoregression; on a smoothed indicator 1 is enough (spec of the method, section 4)
    signal: str | None = None  # None: the indicator where there is one, else the only continuous signal
    channels: tuple[str, ...] = ()  # channels of the signal to use; () for all
    transitions: Transitions = "bidiagonal"  # stay or go to the next state: degradation
    skip: int = 1  # states that left_right_skip may jump over
    covariance: Covariance = "full"
    n_substates: int = 1  # tied sub-states of each state; more make durations less dispersed
    first: Literal["condition", "pad"] = "condition"  # the first rows: conditioned on, or modelled with zero lags
    prior: ARPrior = field(default_factory=ARPrior)
    ridge: float | int = 1e-8  # maximum likelihood only: relative to the mean square of the regressors
    floor: float | int = 1e-6  # maximum likelihood only: added variance, relative to the variance of the signal

    def __post_init__(self) -> None:
        for name, low in (("n_states", 1), ("order", 0), ("n_substates", 1), ("skip", 0)):
            whole_number(name, getattr(self, name), low)
        one_of("transitions", self.transitions, get_args(Transitions))
        one_of("covariance", self.covariance, get_args(Covariance))
        one_of("first", self.first, ("condition", "pad"))
        for name in ("ridge", "floor"):
            at_least(name, getattr(self, name), 0.0)
        if isinstance(self.channels, str) or len(set(self.channels)) < len(self.channels):
            raise InputError(f"channels must be different names, got {self.channels!r}")
        object.__setattr__(self, "channels", tuple(self.channels))
        refuse_unreachable(self.allowed, np.eye(self.n_states, dtype=bool)[0])

    # --- what follows from the choices ---------------------------------------------------------------------------

    @property
    def allowed(self) -> np.ndarray:
        """(states, states) mask of transitions [from, to]."""
        return allowed_transitions(self.transitions, self.n_states, self.skip)

    @property
    def is_ordered(self) -> bool:
        """Whether states can only be passed in one direction."""
        return self.transitions != "ergodic"

    @property
    def residual_is_normal(self) -> bool:
        """Whether ``residual`` is standard normal if the model is right."""
        return True

    @property
    def skipped(self) -> int:
        """Samples at the start of a sequence that are conditioned on."""
        return self.order if self.first == "condition" else 0

    @property
    def reach(self) -> int:
        """Samples after one that are predicted from it."""
        return self.order

    def chain_prior(self) -> density.Rows:
        """Dirichlet concentrations of the initial distribution and of the rows of transitions."""
        return concentrations(self.prior, self.allowed, is_ordered=self.is_ordered)

    def state_names(self) -> list[str]:
        """Labels of the states: their numbers, the first one being 1."""
        return [str(k + 1) for k in range(self.n_states)]

    # --- the door ------------------------------------------------------------------------------------------------

    def signal_of(self, recording: Recording) -> str:
        """Name of the signal that is modelled.

        Raises:
            InputError: No such signal, or several and none was chosen.
        """
        if self.signal is not None:
            recording.signal(self.signal)
            return self.signal
        if "indicator" in recording.signals:
            return "indicator"
        continuous = [name for name, s in recording.signals.items() if s.kind == "continuous"]
        if len(continuous) != 1:
            raise InputError(
                f"{place(recording.name)}: which signal shall be modelled? Choose signal= among {continuous}, "
                "or prepare with HealthIndicator()."
            )
        return continuous[0]

    def modelled_values(self, recording: Recording) -> Float[np.ndarray, "samples features"]:
        """Values of the signal that is modelled, sequences end to end; NaN where nothing was observed."""
        name = self.signal_of(recording)
        signal = recording.with_channels(name, self.channels).signal(name)
        return np.where(signal.observed, signal.values, np.nan).reshape(len(signal.values), -1)

    def select(self, recording: Recording, *, for_training: bool, use_knowledge: bool = True) -> Selected:
        """Padded arrays of the recording, and the sequences that cannot be answered, with the reason.

        Raises:
            InputError: At training: sequences shorter than order + 2, channels that never change.
            IncompatibleKnowledgeError: Knowledge that leaves no path of states, naming sequence and row.
        """
        name = self.signal_of(recording)
        recording = recording.with_channels(name, self.channels)
        refused: dict[str, str] = {}
        if for_training:
            selection.refuse_untrainable(recording, name, self.order)
        else:
            recording, refused = selection.long_enough(recording, self.skipped)
        weights = np.ones((recording.n_samples, self.n_states))
        if use_knowledge:
            weights = recording.knowledge.render(recording, self.n_states)
        pads = self.first == "pad"
        data = selection.make_data(
            recording, name, weights, order=self.order, pads_start=pads, for_training=for_training
        )
        mask = chain_mask(self.allowed, self.n_substates)
        selection.refuse_contradiction(data, recording, mask, self.n_substates, self.transitions)
        return Selected(data, recording, self.skipped, refused)

    # --- EM ------------------------------------------------------------------------------------------------------

    def init(self, key: PRNGKeyArray, data: ARPHMMData, *, start: Start = "auto", restart: int = 0) -> ARPHMMParams:
        """A starting point: responsibilities by ``start``, then one M-step under the prior."""
        return emstep.init(self, key, data, start=start, restart=restart)

    def has_one_start(self, data: ARPHMMData) -> bool:
        """Whether the default start needs no restarts: one state, or knowledge that tells the states apart."""
        return self.n_states == 1 or tells_states_apart(data)

    @property
    def settling(self) -> int:
        """No schedule: EM climbs from the first step on."""
        return 0

    def em_step(
        self, params: ARPHMMParams, data: ARPHMMData, *, use_prior: bool, step: Any = 0, careful: bool = True
    ) -> Step:
        """One update; the objective is log L_w (plus the log prior) at the parameters that came in.

        With the prior, or with ``ridge`` and ``floor`` at zero, the objective never falls.
        """
        return emstep.em_step(self, params, data, use_prior=use_prior, careful=careful)

    def ordered(self, params: ARPHMMParams, data: ARPHMMData) -> ARPHMMParams:
        """States in their documented order.

        States of an ordered structure, or told apart by knowledge, keep theirs. Else they are sorted by the mean of
        the signal, highest first; with several features by the first principal component of their means.
        """
        return order.ordered(self, params, data)

    # --- density -------------------------------------------------------------------------------------------------

    def log_prior(self, params: ARPHMMParams, data: ARPHMMData) -> Float[Array, ""]:
        """Log density of the conjugate prior at these parameters, nats."""
        prior = regression_prior(self.prior, data.scale, self.order)
        return chain_log_prior(params.initial, params.transition, self.chain_prior()) + regression_log_prior(
            params.coefficients, params.covariance, prior, self.covariance
        )

    def log_likelihood(self, params: ARPHMMParams, data: ARPHMMData) -> Float[Array, " sequences"]:
        """Weighted log likelihood log L_w of each sequence, given its first ``order`` samples, nats."""
        return log_likelihood_of(self, params, data)

    def numpyro_model(self, data: ARPHMMData) -> None:
        """Declare priors and likelihood, with the states summed out; the one definition of the density."""
        initial, transition = density.sample_chain(self.chain_prior())
        advance = density.sample_advance(transition, self.terminal, self.n_substates)
        prior = regression_prior(self.prior, data.scale, self.order)
        coefficients, covariance = density.sample_regression(prior, self.n_states, self.covariance)
        params = ARPHMMParams(initial, transition, advance, coefficients, covariance)
        numpyro.factor("arphmm", self.log_likelihood(params, data).sum())

    @property
    def terminal(self) -> np.ndarray:
        """(states,) states that are never left."""
        return self.allowed.sum(axis=1) == 1

    def unconstrained_start(self, params: ARPHMMParams, data: ARPHMMData) -> dict[str, Array]:
        """Values of the program's sites at these parameters, moved off the edges of the simplices."""
        return density.start_of(self, params)

    def relabel(self, draws: ARPHMMParams, reference: ARPHMMParams, data: ARPHMMData) -> ARPHMMParams:
        """Draws (leading axis) with their states matched to those of a reference by overlap of their smoothed paths."""
        return order.relabelled(self, draws, reference, data)

    def chain_transition(self, params: ARPHMMParams) -> np.ndarray:
        """(places, places) transitions of the chain with its tied sub-states."""
        return np.asarray(
            expand_transition(jnp.asarray(params.transition), jnp.asarray(params.advance), self.n_substates)
        )

    # --- posterior -----------------------------------------------------------------------------------------------

    def posterior(self, params: ARPHMMParams, data: ARPHMMData) -> Latents:
        """Filtered, smoothed and most probable states, one-step predictions, and per sequence the last belief.

        ``residual`` is standard normal and independent along time if the model is right: the normal quantile of each
        sample's probability under its one-step prediction, which is a mixture over states.
        """
        has_knowledge = bool((np.asarray(data.log_weights) != 0).any())
        latents, is_right = posterior_of(self, params, data, False, has_knowledge)
        return latents if is_right else posterior_of(self, params, data, True, has_knowledge)[0]

    def forecast(
        self, params: ARPHMMParams, data: ARPHMMData, key: PRNGKeyArray, *, horizon: int, n_paths: int
    ) -> tuple[Array, Array]:
        """Simulated samples (sequences, paths, horizon, features) and states after the end of each sequence."""
        gap = int((np.asarray(data.lengths) - 1 - np.asarray(last_known(data))).max())
        return forecast_of(self, params, data, key, horizon, n_paths, gap)

    @in_double
    def simulate(
        self,
        params: ARPHMMParams,
        key: PRNGKeyArray,
        lengths: Sequence[int],
        *,
        before: np.ndarray | None = None,
    ) -> Recording:
        """A recording drawn from the model, with the true states as the signal ``state``.

        Args:
            lengths: Samples of each sequence, those that a fit conditions on included.
            before: (sequences, order, features) samples before the first one, latest first; None takes zeros.
        """
        features = params.coefficients.shape[1]
        past = np.zeros((len(lengths), self.order, features)) if before is None else np.asarray(before, float)
        y, states = jax.device_get(simulate_paths(self, params, key, jnp.asarray(past), max(lengths)))
        return drawn_recording(self.signal or "signal", y, states, lengths)

    @in_double
    def filter_start(self, params: ARPHMMParams) -> StreamState:
        """Where a stream starts: nothing seen yet."""
        return jax.device_get(stream_start(params, self.order, self.n_substates))

    @in_double
    def filter_step(
        self, params: ARPHMMParams, state: StreamState, y: ArrayLike | Sequence[float | int]
    ) -> tuple[StreamState, np.ndarray]:
        """One more sample of a stream (NaN where nothing was observed), and the state probabilities after it."""
        sample = np.atleast_1d(np.asarray(y, float))
        if sample.shape != params.coefficients.shape[1:2]:
            raise InputError(
                f"a sample of this stream has {params.coefficients.shape[1]} features, got the shape {np.shape(y)}"
            )
        return jax.device_get(filter_one(self, params, state, sample))

    @in_double
    def filter_rows(
        self,
        params: ARPHMMParams,
        y: Float[np.ndarray, "sequences time features"],
        lengths: Sequence[int] | Int[np.ndarray, " sequences"] | None = None,
    ) -> FilteredRows:
        """The stream's filter at every row of many sequences; NaN is not observed.

        A row's answer is the same to the last bit whatever follows it, and whatever other sequences there are. Rows
        from a sequence's length on (default: all count) need not be filtered: what stands there means nothing.
        """
        return filtered_rows(self, params, y, sizes_of(y, lengths))

    @in_double
    def evidence_rows(
        self,
        params: ARPHMMParams,
        y: Float[np.ndarray, "sequences time features"],
        lengths: Sequence[int] | Int[np.ndarray, " sequences"] | None = None,
    ) -> Float[np.ndarray, "models sequences time"]:
        """The evidence of :meth:`filter_rows` under each of many parameter sets (leading axis of every leaf), nats."""
        return evidence_rows(self, params, y, sizes_of(y, lengths))

    def n_parameters(self, params: ARPHMMParams) -> int:
        """How many numbers are free: rows of probabilities less one each, coefficients, entries of covariances."""
        first, _ = self.chain_prior()
        chain = int((first > 0).sum()) - 1 + int(self.allowed.sum()) - self.n_states
        advance = int(self.terminal.sum()) if self.n_substates > 1 else 0
        features = params.covariance.shape[1]
        triangle = features * (features + 1) // 2
        sizes = {"full": self.n_states * triangle, "diag": self.n_states * features, "tied": triangle}
        return chain + advance + np.size(params.coefficients) + sizes.get(self.covariance, self.n_states)

    def dimensions(self) -> Mapping[str, tuple[str, ...]]:
        """Dimensions of parameters and latent quantities, after draws, or after sequence and time."""
        return names.DIMENSIONS

    def coordinates(self, recording: Recording) -> Mapping[str, list[Any]]:
        """Labels: state numbers, channel names, lags, and the places of the chain."""
        return names.coordinates(self, recording)

    def params_from(self, values: Mapping[str, Any]) -> ARPHMMParams:
        """Parameters from their names; ``advance`` follows from the transitions where it is not given."""
        return names.params_from(values)
