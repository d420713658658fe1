"""At the truth of the published simulation the sampler stays, and clusters that were cut in two are made one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.compiling import compiled
from neurolatent.models.bicluster import BiClustering, condense
from neurolatent.models.bicluster.params import BiclusterParams
from neurolatent.models.bicluster.simulate import prior_draw
from neurolatent.models.bicluster.summaries import agreement, rand
from neurolatent.models.bicluster.sweep import sweep
from neurolatent.models.bicluster.synthetic import NOISE, bicluster_case, truth_of
from neurolatent.ops.partitions import point_partition

SWEEPS = 150
MODEL = BiClustering(max_clusters=8)


def at_truth(seed: int) -> BiclusterParams:
    """The truth, and the prior where it says nothing."""
    truth = truth_of(seed)
    prior = jax.device_get(prior_draw(MODEL, jax.random.key(1), len(truth.label), len(truth.state)))
    paths, laws = np.zeros_like(prior.trajectories), prior.transition.copy()
    paths[:3], laws[:2, :3] = truth.trajectories, truth.transition
    shift, noise = prior.shift.copy(), prior.innovation.copy()
    shift[:2, :3], noise[:2, :3] = 0.0, NOISE * np.eye(paths.shape[2])
    states = len(prior.weights)
    stay = np.full((states, states), 0.1 / states) + 0.9 * np.eye(states)
    whole = (truth.label.astype(np.int32), truth.state.astype(np.int32), truth.offset, truth.loadings)
    weights = np.full(states, 1 / states)
    return BiclusterParams(*whole, np.full(len(truth.label), 10.0), paths, laws, shift, noise, weights, stay)


@compiled(static=(2,))
def labels_over(params: BiclusterParams, data, sweeps: int):
    def step(params, number):
        params, _ = sweep(MODEL, params, data, jax.random.fold_in(jax.random.key(2), number))
        return params, (params.label, params.state)

    return jax.lax.scan(step, params, jnp.arange(sweeps))[1]


@pytest.fixture(scope="module")
def data():
    with precision.double():
        return jax.tree.map(jnp.asarray, MODEL.select(bicluster_case(0), for_training=True).data)


@pytest.mark.slow
def test_started_at_the_truth_it_stays(data):
    truth = truth_of(0)
    with precision.double():
        label, state = map(np.asarray, labels_over(jax.tree.map(jnp.asarray, at_truth(0)), data, SWEEPS))
    neurons = [rand(row, truth.label) for row in label]
    bins = [rand(row, truth.state) for row in state]
    point = point_partition(state[SWEEPS // 3 :])
    print(f"neuron ARI {np.mean(neurons):.3f} (least {min(neurons):.3f}), state ARI {np.mean(bins):.3f}")
    print(f"states of the point partition: ARI {rand(point, truth.state):.3f}, {agreement(point, truth.state):.3f}")
    assert min(neurons) == 1.0
    assert np.mean(bins[SWEEPS // 3 :]) >= 0.6
    assert agreement(point, truth.state) >= 0.94


@compiled()
def merged(params: BiclusterParams, data, key) -> BiclusterParams:
    return condense._merged(MODEL, params, data, key, 1.0)


@pytest.mark.slow
def test_a_cluster_in_two_parts_is_made_one_and_two_kinds_stay_apart(data):
    with precision.double():
        truth = at_truth(0)
    apart = truth._replace(label=np.where(np.arange(30) % 10 < 4, truth.label + 3, truth.label).astype(np.int32))
    for part in ("trajectories", "transition", "shift", "innovation"):
        axis = 0 if part == "trajectories" else 1
        value = np.moveaxis(getattr(apart, part).copy(), axis, 0)
        value[3:6] = value[:3]
        apart = apart._replace(**{part: np.moveaxis(value, 0, axis)})
    with precision.double():
        now, whole = (jax.tree.map(jnp.asarray, p) for p in (apart, truth))
        for number in range(20):
            now = merged(now, data, jax.random.fold_in(jax.random.key(3), number))
            whole = merged(whole, data, jax.random.fold_in(jax.random.key(4), number))
    assert rand(np.asarray(now.label), truth.label) == 1.0
    assert rand(np.asarray(whole.label), truth.label) == 1.0
