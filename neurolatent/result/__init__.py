"""The result of a fit: what was learned, labelled, with what is needed to predict, to save and to judge it."""

from neurolatent.result.fit import Fit
from neurolatent.result.storage import CLASSES

__all__ = ["CLASSES", "Fit"]
