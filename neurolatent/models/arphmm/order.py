"""Which state is which: a documented order for one set of parameters, and a match for many draws."""

from typing import Any

import numpy as np

from neurolatent.models.arphmm.data import ARPHMMData
from neurolatent.models.arphmm.params import ARPHMMParams, permuted
from neurolatent.models.arphmm.programs import smoothed_of
from neurolatent.models.arphmm.start import tells_states_apart


def is_settled(model: Any, data: ARPHMMData) -> bool:
    """Whether structure or knowledge tells the states apart already."""
    return model.is_ordered or model.n_states == 1 or tells_states_apart(data)


def ordered(model: Any, params: ARPHMMParams, data: ARPHMMData) -> ARPHMMParams:
    """States by the mean of the signal, highest first; of several features by the first principal component."""
    if is_settled(model, data):
        return params
    smoothed = model.posterior(params, data).along_time["smoothed"]  # compiled for the result in any case
    weight = np.asarray(smoothed) * np.asarray(data.usable)[..., None]
    means = np.einsum("ntk,ntd->kd", weight, data.y) / np.maximum(weight.sum(axis=(0, 1)), 1e-300)[:, None]
    score = means[:, 0]
    if means.shape[1] > 1:
        axis = np.linalg.svd((means - means.mean(axis=0)) / data.scale.spread)[2][0]
        score = (means / data.scale.spread) @ (axis * np.sign(axis[np.argmax(np.abs(axis))]))
    return permuted(params, np.argsort(-score, kind="stable"))


def relabelled(model: Any, draws: ARPHMMParams, reference: ARPHMMParams, data: ARPHMMData) -> ARPHMMParams:
    """Draws (leading axis) with their states matched to those of a reference by overlap of their smoothed paths."""
    if is_settled(model, data):
        return draws
    from scipy.optimize import linear_sum_assignment  # slow to import, and only unordered states need it

    target = np.asarray(smoothed_of(model, reference, data)).reshape(-1, model.n_states)
    out = []
    for number in range(len(draws.initial)):
        one = ARPHMMParams(*(leaf[number] for leaf in draws))
        overlap = target.T @ np.asarray(smoothed_of(model, one, data)).reshape(-1, model.n_states)
        out.append(permuted(one, linear_sum_assignment(-overlap)[1]))
    return ARPHMMParams(*(np.stack([np.asarray(o[i]) for o in out]) for i in range(len(ARPHMMParams._fields))))
