"""What each continuous latent gains a fit, beside what it costs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.diagnostics.latents import KL_COLLAPSED, RATIO_COLLAPSED
from neurolatent.models.gpvae import GPVAE, GPVAEParams
from neurolatent.recording import Recording
from neurolatent.result import Fit


def worth_of_latents(fit: Fit, recording: Any) -> pd.DataFrame:
    """What each latent is worth on a recording: one row per latent, with two verdicts.

    ``kl`` (nats per sequence), ``active``: mean square of the posterior means over the prior variance, ``var_ratio``:
    mean ratio of posterior to prior variance, ``gain``: nats per sequence that the log likelihood falls where the
    decoders do not hear the latent. ``collapsed``: a divergence below 0.1 nats and a variance ratio above 0.95.
    ``superfluous``: it gains less than its divergence costs, so that the bound is higher without it; a latent too many
    is often this long before it has collapsed.
    """
    recording = Recording.of(recording)
    told, whole = fit.predict(recording), float(fit.score(recording).mean())
    names = [str(n) for n in told["latent"].values]
    kl, active, ratio = (told[name].values.mean(axis=0) for name in ("kl", "mean_square", "var_ratio"))
    others = (replace(fit, params=_deaf(fit.model, fit.params, p)) for p in range(len(names)))
    gain = np.array([whole - float(other.score(recording).mean()) for other in others])
    return pd.DataFrame(
        {
            "latent": names,
            "group": [name.split()[0] for name in names],
            "lengthscale": np.asarray(fit.params.lengthscale, float),
            "kl": kl,
            "active": active,
            "var_ratio": ratio,
            "gain": gain,
            "collapsed": (kl < KL_COLLAPSED) & (ratio > RATIO_COLLAPSED),
            "superfluous": gain < kl,
        }
    )


def _deaf(model: GPVAE, params: GPVAEParams, latent: int) -> GPVAEParams:
    """The parameters with decoders that do not hear one latent; its posterior stays."""
    loadings, place = np.array(params.loadings), latent - model.n_neural
    if latent < len(loadings):
        loadings[latent] = 0.0
    if not model.has_behaviour or place < 0:
        return params._replace(loadings=loadings)
    first = np.array(params.decoder.weight_0)
    first[place] = 0.0
    return params._replace(loadings=loadings, decoder=params.decoder._replace(weight_0=first))
