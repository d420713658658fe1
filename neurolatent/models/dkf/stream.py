"""One bin at a time: the same filter in NumPy, since at a few outputs calling a compiled program costs more than it.

Nothing is kept of the past but the belief and, where neighbouring bins count, their inputs. With a constant noise the
covariance settles; from then on a step is two small products, until a bin is skipped. A state that moves by a function
is predicted by one small compiled program.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg.lapack import dgesv  # type: ignore[attr-defined]

from neurolatent.checks import InputError
from neurolatent.models.dkf.information import Informant, informant
from neurolatent.models.dkf.motion import OneStep
from neurolatent.models.dkf.params import DKFParams

SETTLED = 1e-15  # relative change of the covariance in one bin that counts as none


class StreamState(NamedTuple):
    """What the filter carries from one bin to the next; immutable."""

    mean: Float[np.ndarray, " feature"]  # decoded, in units of the target
    cov: Float[np.ndarray, "feature feature"]
    indefinite: bool  # a rule stepped in at this bin
    skipped: bool  # the bin was missing or not to be trusted: the belief is the prediction
    belief: Float[np.ndarray, " feature"]  # inside: centred, scaled
    spread: Float[np.ndarray, "feature feature"]
    gain: Float[np.ndarray, "feature feature"] | None  # posterior covariance once it has settled
    window: tuple[Float[np.ndarray, " inputs"], ...]  # inputs of the bins before, oldest first
    begun: bool


class Stepper(NamedTuple):
    """Constants of a stream, made once; a refitted part makes another one."""

    params: DKFParams
    n_inputs: int  # of one bin
    before: int
    transition: np.ndarray
    innovation: np.ndarray
    stationary: np.ndarray
    unit: np.ndarray  # standard deviation of each output in the long run
    regress: Callable[[np.ndarray], np.ndarray]  # a row of scaled inputs to a state in units
    inform: Informant
    limits: tuple[float | int | None, float | int | None]  # saturate, outlier
    one_step: OneStep | None  # of a belief, where the state moves by a function


def stepper(choices: Any, params: DKFParams) -> Stepper:
    """The constants of a stream.

    Raises:
        InputError: The choices look at bins that are still to come.
    """
    if choices.bins_after:
        raise InputError(f"a stream cannot know the next {choices.bins_after} bins: fit with bins_after=0")
    if not choices.has_stream:
        raise InputError(f"{choices.regression} filters whole recordings and has no stream: call predict")
    unit = np.sqrt(np.diagonal(params.state.stationary))
    square = np.outer(unit, unit)
    scale, regressor, motion = params.scaling.target_scale / unit, choices.regression, choices.motion
    return Stepper(
        params,
        len(params.scaling.input_centre) // (choices.bins_before + 1),
        choices.bins_before,
        params.state.transition * (unit / unit[:, None]),
        params.state.innovation / square,
        params.state.stationary / square,
        unit,
        lambda row: regressor.predict(params.regressor, row)[0] * scale,
        informant(choices, params, square),
        (choices.saturate, choices.outlier),
        None if motion is None else motion.one_step(params.state, unit, params.scaling.target_centre),
    )


def stream_start(made: Stepper, mean: Any = None, cov: Any = None) -> StreamState:
    """Nothing seen yet: the stationary law, or a belief that is given in units of the target."""
    size = len(made.unit)
    centre, square = made.params.scaling.target_centre, np.outer(made.unit, made.unit)
    belief = np.zeros(size) if mean is None else (np.asarray(mean, float) - centre) / made.unit
    spread = made.stationary if cov is None else np.asarray(cov, float) / (square * made.params.scaling.spread)
    if belief.shape != (size,) or spread.shape != (size, size):
        raise InputError(f"a belief of this stream has {size} outputs, got shapes {belief.shape} and {spread.shape}")
    empty = (np.full(made.n_inputs, np.nan),) * made.before
    given = mean is not None or cov is not None
    return _told(made, belief, spread, StreamState(belief, spread, False, True, belief, spread, None, empty, given))


def stream_step(made: Stepper, state: StreamState, x: Any) -> StreamState:
    """The state after one more bin; None or NaN where nothing was observed, and then it is the prediction."""
    latest = np.full(made.n_inputs, np.nan) if x is None else np.asarray(x, float)
    if latest.shape != (made.n_inputs,):
        raise InputError(f"a bin of this stream has {made.n_inputs} inputs, got the shape {latest.shape}")
    window = (*state.window, latest)
    row = scaled_row(made, np.concatenate(window) if made.before else latest)
    is_first, (mean, cov) = not state.begun, _before(made, state)
    state = state._replace(window=window[1:] if made.before else (), begun=True)
    if row is None:
        cov = _moved(made, state.spread) if cov is None else cov
        return _told(made, mean, cov, state._replace(indefinite=False, skipped=True, gain=None))
    said = made.inform(row, made.regress(row), is_first)
    surprise = said.shift - said.precision @ mean
    if state.gain is not None and cov is None:
        belief = mean + state.gain @ surprise
        told = made.params.scaling.target_centre + made.unit * belief
        return state._replace(mean=told, belief=belief, skipped=False)
    cov = _moved(made, state.spread) if cov is None else cov
    after = _posterior(cov, said.precision)
    is_settled = (
        said.is_constant
        and made.one_step is None
        and np.abs(after - state.spread).max() <= SETTLED * np.abs(after).max()
    )
    state = state._replace(indefinite=said.indefinite, skipped=False, gain=after if is_settled else None)
    return _told(made, mean + after @ surprise, after, state)


def _before(made: Stepper, state: StreamState) -> tuple[np.ndarray, np.ndarray | None]:
    """Mean and covariance before a bin; None for one that follows from the last by two products, if it is needed."""
    if not state.begun:
        return state.belief, state.spread
    if made.one_step is not None:
        return made.one_step(state.belief, state.spread)
    return made.transition @ state.belief, None


def scaled_row(made: Stepper, x: Float[np.ndarray, " inputs"]) -> Float[np.ndarray, "1 inputs"] | None:
    """The row as the regression sees it; None where a value is missing or beyond what is trusted."""
    saturate, outlier = made.limits
    row = (x - made.params.scaling.input_centre) / made.params.scaling.input_scale
    largest = np.abs(row).max()
    if not largest <= (np.inf if outlier is None else outlier) or largest == np.inf:  # NaN fails the first
        return None
    return (row if saturate is None else np.clip(row, -saturate, saturate))[None]


def stream_ahead(made: Stepper, state: StreamState, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Means (steps, feature) and covariances of the coming bins, nothing more being observed."""
    means, covs = [], []
    for _ in range(steps):
        state = stream_step(made, state, None)
        means.append(state.mean)
        covs.append(state.cov)
    return np.stack(means), np.stack(covs)


