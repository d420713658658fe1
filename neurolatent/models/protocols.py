"""What the engines and the result ask of a model: interfaces only."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from neurolatent.recording import Recording

Params = Any  # a NamedTuple of arrays, one class per model
Data = Any  # a NamedTuple of arrays, what select makes of a recording


class ModelWarning(UserWarning):
    """Something about the data that a model can live with, but the user should know."""


class Selected(NamedTuple):
    """What a model takes of a recording."""

    data: Data
    recording: Recording  # the sequences that are answered, in the order of the data
    skipped: int  # samples at the start of each sequence that are conditioned on, not modelled
    refused: Mapping[str, str]  # sequence id to the reason why it is not answered


class Latents(NamedTuple):
    """Posterior quantities of one set of parameters; the names and their further dimensions are the model's."""

    along_time: dict[str, Array]  # (sequences, time, ...)
    per_sequence: dict[str, Array]  # (sequences, ...)


class Step(NamedTuple):
    """One update of EM."""

    params: Params
    objective: Float[Array, ""]  # at the parameters that came in
    starved: Array  # (states,) bool: parts of the model with too little data to be updated
    is_right: Array  # bool: False asks for the same step with careful=True


@runtime_checkable
class Model(Protocol):
    """A model: the analyst's choices, nothing learned."""

    def signal_of(self, recording: Recording) -> str:
        """Name of the signal that is modelled; refuses where it cannot be told."""
        ...

    @property
    def residual_is_normal(self) -> bool:
        """Whether ``residual`` is standard normal if the model is right."""
        ...

    def select(self, recording: Recording, *, for_training: bool, use_knowledge: bool) -> Selected:
        """Arrays of the recording, padded; refuses what cannot be learned from."""
        ...

    def posterior(self, params: Params, data: Data) -> Latents:
        """Latent quantities with their uncertainty."""
        ...

    def log_likelihood(self, params: Params, data: Data) -> Float[Array, " sequences"]:
        """Log evidence of each sequence, nats."""
        ...

    def dimensions(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the dimensions of every parameter and latent quantity, after sequence and time."""
        ...

    def coordinates(self, recording: Recording) -> Mapping[str, list[Any]]:
        """Labels along these dimensions."""
        ...

    def params_from(self, values: Mapping[str, np.ndarray]) -> Params:
        """Parameters from their names, as they stand in a file."""
        ...


@runtime_checkable
class HasEMStep(Protocol):
    """Can be fitted by EM."""

    def init(self, key: PRNGKeyArray, data: Data, *, start: str, restart: int) -> Params:
        """A starting point."""
        ...

    @property
    def settling(self) -> int:
        """Steps of a schedule before the objective is one that EM climbs; 0 where there is none."""
        ...

    def em_step(self, params: Params, data: Data, *, use_prior: bool, step: Any = 0, careful: bool = True) -> Step:
        """One update, and the objective at the parameters that came in.

        Args:
            step: Number of the step, counted from 0, for models with a schedule.
            careful: False allows a smaller program that may have to give up and says so.
        """
        ...

    def has_one_start(self, data: Data) -> bool:
        """Whether the default start is the same whatever the key, so that restarts would repeat it."""
        ...

    def ordered(self, params: Params, data: Data) -> Params:
        """The same parameters with the states in their documented order."""
        ...


class Bound(NamedTuple):
    """A lower bound on the log evidence of each sequence, nats."""

    objective: Float[Array, " sequences"]  # what is climbed: its terms may be weighted
    elbo: Float[Array, " sequences"]  # the same with all weights 1: a bound on the log evidence
    parts: Mapping[str, Array] = {}  # noqa: RUF012 - by name (sequences,), nats: what the engine writes down besides


@runtime_checkable
class HasBound(Protocol):
    """Can be fitted by minibatches of sequences; every array of its data has the sequences as its first axis."""

    def free_start(self, key: PRNGKeyArray, data: Data, *, restart: int) -> Any:
        """A starting point: a tree of arrays without constraints, parameters of the encoder included."""
        ...

    def bound(self, free: Any, data: Data, key: PRNGKeyArray | None, kl_weight: Any) -> Bound:
        """The bound of each sequence.

        Args:
            key: Of the draws in a term without closed form; None takes fixed points instead.
            kl_weight: Of the divergence in the objective; the model's own weights come on top.
        """
        ...

    def free_log_prior(self, free: Any, data: Data) -> Float[Array, ""]:
        """Log prior density of what all sequences share, nats."""
        ...

    def params_at(self, free: Any, data: Data) -> Params:
        """The parameters in their own units."""
        ...


@runtime_checkable
class HasOwn(Protocol):
    """A model with a bound in which each training sequence has parameters of its own: it has no encoder."""

    def parted(self, free: Any) -> tuple[Any, Any]:
        """What all sequences share, and what each has of its own: arrays whose first axis are the sequences."""
        ...

    def joined(self, shared: Any, own: Any) -> Any:
        """The whole again, of as many sequences as are given."""
        ...


@runtime_checkable
class TrainsBeside(HasBound, Protocol):
    """A model whose likes, different in a few values that its parameters hold, train by one program."""

    def beside(self) -> Any:
        """The model without these values: what must be equal."""
        ...


@runtime_checkable
class Foresees(Protocol):
    """Tells the coming steps after every observation of a sequence."""

    def foresee(self, params: Params, data: Data, key: PRNGKeyArray) -> Any:
        """``mean``, ``low`` and ``high`` of what comes (time, sequences, horizon, ...), and what is ``told`` of now."""
        ...

    @property
    def layers(self) -> Sequence[Any]:
        """Its layers, lowest first, each with ``units`` and ``latent``."""
        ...

    def betas(self, channels: int) -> np.ndarray:
        """Temperature of the divergence of each layer."""
        ...

    @property
    def horizon(self) -> int:
        """Steps that are told ahead."""
        ...

    @property
    def window(self) -> int:
        """Steps that are still revised as more is seen; 1 where only the last is told."""
        ...

    @property
    def foresight(self) -> str:
        """Words for how it looks ahead."""
        ...

    @property
    def is_symbolic(self) -> bool:
        """Whether the data are symbols."""
        ...

    def with_horizon(self, horizon: int) -> Any:
        """The same model, which looks so many steps ahead."""
        ...


@runtime_checkable
class HasTwoStages(Protocol):
    """Can be fitted in two stages: what predicts, then how far it is off."""

    def two_stage(self, stages: Any, data: Data, generator: np.random.Generator) -> Any:
        """Parameters, and statistics by name, by the settings of the engine."""
        ...


@runtime_checkable
class HasDensity(Protocol):
    """Can be sampled: priors and likelihood as a NumPyro program."""

    def numpyro_model(self, data: Data) -> None:
        """Declare priors and likelihood."""
        ...

    def unconstrained_start(self, params: Params, data: Data) -> dict[str, Array]:
        """Values of the program's sites near these parameters, strictly inside their supports."""
        ...

    def relabel(self, draws: Params, reference: Params, data: Data) -> Params:
        """Draws (leading axis) with their states matched to a reference."""
        ...


@runtime_checkable
class HasGibbs(Protocol):
    """Has a sampler of its own, in sweeps."""

    def gibbs_start(self, key: PRNGKeyArray, data: Data, chain: int) -> Any:
        """Where a chain starts."""
        ...

    def gibbs_sweep(self, params: Any, data: Data, key: PRNGKeyArray, settling: Any) -> tuple[Any, dict[str, Array]]:
        """The next draw, and single numbers by name, ``log_joint`` among them.

        Args:
            settling: Falls from 1 to 0 in the first part of the warm-up, where moves need not leave the posterior as
                it is, and is 0 after it.
        """
        ...

    def gibbs_kept(self, params: Any) -> Params:
        """The arrays of a draw that are kept."""
        ...

    def gibbs_packed(self, kept: Params) -> Params:
        """Kept draws (leading axis) on the host, as they are reported and as small as they can be."""
        ...

    def gibbs_alike(self, packed: Sequence[Params]) -> list[Params]:
        """Packed draws with the same sizes of all but the leading axis, to be joined."""
        ...


@runtime_checkable
class TellsEntries(Model, Protocol):
    """A model whose single entries are independent given a draw, so that hidden ones can be scored."""

    def entry_log_probability(self, params: Params, data: Data) -> Float[Array, "sample channel"]:
        """Log probability of each observed entry of the only sequence given a draw, nats; 0 where none was."""
        ...


@runtime_checkable
class Forecasts(Protocol):
    """Can go on from the last belief."""

    def forecast(
        self, params: Params, data: Data, key: PRNGKeyArray, *, horizon: int, n_paths: int
    ) -> tuple[Array, Array]:
        """Simulated samples (sequences, paths, horizon, features) and states after the end of each sequence."""
        ...


@runtime_checkable
class Streams(Protocol):
    """Can filter samples as they come."""

    def stream(self, params: Params) -> Any:
        """A running filter with ``update`` and ``reset``."""
        ...


@runtime_checkable
class Refuses(Protocol):
    """Cannot be fitted by some engine that its methods would suit, and says why."""

    @property
    def unfit_engines(self) -> Mapping[str, str]:
        """Names of engines to the reason."""
        ...


@runtime_checkable
class DrawsPart(Protocol):
    """Draws a part of its parameters only; the others are the same under every draw."""

    @property
    def drawn(self) -> Any:
        """The NamedTuple of that part; its fields are sites of the program."""
        ...

    def under(self, params: Params, draw: Any) -> Params:
        """The parameters with the part of one draw."""
        ...

    def posteriors(self, sets: Sequence[Params], data: Data) -> list[Latents]:
        """Latent quantities under parameters that differ in that part only; what they share is computed once."""
        ...


@runtime_checkable
class RelativeEvidence(Protocol):
    """Its evidence is that of its inputs less what single bins tell, so that it compares under one regression only."""

    @property
    def evidence_basis(self) -> Any:
        """What must be equal in two models whose evidences are to compare."""
        ...


@runtime_checkable
class Degrades(Protocol):
    """Its states can be those of a unit on its way to a failure: fleets and remaining lives can be told."""

    @property
    def terminal(self) -> np.ndarray:
        """(states,) states that are never left."""
        ...

    def chain_transition(self, params: Params) -> np.ndarray:
        """(places, places) transitions of the chain, which may have more places than states."""
        ...


@runtime_checkable
class HasErrors(Protocol):
    """Can say how sure its parameters are, given the states."""

    def standard_errors(self, params: Params, data: Data, smoothed: ArrayLike) -> Params:
        """Standard errors in the place of the parameters; NaN or nothing where there is none."""
        ...
