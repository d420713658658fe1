"""The density of rows of probabilities, some of whose entries are structurally zero."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import special


def dirichlet_log_density(
    rows: Float[Array, "rows states"], concentration: Float[np.ndarray, "rows states"]
) -> Float[Array, ""]:
    """Summed log density of Dirichlet rows, each over the entries with a positive concentration.

    A row with a single possible entry has no density. Entries with concentration 1 do not enter, so that a zero
    there is harmless; entries above 1 must be positive.
    """
    counted = concentration > 1
    power = np.where(counted, concentration - 1, 0.0)
    varies = (concentration > 0).sum(axis=1) > 1
    normaliser = special.gammaln(concentration.sum(axis=1)) - np.where(
        concentration > 0, special.gammaln(np.maximum(concentration, 1e-300)), 0.0
    ).sum(axis=1)
    logs = jnp.log(jnp.where(counted & varies[:, None], rows, 1.0))
    return jnp.sum(power * logs) + normaliser[varies].sum()
