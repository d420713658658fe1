"""Where counts say nothing, moves of labels leave the exact law of the partition and of the trajectories.

Nothing is observed, so that the law of the partition is that of the mixture of finite mixtures, listed here partition
by partition. The pseudo-likelihood from which clusters are born is not flat: it must leave by the acceptance.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gammaln

from neurolatent import precision
from neurolatent.compiling import compiled
from neurolatent.models.bicluster import births, collapsed, dynamics, labels, newcomers
from neurolatent.models.bicluster.params import BiclusterData, occupancy
from neurolatent.models.bicluster.simulate import prior_draw
from neurolatent.ops.partitions import relabelled
from tests.models.bicluster import faults
from tests.models.bicluster.small import BINS, CLUSTERS, NEURONS, model_of

CHAINS, STEPS = 600, 20
MODEL = model_of(rho=0.4, births=4)


def exact_law() -> dict[tuple[int, ...], float]:
    """Probability of every partition: sum over K of its prior and of the sizes under a symmetric Dirichlet."""
    number = np.arange(1, CLUSTERS + 1)
    prior = MODEL.rho * (1 - MODEL.rho) ** (number - 1.0)
    prior /= prior.sum()
    law: dict[tuple[int, ...], float] = {}
    for k, share in zip(number, prior, strict=True):
        for labelling in itertools.product(range(k), repeat=NEURONS):
            sizes = np.bincount(labelling, minlength=k)
            weight = gammaln(k) - gammaln(k + NEURONS) + gammaln(1.0 + sizes).sum()
            block = tuple(int(n) for n in relabelled(np.array(labelling)))
            law[block] = law.get(block, 0.0) + share * np.exp(weight)
    return law


def unseen() -> BiclusterData:
    """Nothing was observed; births are made from a level far from the prior's mean of 0."""
    zero = jnp.zeros((NEURONS, BINS))
    return BiclusterData(zero, zero, jnp.zeros((NEURONS, 0)), zero + 2.0, zero + 4.0)


def labels_alone(params, data, key):
    key_components, key_laws, key_labels = jax.random.split(key, 3)
    components = labels.draw_components(MODEL, occupancy(params.label, CLUSTERS), key_components)
    params = dynamics.draw_dynamics(MODEL, params, components.active, key_laws)[0]
    return labels.draw_labels(MODEL, params, data, components, key_labels)[0]


def labels_in_turn(params, data, key):
    key_laws, key_labels = jax.random.split(key)
    params = dynamics.draw_dynamics(MODEL, params, occupancy(params.label, CLUSTERS) > 0, key_laws)[0]
    return collapsed.draw_labels(MODEL, params, data, key_labels)[0]


def labels_in_turn_with_wrong_weights(params, data, key):
    """The empty cluster has the weight that it has in a process without a prior of the number of clusters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collapsed, "log_coefficients", lambda model, neurons, most: np.zeros(most + 2))
        return labels_in_turn(params, data, key)


def births_alone(params, data, key):
    key_laws, key_births = jax.random.split(key)
    states, _, size = params.shift.shape
    flat = dynamics.draw_prior(MODEL, key_laws, MODEL.births * states, size, params.offset.dtype)
    spare = jax.tree.map(lambda part: part.reshape(MODEL.births, states, 1, *part.shape[1:]), flat)
    return births.births(MODEL, params, data, spare, key_births)[0]


def births_without_their_evidence(params, data, key):
    """The pseudo-likelihood is not taken back."""
    with pytest.MonkeyPatch.context() as patch:
        alone = births._alone
        patch.setattr(births, "_alone", lambda *given: alone(*given)._replace(log_gain=jnp.zeros(())))
        return births_alone(params, data, key)


def labels_with_clusters_of_another_law(params, data, key):
    """Empty clusters come from a fixed autoregression, as in the published sampler."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(newcomers, "roll_out", faults.empty_cluster_of_its_own_kind)
        return labels_alone(params, data, key)


@compiled(static=(0,))
def told(update, key):
    """Over chains that start from the prior: who is together, size of paths, how far their level moved."""

    def chain(key):
        key_start, key_run = jax.random.split(key)
        start = prior_draw(MODEL, key_start, NEURONS, BINS)
        level = jnp.tanh(start.trajectories[start.label][..., 0]).mean()

        def step(params, number):
            params = update(params, unseen(), jax.random.fold_in(key_run, number))
            same = params.label[:, None] == params.label
            own = params.trajectories[params.label]
            moved = jnp.tanh(own[..., 0]).mean() - level
            return params, (same[np.triu_indices(NEURONS, 1)], jnp.log1p(own**2).mean(), moved)

        return jax.lax.scan(step, start, jnp.arange(STEPS))[1]

    return jax.lax.map(chain, jax.random.split(key, CHAINS))


def scores(update, key) -> list[float]:
    """Differences from the exact law in standard errors over chains: pairs, one cluster, three, paths.

    The level of the paths is compared with that of each chain's start, which has the same law.
    """
    with precision.double():
        together, squares, moved = map(np.asarray, told(update, key))
        prior = np.asarray(prior_squares(jax.random.split(jax.random.fold_in(key, 1), 20_000)))
    law, pairs = exact_law(), list(itertools.combinations(range(NEURONS), 2))
    assert sum(law.values()) == pytest.approx(1.0)
    expected = [sum(p for block, p in law.items() if block[a] == block[b]) for a, b in pairs]
    all_in_one = together.all(axis=-1).mean(axis=1)
    in_three = (together.sum(axis=-1) == 1).mean(axis=1)  # of four neurons one pair and two alone
    at_one = law[(0,) * NEURONS]
    at_three = sum(p for block, p in law.items() if max(block) == 2)
    rows = [(together[..., n].mean(axis=1), p) for n, p in enumerate(expected)]
    rows += [
        (all_in_one, at_one),
        (in_three, at_three),
        (moved.mean(axis=1), 0.0),
        (squares.mean(axis=1), prior.mean()),
    ]
    extra = [0.0] * (len(rows) - 1) + [prior.var() / len(prior)]
    found = []
    for (values, truth), more in zip(rows, extra, strict=True):
        assert np.isfinite(values).all()
        error = np.sqrt(values.var() / len(values) + more)
        found.append(float((values.mean() - truth) / error))
    return found


@compiled()
def prior_squares(keys):
    def one(key):
        params = prior_draw(MODEL, key, NEURONS, BINS)
        return jnp.log1p(params.trajectories[params.label] ** 2).mean()

    return jax.lax.map(one, keys)


@pytest.mark.parametrize(
    "update",
    [
        pytest.param(labels_alone, marks=pytest.mark.slow),
        pytest.param(labels_in_turn, marks=pytest.mark.record),
        pytest.param(births_alone, marks=pytest.mark.slow),
    ],
)
def test_the_partition_has_its_exact_law(key, update):
    found = scores(update, key)
    assert max(map(abs, found)) < 4, found


@pytest.mark.record
@pytest.mark.parametrize(
    "update", [births_without_their_evidence, labels_with_clusters_of_another_law, labels_in_turn_with_wrong_weights]
)
def test_moves_under_another_law_are_seen(key, update):
    assert max(map(abs, scores(update, key))) > 6
