"""An estimator of scikit-learn, or any object with ``fit(X, Z)`` and ``predict(X)``, in the place of one of ours."""

import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from neurolatent.checks import InputError
from neurolatent.models.regressors.protocol import Inputs, Regressor, Targets


class Estimator(NamedTuple):
    """What is learned: the fitted object itself, which no file can hold."""

    fitted: Any


@dataclass(frozen=True)
class Foreign:
    """The estimator as it was given; a fitted copy is what is learned."""

    estimator: Any

    def learn(self, x: Inputs, z: Targets, generator: np.random.Generator, tuned: Estimator | None = None) -> Estimator:
        """A copy of the estimator, fitted."""
        fresh = copy.deepcopy(self.estimator)
        if "random_state" in getattr(fresh, "get_params", dict)() and fresh.random_state is None:
            fresh.set_params(random_state=int(generator.integers(2**31 - 1)))
        fresh.fit(x, z if z.shape[1] > 1 else z[:, 0])
        return Estimator(fresh)

    def predict(self, learned: Estimator, x: Inputs) -> Targets:
        """Its prediction at each row.

        Raises:
            InputError: It returns another shape than (rows, outputs), or values that are no numbers.
        """
        told = np.asarray(learned.fitted.predict(x), float)
        told = told[:, None] if told.ndim == 1 else told
        if told.ndim != 2 or len(told) != len(x):
            raise InputError(
                f"{type(self.estimator).__name__}.predict returned the shape {told.shape} for {len(x)} rows; "
                "(rows, outputs) is needed"
            )
        if not np.isfinite(told).all():
            raise InputError(f"{type(self.estimator).__name__}.predict returned values that are not finite")
        return told

    def restored(self, values: dict[str, np.ndarray]) -> Estimator:
        """Refused: a file holds no estimator."""
        raise InputError("an estimator of another package cannot be read from a file: fit again")


def as_regressor(given: Any) -> Regressor:
    """One of ours as it is; an object with ``fit`` and ``predict`` wrapped.

    Raises:
        InputError: Neither of the two.
    """
    if isinstance(given, Regressor) and not isinstance(given, type):
        return given
    if callable(getattr(given, "fit", None)) and callable(getattr(given, "predict", None)):
        return Foreign(given)
    raise InputError(
        f"regressor must be one of neurolatent.models.regressors, or have fit(X, Z) and predict(X); got {given!r}"
    )
