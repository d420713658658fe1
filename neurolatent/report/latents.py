"""The page of continuous latents: how much each tells, how smooth it is, and the bound in its terms."""

import numpy as np

from neurolatent.report.blocks import Cell, Section, Table, Text, number, plain
from neurolatent.report.material import Material


def latents_section(material: Material) -> Section:
    """One row per latent; the bound, and whether it is that of a tempered posterior."""
    told, params = material.latents, material.fit.params
    width = material.recording.bin_width
    rows = [
        [
            Cell(str(name)),
            number(float(params.lengthscale[n])),
            number(float(params.lengthscale[n] * width)),
            number(float(told["kl"].values[:, n].mean())),
            number(float(told["var_ratio"].values[:, n].mean())),
            number(float(told["latents_sd"].values[:, n].mean())),
        ]
        for n, name in enumerate(told["latent"].values)
    ]
    unit = material.unit
    columns = (
        "latent",
        "length scale (bins)",
        f"length scale ({unit})",
        "KL (nats)",
        "posterior / prior variance",
        "sd",
    )
    said = "A latent with hardly any divergence (KL) per sequence, and a ratio near 1, has collapsed: nothing is told."
    return Section("latents", "What the latents are worth", [Text(_bound(material)), Table(said, columns, rows)])


def _bound(material: Material) -> str:
    told, weights = material.latents, np.asarray(material.fit.params.scaling.weights)
    parts = [float(told[name].values.mean()) for name in ("log_likelihood_neural", "log_likelihood_behaviour")]
    kl = float(told["kl"].values.sum(axis=1).mean())
    said = f"Evidence lower bound per sequence: {plain(parts[0] + parts[1] - kl, 6)} nats, of which "
    said += f"neural {plain(parts[0])}, behaviour {plain(parts[1])}, divergence {plain(-kl)}."
    if (weights != 1).any():
        said += f" It was climbed with weights {weights[0]:.3g} and {weights[1]:.3g}: the posterior is a tempered one."
    return said
