"""Hidden Markov model with a generalised linear model in every state."""

from neurolatent.models.hmmglm.driven import Driven
from neurolatent.models.hmmglm.families import Bernoulli, Categorical, Gaussian, Poisson
from neurolatent.models.hmmglm.history import Exponential, Learned, NoHistory, RaisedCosine, Taps
from neurolatent.models.hmmglm.lapse import Lapses
from neurolatent.models.hmmglm.model import HMMGLM
from neurolatent.models.hmmglm.onehot import OneHot
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.priors import Hierarchical, Ridge
from neurolatent.models.hmmglm.sparse import Horseshoe, SpikeSlab

CHOICES = (
    HMMGLM,
    *(Poisson, Bernoulli, Categorical, Gaussian),
    *(Exponential, Learned, RaisedCosine, Taps, NoHistory),
    *(Ridge, Hierarchical, OneHot, Horseshoe, SpikeSlab),
    *(Lapses, Driven),
)

__all__ = [
    "CHOICES",
    "HMMGLM",
    "Bernoulli",
    "Categorical",
    "Driven",
    "Exponential",
    "Gaussian",
    "HMMGLMParams",
    "Hierarchical",
    "Horseshoe",
    "Lapses",
    "Learned",
    "NoHistory",
    "OneHot",
    "Poisson",
    "RaisedCosine",
    "Ridge",
    "SpikeSlab",
    "Taps",
]
