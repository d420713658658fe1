"""Two stages: the regression on one part of the training rows, its noise on another that it has not seen."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from neurolatent.checks import InputError
from neurolatent.models.dkf.calibration import Seen, calibrate
from neurolatent.models.dkf.measuring import learn_scaling, scaled_rows, trusted
from neurolatent.models.dkf.motion import learn_moved_state
from neurolatent.models.dkf.noise import constant_noise, local_noise
from neurolatent.models.dkf.params import DKFParams, Noise, Scaling, StateDraws, StateModel
from neurolatent.models.dkf.selection import DKFData
from neurolatent.models.dkf.state import learn_state
from neurolatent.models.dkf.state_prior import state_draws, state_posterior
from neurolatent.models.regressors import LinearObservation, Regressor

LEAST_RESIDUALS = 50
MOST_DRAWS = 40  # of the state model in a calibration, as in a prediction


@runtime_checkable
class Stages(Protocol):
    """The settings that are read here: those of the engine TwoStage."""

    share: float | int
    split: str
    refit: bool
    in_sample: bool
    calibrate: bool
    folds: int
    state_draws: int


class Rows(NamedTuple):
    """Training rows whose inputs and target are known, scaled."""

    x: Float[np.ndarray, "rows inputs"]
    z: Float[np.ndarray, "rows feature"]
    at: tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rows"]]  # their sequences and bins


class Learned(NamedTuple):
    """What came of the stages."""

    params: DKFParams
    statistics: dict[str, float]
    draws: StateDraws | None = None  # (1, draws, ...)


def learn(choices: Any, regressor: Regressor, stages: Stages, data: DKFData, generator: np.random.Generator) -> Learned:
    """State model, regression, noise, and where it is asked for draws of the first and a calibration of the last."""
    scaling = learn_scaling(data, standardise=choices.standardise, centre=choices.centre)
    centred = np.where(data.known[..., None], data.z - scaling.target_centre, 0.0)
    state = _state(choices, scaling, data, centred)
    state = state._replace(innovation=state.innovation / choices.process_scale)
    if not choices.memory:
        state = StateModel(np.zeros_like(state.transition), state.stationary, state.stationary)
    rows = _rows(choices, scaling, data, centred)
    if isinstance(regressor, LinearObservation):
        params, second = _generative(regressor, scaling, state, rows), np.arange(0)
    else:
        params, second = _discriminative(choices, regressor, stages, scaling, state, rows, generator)
    draws, statistics = None, {}
    if stages.state_draws:
        if choices.motion is not None:
            raise InputError(choices.unfit_engines["NUTS"])
        family = state_posterior(choices.state_prior, centred, data.known, scaling.target_scale)
        draws = state_draws(family, stages.state_draws, scaling.target_scale, generator)
        params = choices.under(params, StateDraws(*(leaf.mean(axis=(0, 1)) for leaf in draws)))
    if stages.calibrate:
        sets = [params] if draws is None else [choices.under(params, one) for one in _thinned(draws)]
        found = calibrate(choices, regressor, stages.folds, sets, data, rows, Seen(second, generator))
        params = params._replace(scaling=scaling._replace(spread=np.asarray(found.factor)))
        statistics = found._asdict()
    return Learned(params, statistics, draws)


def _thinned(draws: StateDraws) -> list[StateDraws]:
    """Some of the draws, evenly: as many as a prediction is averaged over."""
    count = len(draws.transition[0])
    picks = np.unique(np.linspace(0, count - 1, MOST_DRAWS).astype(int))
    return [StateDraws(*(leaf[0, pick] for leaf in draws)) for pick in picks]


def _state(choices: Any, scaling: Scaling, data: DKFData, centred: np.ndarray) -> StateModel:
    if choices.motion is not None:
        return learn_moved_state(choices.motion, centred, data.known, scaling.target_centre)
    return learn_state(centred, data.known, stationary=choices.stationary, stabilise=choices.stabilise)


def _generative(regressor: LinearObservation, scaling: Scaling, state: StateModel, rows: Rows) -> DKFParams:
    """The Kalman filter: its noise follows from the observation model, not from residuals."""
    square = np.outer(scaling.target_scale, scaling.target_scale)
    free = regressor.learn(rows.x, rows.z, np.random.default_rng(0))
    learned = regressor.under(free.emission, free.noise, state.stationary / square)
    constant = constant_noise(rows.x[:1], rows.z[:1])._replace(mean=learned.spread * square)
    return DKFParams(scaling, state, constant, learned)


def _discriminative(
    choices: Any,
    regressor: Regressor,
    stages: Stages,
    scaling: Scaling,
    state: StateModel,
    rows: Rows,
    generator: np.random.Generator,
) -> tuple[DKFParams, np.ndarray]:
    """The regression and its noise; and the numbers of the rows of the noise."""
    first, second = split_rows(len(rows.x), stages, generator)
    learned = regressor.learn(rows.x[first], rows.z[first], generator)
    told = regressor.predict(learned, rows.x[second])
    if told.shape != rows.z[second].shape:
        raise InputError(f"the regressor returns {told.shape[1]} outputs, the target has {rows.z.shape[1]} channels")
    residuals = (rows.z[second] - told) * scaling.target_scale
    noise = _noise(choices, rows.x[second], residuals)
    if stages.refit and len(first) < len(rows.x):
        learned = regressor.learn(rows.x, rows.z, generator, tuned=learned)
    return DKFParams(scaling, state, noise, learned), second


def _rows(choices: Any, scaling: Any, data: DKFData, centred: np.ndarray) -> Rows:
    usable = data.heard & data.known
    usable[usable] = trusted(scaling, data.x[usable], choices.outlier)
    x = scaled_rows(scaling, data.x[usable], choices.saturate)
    at = np.nonzero(usable)
    return Rows(x, centred[usable] / scaling.target_scale, (at[0], at[1]))


def split_rows(count: int, stages: Stages, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows for the regression and rows for its noise.

    Raises:
        InputError: Too few rows for the noise.
    """
    if stages.in_sample:
        return np.arange(count), np.arange(count)
    size = round(stages.share * count)
    if count - size < LEAST_RESIDUALS:
        raise InputError(
            f"{count} training rows with inputs and target leave {count - size} for the noise of the regression, but "
            f"at least {LEAST_RESIDUALS} are needed. Give more rows, or lower share."
        )
    order = np.arange(count) if stages.split == "blocks" else generator.permutation(count)
    return np.sort(order[:size]), np.sort(order[size:])


def _noise(choices: Any, x: np.ndarray, residuals: np.ndarray) -> Noise:
    if choices.noise == "constant":
        return constant_noise(x, residuals)
    return local_noise(x, residuals, choices.noise_bandwidth)
