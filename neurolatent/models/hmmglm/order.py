"""Which state is which: the order of a fit, and draws matched to it."""

from typing import Any

import numpy as np

from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.inference import coefficients
from neurolatent.models.hmmglm.layout import n_covariates
from neurolatent.models.hmmglm.params import HMMGLMParams, matched, permuted


def ordered(model: Any, params: HMMGLMParams, data: HMMGLMData) -> HMMGLMParams:
    """States by the weight of the first covariate, highest first; without covariates the most visited one first."""
    if model.n_states == 1:
        return params
    covariates = n_covariates(model, data)
    if covariates:
        score = np.asarray(params.weights)[:, -1, -covariates]
    else:
        smoothed = model.posterior(params, data).along_time["smoothed"]
        score = np.asarray(smoothed).sum(axis=(0, 1))
    return permuted(params, np.argsort(-score, kind="stable"))


def relabelled(model: Any, draws: HMMGLMParams, reference: HMMGLMParams) -> HMMGLMParams:
    """Draws (leading axis) with their states matched to those of a reference by the distance of their coefficients."""
    if model.n_states == 1:
        return draws
    target = np.asarray(coefficients(reference)).reshape(model.n_states, -1)
    out = []
    for number in range(len(draws.initial)):
        one = HMMGLMParams(*(np.asarray(leaf)[number] for leaf in draws))
        own = np.asarray(coefficients(one)).reshape(model.n_states, -1)
        out.append(permuted(one, matched(((target[:, None] - own[None]) ** 2).sum(axis=-1))))
    return HMMGLMParams(*(np.stack(leaves) for leaves in zip(*out, strict=True)))
