"""The PV-RNN: a variational recurrent network without an encoder."""

from neurolatent.models.pvrnn.layer import Layer
from neurolatent.models.pvrnn.likelihoods import LIKELIHOODS, Softmax, Symbols, UnitGaussian
from neurolatent.models.pvrnn.model import PVRNN
from neurolatent.models.pvrnn.params import PVRNNParams
from neurolatent.models.pvrnn.regression import ErrorRegression
from neurolatent.models.pvrnn.vrnn import VRNN

__all__ = [
    "LIKELIHOODS",
    "PVRNN",
    "VRNN",
    "ErrorRegression",
    "Layer",
    "PVRNNParams",
    "Softmax",
    "Symbols",
    "UnitGaussian",
]
