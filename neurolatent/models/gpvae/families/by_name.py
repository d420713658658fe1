"""Families by the names that the fields of the model have, and what their predictors mean."""

from collections.abc import Callable
from typing import Any

from neurolatent.models.gpvae.families.angles import VonMises
from neurolatent.models.gpvae.families.binary import Bernoulli, Binomial
from neurolatent.models.gpvae.families.categories import Categorical
from neurolatent.models.gpvae.families.counts import NegativeBinomial, Poisson
from neurolatent.models.gpvae.families.protocol import Family
from neurolatent.models.gpvae.families.real import Normal, StudentT

# of the model, which knows the number of trials in a bin
NEURAL: dict[str, Callable[[Any], Family]] = {
    "poisson": lambda model: Poisson(),
    "negative_binomial": lambda model: NegativeBinomial(),
    "normal": lambda model: Normal(),
    "bernoulli": lambda model: Bernoulli(),
    "binomial": lambda model: Binomial(model.trials),
}
BEHAVIOUR: dict[str, Callable[[Any], Family]] = {
    "normal": lambda model: Normal(),
    "student_t": lambda model: StudentT(),
    "bernoulli": lambda model: Bernoulli(),
    "binomial": lambda model: Binomial(model.trials),
    "categorical": lambda model: Categorical(),
    "von_mises": lambda model: VonMises(),
}
LOG_RATE = ("poisson", "negative_binomial")  # the predictor is the logarithm of a rate, to which exposure is added
STANDARDISED = ("normal", "student_t")  # values are those of a channel in its standard deviations about its mean
