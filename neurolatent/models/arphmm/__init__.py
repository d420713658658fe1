"""The autoregressive partially hidden Markov model."""

from neurolatent.models.arphmm.model import ARPHMM
from neurolatent.models.arphmm.params import ARPHMMParams
from neurolatent.models.arphmm.prior import ARPrior

__all__ = ["ARPHMM", "ARPHMMParams", "ARPrior"]