def _moved(made: Stepper, cov: np.ndarray) -> np.ndarray:
    moved = made.transition @ cov @ made.transition.T + made.innovation
    return 0.5 * (moved + moved.T)


def _posterior(cov: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """(M^-1 + J)^-1 = (I + M J)^-1 M, by one small solve."""
    inner = cov @ precision
    inner.flat[:: len(cov) + 1] += 1.0
    after = dgesv(inner, cov)[2]
    return 0.5 * (after + after.T)


def _told(made: Stepper, belief: np.ndarray, spread: np.ndarray, state: StreamState) -> StreamState:
    """The state with a new belief, in the target's units for the user."""
    scaling = made.params.scaling
    mean = scaling.target_centre + made.unit * belief
    cov = spread * (scaling.spread * made.unit * made.unit[:, None])
    return state._replace(mean=mean, cov=cov, belief=belief, spread=spread)


class Stream:
    """A running filter: ``update`` with each bin, ``reset`` between trials, ``replace`` to swap a refitted part.

    Attributes:
        state: What is known now: ``mean``, ``cov``, ``indefinite``, ``skipped``.
    """

    def __init__(self, choices: Any, params: DKFParams) -> None:
        """Nothing seen yet."""
        self._choices, self._made = choices, stepper(choices, params)
        self.state = stream_start(self._made)
        self.update(None)  # loads what is slow at first use
        self.reset()

    def update(self, x: Any) -> StreamState:
        """The state after one more bin; None or NaN where nothing was observed."""
        self.state = stream_step(self._made, self.state, x)
        return self.state

    def reset(self, mean: Any = None, cov: Any = None) -> StreamState:
        """Nothing seen yet, or a belief that is given, in units of the target."""
        self.state = stream_start(self._made, mean, cov)
        return self.state

    def ahead(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Means and covariances of the next ``steps`` bins."""
        return stream_ahead(self._made, self.state, steps)

    def replace(self, params: DKFParams, choices: Any = None) -> None:
        """Go on with other parameters, all at once; the belief stays.

        Args:
            params: Such as ``fit.params``, or these with one part replaced: ``params._replace(noise=...)``.
            choices: The model of these parameters where its regressor is another one.
        """
        other = stepper(self._choices if choices is None else choices, params)
        if other.n_inputs != self._made.n_inputs or other.unit.shape != self._made.unit.shape:
            raise InputError("the new parameters are for other inputs or outputs than this stream runs on")
        cov = self.state.cov / np.maximum(params.scaling.spread, 1e-300)
        belief = (self.state.mean - params.scaling.target_centre) / other.unit
        inside = cov / np.outer(other.unit, other.unit)
        self.state = self.state._replace(belief=belief, spread=inside, gain=None)
        self._choices, self._made = self._choices if choices is None else choices, other
