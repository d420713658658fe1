"""What clusters do in time, free of labels and rotations: mean log rates of the neurons of each block."""

import numpy as np
from jaxtyping import Float, Int

from neurolatent.models.bicluster.params import BiclusterParams


def mean_log_rates(
    draws: BiclusterParams, partition: Int[np.ndarray, " neuron"], *, most: int = 100
) -> Float[np.ndarray, "draws bin block"]:
    """Mean over the neurons of each block of their log rates (log events per bin), in so many draws at most.

    Whatever clusters a draw has, each neuron's log rate is its own there: nothing has to be matched.
    """
    flat = BiclusterParams(*(np.reshape(leaf, (-1, *np.shape(leaf)[2:])) for leaf in draws))
    picks = np.unique(np.linspace(0, len(flat.label) - 1, min(most, len(flat.label))).astype(int))
    member = np.eye(int(partition.max()) + 1)[partition]
    member = member / member.sum(axis=0)
    out = []
    for pick in picks:
        label, paths = flat.label[pick].astype(int), flat.trajectories[pick].astype(float)
        rows = np.c_[np.ones(len(label)), flat.loadings[pick]]  # of the design: 1 for the mean trajectory
        log_rate = np.einsum("ntd,nd->tn", paths[label], rows) + flat.offset[pick]
        out.append(log_rate @ member)
    return np.stack(out)
