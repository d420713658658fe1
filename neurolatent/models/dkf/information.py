"""What one bin says of the state, in NumPy: the twin of :mod:`neurolatent.ops.indefinite` for a stream."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from neurolatent.models.dkf.noise import noise_at
from neurolatent.models.dkf.params import DKFParams
from neurolatent.ops.indefinite import TOLERANCE, Rule


class Said(NamedTuple):
    """A bin's information, inside the filter's units."""

    precision: Float[np.ndarray, "feature feature"]
    shift: Float[np.ndarray, " feature"]
    indefinite: bool
    is_constant: bool  # every bin has this precision


Informant = Callable[[np.ndarray, np.ndarray, bool], Said]  # scaled row, regression, whether it is the first bin


class Weights(NamedTuple):
    """Precision, and the matrix that makes the shift of a regression."""

    precision: np.ndarray
    push: np.ndarray
    indefinite: bool


def informant(choices: Any, params: DKFParams, square: np.ndarray) -> Informant:
    """The function that says what a bin says; all that is constant is computed here."""
    stationary = params.state.stationary / square
    root = np.linalg.inv(np.linalg.cholesky(stationary))
    rule, starts_at_first = choices.how
    is_constant = bool(np.isnan(params.noise.bandwidth))
    guard = choices.guard_count(len(square))

    def weights(noise: np.ndarray, is_first: bool) -> Weights:
        if is_first and starts_at_first:
            inverse = np.linalg.inv(noise)
            return Weights(inverse - np.linalg.inv(stationary), inverse, False)
        return rule_weights(noise, root, rule)

    constant = weights(params.noise.mean / square, False)
    beginning = weights(params.noise.mean / square, True)

    def inform(row: np.ndarray, told: np.ndarray, is_first: bool) -> Said:
        of = beginning if is_first else constant
        if not is_constant:
            of = weights(noise_at(params.noise, row, guard)[0] / square, is_first)
        return Said(of.precision, of.push @ told, of.indefinite, is_constant and not is_first)

    return inform


def rule_weights(noise: np.ndarray, root: np.ndarray, rule: Rule | None) -> Weights:
    """The information of a noise under a rule, None being the robust filter.

    Args:
        root: Inverse Cholesky factor of the stationary covariance.
    """
    if rule is None:
        inverse = np.linalg.inv(noise)
        return Weights(inverse, inverse, False)
    values, vectors = np.linalg.eigh(root @ noise @ root.T)
    bad = bool(values[-1] > 1.0 + TOLERANCE)
    if rule is Rule.CLIP:
        values = np.minimum(values, 1.0)
    back = root.T @ vectors
    inverse, prior = (back / values) @ back.T, root.T @ root
    if not bad or rule is Rule.CLIP:
        return Weights(inverse - prior, inverse, bad)
    return Weights(inverse, inverse + prior if rule is Rule.SHRINK else inverse, bad)
