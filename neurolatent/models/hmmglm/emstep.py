"""One step of EM: the recursions, then every part of the model in turn.

A state that is hardly visited any more is reported as starved and not started again: that would let the objective fall,
and other restarts have it already.
"""

from typing import Any

import jax.numpy as jnp

from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.density import log_prior
from neurolatent.models.hmmglm.inference import beliefs
from neurolatent.models.hmmglm.layout import free_weights
from neurolatent.models.hmmglm.onehot import OneHot
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.sparse import newton_prior
from neurolatent.models.hmmglm.update import update_chain, update_lapses, update_regressions
from neurolatent.models.protocols import Step

FEW_VISITS = 1e-3  # share of all samples below which a state is starved; spec of the method, section 12
NEWTON_STEPS, NEWTON_STEPS_OF_CHOICES = 2, 4  # spec of the method, sections 5 and 9


def em_step(model: Any, params: HMMGLMParams, data: HMMGLMData, *, use_prior: bool, step: Any, careful: bool) -> Step:
    """The updated parameters, and the objective at those that came in."""
    found = beliefs(model, params, data, careful=careful)
    objective = found.filtered.log_evidence.sum() + (log_prior(model, params, data) if use_prior else 0.0)
    updated = update_chain(model, params, data, found)
    updated, weight = update_lapses(model, updated, data, found.smoothed)
    if isinstance(model.prior, OneHot):
        updated = model.prior.update(model, updated, data, weight, use_prior=use_prior, step=step)
    else:
        steps = NEWTON_STEPS_OF_CHOICES if model.is_choice else NEWTON_STEPS
        updated = update_regressions(model, updated, data, weight, use_prior=use_prior, steps=steps)
        updated = newton_prior(model).learned(updated, free_weights(model, data))
    share = found.smoothed.sum(axis=(0, 1)) / jnp.maximum(data.lengths.sum(), 1)
    return Step(updated, objective, share < FEW_VISITS, found.is_right)
