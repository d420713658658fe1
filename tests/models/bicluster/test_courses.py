"""Mean log rates of blocks: the loop over draws, neurons and bins, and what a change of labels does to them."""

import numpy as np

from neurolatent.models.bicluster import BiclusterParams
from neurolatent.models.bicluster.courses import mean_log_rates

CHAINS, DRAWS, NEURONS, BINS, CLUSTERS = 2, 3, 6, 5, 4


def draws() -> BiclusterParams:
    rng = np.random.default_rng(0)
    front = (CHAINS, DRAWS)
    shapes = {"offset": (NEURONS,), "loadings": (NEURONS, 2), "trajectories": (CLUSTERS, BINS, 3)}
    values = {name: rng.normal(size=front + shape) for name, shape in shapes.items()}
    rest = {name: np.zeros((*front, 1)) for name in BiclusterParams._fields if name not in values}
    return BiclusterParams(**{**rest, **values, "label": rng.integers(CLUSTERS, size=(*front, NEURONS))})


def test_they_are_means_of_the_log_rates_of_their_neurons():
    given, partition = draws(), np.array([0, 1, 0, 1, 1, 0])
    got = mean_log_rates(given, partition)
    assert got.shape == (CHAINS * DRAWS, BINS, 2)
    for chain, draw, t, block in np.ndindex(CHAINS, DRAWS, BINS, 2):
        own = []
        for i in np.flatnonzero(partition == block):
            path = given.trajectories[chain, draw, given.label[chain, draw, i], t]
            own.append(given.offset[chain, draw, i] + path[0] + given.loadings[chain, draw, i] @ path[1:])
        np.testing.assert_allclose(got[chain * DRAWS + draw, t, block], np.mean(own))


def test_numbers_of_clusters_do_not_matter():
    given, partition = draws(), np.array([0, 0, 1, 1, 1, 1])
    order = np.array([2, 0, 3, 1])
    renamed = given._replace(label=np.argsort(order)[given.label], trajectories=given.trajectories[:, :, order])
    np.testing.assert_allclose(mean_log_rates(renamed, partition), mean_log_rates(given, partition))
