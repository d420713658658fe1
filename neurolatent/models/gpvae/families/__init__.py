"""What can be observed of latents: one family of distributions a name, behind one small protocol."""

from neurolatent.models.gpvae.families.angles import VonMises
from neurolatent.models.gpvae.families.binary import Bernoulli, Binomial
from neurolatent.models.gpvae.families.by_name import BEHAVIOUR, LOG_RATE, NEURAL, STANDARDISED
from neurolatent.models.gpvae.families.categories import Categorical
from neurolatent.models.gpvae.families.counts import NegativeBinomial, Poisson
from neurolatent.models.gpvae.families.protocol import Family, Told
from neurolatent.models.gpvae.families.real import Normal, StudentT

__all__ = [
    "BEHAVIOUR",
    "LOG_RATE",
    "NEURAL",
    "STANDARDISED",
    "Bernoulli",
    "Binomial",
    "Categorical",
    "Family",
    "NegativeBinomial",
    "Normal",
    "Poisson",
    "StudentT",
    "Told",
    "VonMises",
]
