"""Simulation-based calibration of NUTS: parameters from the prior, data from them, and the ranks of the truth.

Talts et al. (2018), arXiv 1804.06788: if the sampler is right, the rank of the truth among independent draws of the
posterior is uniform. Two states, one lag, 60 samples.
"""

import jax
import numpy as np
import pytest
from numpyro.infer import Predictive
from scipy import stats

from neurolatent import precision
from neurolatent.choices import EM, NUTS, Run
from neurolatent.engines import nuts
from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.models.arphmm.data import Scale
from neurolatent.recording import Recording

MODEL = ARPHMM(2, order=1, transitions="left_right")  # the order tells the states apart: no label switching
SCALE = Scale(np.ones(1), 2 * np.ones(1))  # the prior must not look at the data
KEPT = 20  # thinned draws per replication: ranks 0 to 20
QUANTITIES = ("initial", "stay", "lag 1", "lag 2", "level 1", "level 2", "variance 1", "variance 2", "log evidence")


def data_of(y: np.ndarray):
    data = MODEL.select(Recording.of({"signal": y}), for_training=True, use_knowledge=False).data
    return data._replace(scale=SCALE)


def quantities(params: ARPHMMParams, data) -> np.ndarray:
    """Of one set of parameters (quantities,)."""
    first, second = params.coefficients[:, 0]
    evidence = float(MODEL.log_likelihood(params, data).sum())
    inside = [params.initial[0], params.transition[0, 0], first[0], second[0], first[1], second[1]]
    return np.array([*inside, params.covariance[0, 0, 0], params.covariance[1, 0, 0], evidence])


def one_rank(seed: int) -> np.ndarray:
    key_prior, key_data, key_fit = jax.random.split(jax.random.key(seed), 3)
    template = data_of(np.random.default_rng(0).normal(size=60))
    drawn = Predictive(MODEL.numpyro_model, num_samples=1)(key_prior, jax.tree.map(jax.numpy.asarray, template))
    truth = ARPHMMParams(*(np.asarray(drawn[name][0]) for name in ARPHMMParams._fields))
    y = MODEL.simulate(truth, key_data, [61]).signal("signal").values
    data = data_of(y)
    settings = NUTS(chains=1, warmup=400, draws=600, target_accept=0.95, start=EM(steps=20, restarts=1))
    trained = nuts.run(settings, MODEL, data, key_fit, options=Run(), identity={})
    picks = np.linspace(0, 599, KEPT).astype(int)
    draws = [quantities(ARPHMMParams(*(leaf[0, i] for leaf in trained.draws)), data) for i in picks]
    return (np.array(draws) < quantities(truth, data)).sum(axis=0)


def ranks_of(replications: int) -> np.ndarray:
    with precision.double():
        return np.array([one_rank(seed) for seed in range(replications)])


def least_p(ranks: np.ndarray, bins: int) -> float:
    """Smallest p value of a chi-squared test of uniform ranks, over quantities."""
    edges = np.linspace(-0.5, KEPT + 0.5, bins + 1)
    expected = np.diff(edges) / (KEPT + 1) * len(ranks)
    out = []
    for column in ranks.T:
        counts = np.histogram(column, edges)[0]
        out.append(stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), bins - 1))
    return float(min(out))


@pytest.mark.slow
def test_ranks_are_uniform():
    assert least_p(ranks_of(30), bins=3) > 1e-3


@pytest.mark.record
def test_ranks_are_uniform_over_many_replications():
    ranks = ranks_of(200)
    for name, column in zip(QUANTITIES, ranks.T, strict=True):
        print(name, np.histogram(column, 7)[0])
    assert least_p(ranks, bins=7) > 1e-3


def test_the_bound_finds_a_shifted_sampler():
    good = np.random.default_rng(0).integers(0, KEPT + 1, (30, len(QUANTITIES)))
    assert least_p(good, bins=3) > 1e-3
    assert least_p(np.minimum(good, 8), bins=3) < 1e-3
