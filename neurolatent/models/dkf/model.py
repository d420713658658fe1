r"""Discriminative Kalman filter: any regression from observation to state, filtered in closed form.

State: :math:`z_t \mid z_{t-1} \sim N(A z_{t-1}, \Gamma)`, in the long run :math:`N(0, S)`. The observation enters by
what a regression says of the state, :math:`p(z|x) \approx N(z; f(x), Q(x))`, through
:math:`p(x|z) \propto p(z|x) / p(z)`:

.. math::
    m_t = A \mu_{t-1}, \quad M_t = A \Sigma_{t-1} A^T + \Gamma, \quad
    \Sigma_t = (Q(x_t)^{-1} + M_t^{-1} - S^{-1})^{-1}, \quad \mu_t = \Sigma_t (Q(x_t)^{-1} f(x_t) + M_t^{-1} m_t).

The robust filter leaves :math:`S^{-1}` out at every step. There is no density of the observation: evidence is relative
to :math:`\prod_t p(x_t)`, which does not depend on :math:`A, \Gamma` and the scale of :math:`Q`.

References: Burkhart (2019), thesis, Brown University, arXiv 1807.06173; Burkhart, Brandman, Franco, Hochberg and
Harrison (2020), Neural Computation 32(5):969-1017.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Array, ArrayLike, Float

from neurolatent.checks import InputError, did_you_mean
from neurolatent.models.dkf import learning, names, retuning, selection
from neurolatent.models.dkf.decoding import decoded
from neurolatent.models.dkf.filtering import How, Measured
from neurolatent.models.dkf.measuring import measure
from neurolatent.models.dkf.motion import Motion
from neurolatent.models.dkf.params import DKFParams, StateDraws
from neurolatent.models.dkf.refusals import refuse_contradictions
from neurolatent.models.dkf.selection import DKFData
from neurolatent.models.dkf.state import Stationary
from neurolatent.models.dkf.state_prior import StatePrior, sample_state, sites_of
from neurolatent.models.dkf.stream import Stream, StreamState, stepper, stream_start, stream_step
from neurolatent.models.protocols import Latents, Selected
from neurolatent.models.regressors import REGRESSORS, GaussianProcess, HasOwnFilter, Regressor, as_regressor
from neurolatent.ops.indefinite import Rule
from neurolatent.recording import Recording

RULES = {"robust": Rule.ROBUST, "shrink": Rule.SHRINK, "clip": Rule.CLIP}


@dataclass(frozen=True)
class DKF:
    """What the analyst chooses; nothing in it is learned.

    Attributes:
        target: Signal that is decoded: velocity, position, intended direction.
        inputs: Signal it is decoded from; None takes the only other signal.
        regressor: One of :mod:`neurolatent.models.regressors`, or any object with ``fit(X, Z)`` and ``predict(X)`` such
            as an estimator of scikit-learn (a fit that holds one works in memory and is not saved).
        robust: The robust filter, which never uses the stationary covariance.
        on_indefinite: What is done where Q^-1 - S^-1 is indefinite, see :mod:`neurolatent.ops.indefinite`; the share of
            such bins is reported. ``shrink`` reproduces the published accuracy on real data.
        start: Before the first bin the stationary law (``prior``), or the first bin's regression alone (``first``).
        noise: Of the regression: one covariance, or Nadaraya-Watson on the residuals' outer products.
        noise_bandwidth: h^2 of the latter; None finds it by leave-one-out error.
        noise_guard: Rows' worth of the mean covariance mixed into the latter; None takes 1 + outputs.
        stationary: Where S comes from, see :func:`neurolatent.models.dkf.state.learn_state`.
        stabilise: Shrink a state model that would grow without bound, instead of refusing it.
        state_prior: What is believed of the state's moves before any was seen; it counts where they are drawn, by
            ``TwoStage(state_draws=...)`` in closed form or by NUTS or SVI on :meth:`numpyro_model`.
        memory: False lets a bin tell nothing of the next (A = 0, innovation S): the regression alone, with its noise.
        motion: A known function by which the state moves before the learned A, see
            :class:`neurolatent.models.dkf.motion.Motion`; None for a linear state. It has no draws.
        process_scale: Divides the innovation; above 1 the decoded course is smoother.
        bins_before, bins_after: Neighbouring bins whose inputs count too. A stream allows none after.
        centre: Decode about the mean of the training target, not about zero.
        standardise: Give the regression inputs of mean 0 and standard deviation 1 over the training rows.
        saturate: Inputs are held within so many training standard deviations; 2 costs nothing in people's cortex.
        outlier: A bin with a channel further than so many training standard deviations off is skipped and told.
        partly_missing: Skip a bin in which some channels are missing and others not, or refuse the recording.
    """

    target: str
    inputs: str | None = None
    regressor: Any = field(default_factory=GaussianProcess, metadata={"named": REGRESSORS})
    robust: bool = False
    on_indefinite: Literal["shrink", "robust", "clip"] = "shrink"
    start: Literal["prior", "first"] = "prior"
    noise: Literal["constant", "nw"] = "constant"
    noise_bandwidth: float | None = None
    noise_guard: float | None = None
    stationary: Stationary = "consistent"
    stabilise: bool = False
    state_prior: StatePrior = field(default_factory=StatePrior)
    memory: bool = True
    motion: Motion | None = None
    process_scale: float | int = 1.0
    bins_before: int = 0
    bins_after: int = 0
    centre: bool = True
    standardise: bool = True
    saturate: float | None = None
    outlier: float | None = 20.0
    partly_missing: Literal["predict", "refuse"] = "predict"

    def __post_init__(self) -> None:
        refuse_contradictions(self, list(RULES))

    # --- what follows from the choices ---------------------------------------------------------------------------

    @property
    def how(self) -> How:
        """What is compiled into the filter."""
        return How(None if self.robust else RULES[self.on_indefinite], self.start == "first")

    @property
    def residual_is_normal(self) -> bool:
        """False: what is checked are the decoded beliefs, not one-step predictions."""
        return False

    @property
    def regression(self) -> Regressor:
        """The regressor, wrapped where it is not one of ours."""
        return as_regressor(self.regressor)

    @property
    def has_stream(self) -> bool:
        """Whether bins can be decoded as they come."""
        return not self.bins_after and not isinstance(self.regression, HasOwnFilter)

    @property
    def unfit_engines(self) -> Mapping[str, str]:
        """Engines that draw the state model, where the state moves nonlinearly."""
        if self.motion is None:
            return {}
        return dict.fromkeys(
            ("NUTS", "SVI"), "a state that moves by a function is not drawn: leave motion or draws out"
        )

    @property
    def skipped(self) -> int:
        """Bins at the start of each sequence that are conditioned on: none."""
        return 0

    @property
    def evidence_basis(self) -> "DKF":
        """The model without its choices of how the state moves; the evidence is relative to all that is left."""
        still = {"state_prior": StatePrior(), "memory": True, "motion": None, "process_scale": 1.0}
        return replace(self, **still, stationary="consistent", stabilise=False)

    def guard_count(self, outputs: int) -> float:
        """Rows' worth of the mean covariance in a local one."""
        return float(outputs + 1 if self.noise_guard is None else self.noise_guard)

    # --- the door ------------------------------------------------------------------------------------------------

    def signal_of(self, recording: Recording) -> str:
        """Name of the signal that is decoded."""
        return self.target

    def inputs_of(self, recording: Recording) -> str:
        """Name of the signal that it is decoded from.

        Raises:
            InputError: No such signal, or several and none was chosen.
        """
        others = [name for name in recording.signals if name != self.target]
        if self.inputs is None and len(others) == 1:
            return others[0]
        if self.inputs is None:
            raise InputError(
                f"{recording.title}: decode {self.target} from which signal? Choose inputs= among {others}."
            )
        if self.inputs not in recording.signals:
            raise InputError(
                f"{recording.title}: no signal {self.inputs!r} to decode from. {did_you_mean(self.inputs, others)}"
            )
        return self.inputs

    def select(self, recording: Recording, *, for_training: bool, use_knowledge: bool = True) -> Selected:
        """Padded arrays of the recording; every sequence is answered.

        Raises:
            InputError: At training: a missing target, channels that never change, collinear outputs, too few pairs.
        """
        name = self.inputs_of(recording)
        inputs, target = selection.signal_in(recording, name, "inputs"), None
        if for_training or self.target in recording.signals:
            target = selection.signal_in(recording, self.target, "target")
        if for_training:
            selection.refuse_untrainable(recording, name, self.target)
        if self.partly_missing == "refuse":
            selection.refuse_partly_missing(recording, name)
        data = selection.make_data(recording, inputs, target, (self.bins_before, self.bins_after))
        if for_training:
            selection.refuse_few_pairs(data, recording.title)
        return Selected(data, recording, 0, {})

    # --- learning ------------------------------------------------------------------------------------------------

    def two_stage(self, stages: learning.Stages, data: DKFData, generator: np.random.Generator) -> learning.Learned:
        """State model, regression and noise from training rows."""
        return learning.learn(self, self.regression, stages, data, generator)

    # --- how sure the state model is -----------------------------------------------------------------------------

    def numpyro_model(self, data: DKFData) -> None:
        """The density of the known states under a drawn state model: prior and pairs of neighbouring bins."""
        sample_state(self.state_prior, data, centre=self.centre)

    def unconstrained_start(self, params: DKFParams, data: DKFData) -> dict[str, Array]:
        """Values of the program's sites at these parameters."""
        own = params.state._replace(innovation=params.state.innovation * self.process_scale)
        return sites_of(own, params.scaling.target_scale)

    def relabel(self, draws: StateDraws, reference: DKFParams, data: DKFData) -> StateDraws:
        """The draws: nothing in them could be exchanged."""
        return draws

    @property
    def drawn(self) -> type[StateDraws]:
        """What engines draw."""
        return StateDraws

    def under(self, params: DKFParams, draw: StateDraws) -> DKFParams:
        """The parameters with one draw of transition and innovation; the latter divided by ``process_scale``."""
        innovation = draw.innovation / self.process_scale
        return params._replace(state=params.state._replace(transition=draw.transition, innovation=innovation))

    # --- posterior -----------------------------------------------------------------------------------------------

    def posterior(self, params: DKFParams, data: DKFData) -> Latents:
        """Decoded state of every bin in the target's units, given the past and given all, with its covariance.

        ``regressed_mean`` is the regression alone; ``predicted_*`` is the belief before the bin; ``skipped`` tells bins
        that were missing or not to be trusted, ``indefinite`` those where a rule stepped in.
        """
        return self.posteriors([params], data)[0]

    def posteriors(self, sets: Sequence[DKFParams], data: DKFData) -> list[Latents]:
        """The same under parameters that differ in the state model only; the regression is asked once."""
        self.refuse_width(sets[0], data.x.shape[2])
        measured = measure(sets[0], data, self, self.regression)
        return [self._told(params, data, measured) for params in sets]

    def _told(self, params: DKFParams, data: DKFData, measured: Measured) -> Latents:
        found = decoded(self, self.regression, params, data, measured)
        level = params.scaling.target_centre
        heard = np.asarray(measured.heard)
        mean, cov, predicted_mean, predicted_cov, gains = found.filtered
        regressed = np.where(heard[..., None], measured.mean + level, np.nan)
        along = {"regressed_mean": regressed, "log_increment": gains}
        if found.effective is not None:
            along["effective_particles"] = found.effective
        along |= {"skipped": (~heard).astype(np.int8), "indefinite": found.indefinite.astype(np.int8)}
        beliefs = (("filtered", mean, cov), ("smoothed", found.smoothed_mean, found.smoothed_cov))
        for name, centred, narrow in (*beliefs, ("predicted", predicted_mean, predicted_cov)):
            spread = params.scaling.spread * narrow
            along[f"{name}_mean"] = centred + level
            along[f"{name}_sd"] = np.sqrt(np.diagonal(spread, axis1=2, axis2=3))
            along[f"{name}_cov"] = spread
        return Latents(along, {"log_evidence": gains.sum(axis=1)})

    def log_likelihood(self, params: DKFParams, data: DKFData) -> Float[np.ndarray, " sequences"]:
        """Log p(x_1:T) less the sum of log p(x_t) of each sequence, nats: what the filter gains over single bins."""
        measured = measure(params, data, self, self.regression)
        return decoded(self, self.regression, params, data, measured).filtered.log_increments.sum(axis=1)

    def refuse_width(self, params: DKFParams, width: int) -> None:
        """Refuse inputs of another number than at training."""
        wanted = len(params.scaling.input_centre)
        if width != wanted:
            raise InputError(f"inputs have {width} columns, the training data had {wanted}")

    def retune(self, params: DKFParams, data: DKFData, *, rounds: int, tolerance: float) -> tuple[DKFParams, Any]:
        """The parameters with transition and innovation re-tuned by EM on inputs alone, and what EM did.

        See :mod:`neurolatent.models.dkf.retuning`; :meth:`neurolatent.Fit.retuned` is the way in.
        """
        self.refuse_width(params, data.x.shape[2])
        if self.motion is not None:
            raise InputError("EM re-tunes a state that moves linearly: fit without motion")
        inside = np.arange(data.heard.shape[1]) < data.lengths[:, None]
        measured = measure(params, data, self, self.regression)
        found = retuning.retune(self.how, params.state, measured, inside, rounds=rounds, tolerance=tolerance)
        return params._replace(state=found.state), found

    # --- streams -------------------------------------------------------------------------------------------------

    def stream(self, params: DKFParams) -> Stream:
        """A running filter, one bin at a time."""
        return Stream(self, params)

    def filter_start(self, params: DKFParams) -> StreamState:
        """Where a stream starts: nothing seen yet."""
        return stream_start(stepper(self, params))

    def filter_step(self, params: DKFParams, state: StreamState, x: ArrayLike | None) -> tuple[StreamState, np.ndarray]:
        """One more bin of a stream (None or NaN where nothing was observed), and the decoded mean after it.

        It makes the stream's constants at every call; :meth:`stream` makes them once.
        """
        state = stream_step(stepper(self, params), state, x)
        return state, state.mean

    # --- labels --------------------------------------------------------------------------------------------------

    def dimensions(self) -> Mapping[str, tuple[str, ...]]:
        """Dimensions of parameters and latent quantities, after draws, or after sequence and time."""
        return names.dimensions()

    def coordinates(self, recording: Recording) -> Mapping[str, list[Any]]:
        """Labels: channels of the target and of the inputs."""
        target, inputs = recording.signal(self.target), recording.signal(self.inputs_of(recording))
        return names.coordinates(target.names, inputs.names, self.bins_before, self.bins_after)

    def params_from(self, values: Mapping[str, Any]) -> DKFParams:
        """Parameters from their names, as they stand in a file."""
        return names.params_from(values, self.regression)
