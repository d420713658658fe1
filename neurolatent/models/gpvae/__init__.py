"""GP-VAE, GPFA and their relatives: Gaussian-process latents of spikes and behaviour, shared and private."""

from neurolatent.models.gpvae.model import GPVAE
from neurolatent.models.gpvae.params import Encoder, GPVAEParams, Scaling
from neurolatent.models.gpvae.presets import GPFA

__all__ = ["GPFA", "GPVAE", "Encoder", "GPVAEParams", "Scaling"]
