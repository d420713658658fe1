"""EM of the ARPHMM: where it starts, and one update."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from neurolatent.models.arphmm import mstep
from neurolatent.models.arphmm.data import ARPHMMData
from neurolatent.models.arphmm.emission import WeightedRows
from neurolatent.models.arphmm.inference import chain_of, smoothed_chain
from neurolatent.models.arphmm.params import ARPHMMParams
from neurolatent.models.arphmm.prior import regression_prior
from neurolatent.models.arphmm.start import (
    Start,
    spread_over_substates,
    starting_regression,
    starting_responsibilities,
    starting_transition,
)
from neurolatent.models.arphmm.structure import pool, pooled_jumps
from neurolatent.models.protocols import Step


def init(model: Any, key: PRNGKeyArray, data: ARPHMMData, *, start: Start, restart: int) -> ARPHMMParams:
    """A starting point: responsibilities by ``start``, then one M-step under the prior."""
    seed = [*np.asarray(jax.random.key_data(key)).tolist(), restart]
    guess = starting_responsibilities(
        start, data, model.allowed, restart=restart, generator=np.random.default_rng(seed)
    )
    once = starting_transition(guess, model.allowed)
    transition, advance = spread_over_substates(once, model.n_substates, data.y.shape[1])
    initial = guess[:, 0].sum(axis=0) + 0.1
    coefficients, covariance = starting_regression(data, guess, model.covariance)
    return ARPHMMParams(initial / initial.sum(), transition, advance, coefficients, covariance)


def em_step(model: Any, params: ARPHMMParams, data: ARPHMMData, *, use_prior: bool, careful: bool) -> Step:
    """One update; the objective is log L_w (plus the log prior) at the parameters that came in."""
    smoothed, is_right = smoothed_chain(chain_of(params, data, model.n_substates), careful=careful)
    objective = smoothed.log_evidence.sum() + (model.log_prior(params, data) if use_prior else 0.0)
    responsibility = pool(smoothed.smoothed, model.n_substates)
    rows = model.chain_prior()
    if not use_prior:
        rows = ((rows[0] > 0).astype(float), (rows[1] > 0).astype(float))
    jumps = pooled_jumps(smoothed.jumps, model.n_substates)
    initial = mstep.update_initial(responsibility[:, 0], rows[0])
    transition, advance = mstep.update_transition(params.transition, params.advance, jumps, rows[1])
    regression = _regression(model, params, data, responsibility, use_prior=use_prior)
    updated = ARPHMMParams(initial, transition, advance, regression.coefficients, regression.covariance)
    return Step(updated, objective, regression.starved, is_right)


def _regression(
    model: Any, params: ARPHMMParams, data: ARPHMMData, responsibility: Array, *, use_prior: bool
) -> mstep.Regression:
    rows = WeightedRows(data.y, data.z, jnp.where(data.usable[..., None], responsibility, 0.0))
    if use_prior:
        return mstep.map_regression(rows, regression_prior(model.prior, data.scale, model.order), model.covariance)
    former = mstep.Regression(params.coefficients, params.covariance, jnp.zeros(model.n_states, bool))
    floor = model.floor * jnp.asarray(data.scale.spread) ** 2
    return mstep.likelihood_regression(rows, former, model.ridge, floor, model.covariance)
