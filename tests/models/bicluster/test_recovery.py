"""At the truth of the published simulation the sampler stays, and clusters that were cut in two are made one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.compiling import compiled
from neurolatent.models.bicluster import BiClustering, rearrange
from neurolatent.models.bicluster.params import BiclusterParams
from neurolatent.models.bicluster.simulate import prior_draw
from neurolatent.models.bicluster.summaries import agreement, rand
from neurolatent.models.bicluster.sweep import augmented_draws, sweep
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
    weights, held = np.full(states, 1 / states), prior.concentrations
    return BiclusterParams(*whole, np.full(len(truth.label), 10.0), paths, laws, shift, noise, weights, stay, held)


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


@compiled(lightly=True)
def arranged(params: BiclusterParams, data, key, kinds) -> BiclusterParams:
    """After a few draws with these labels and states, and tries of these kinds, one after the other."""

    def draw(number, params):
        return augmented_draws(MODEL, params, data, jax.random.fold_in(key, 1000 + number), held=True)

    def step(number, params):
        return rearrange.arranged(MODEL, params, data, jax.random.fold_in(key, number), 1.0, kind=kinds[number])

    tries = (kinds >= 0).sum()
    return jax.lax.fori_loop(0, tries, step, jax.lax.fori_loop(0, 10, draw, params))


def with_label(params: BiclusterParams, label: np.ndarray, source: np.ndarray) -> BiclusterParams:
    """The draw with other labels; each cluster has trajectory and laws of the one that is its source."""
    of = {name: getattr(params, name)[:, source] for name in ("transition", "shift", "innovation")}
    return params._replace(label=label.astype(np.int32), trajectories=params.trajectories[source], **of)


@pytest.mark.slow
def test_what_is_cut_in_two_is_made_one_mixed_clusters_are_sorted_and_right_ones_stay(data):
    truth, number, neuron = truth_of(0), np.arange(8), np.arange(30)
    label, bins = truth.label, np.arange(len(truth.state))
    merge, divide, join = rearrange.MERGE, rearrange.DIVIDE, rearrange.JOIN
    with precision.double():
        whole = at_truth(0)
        source = np.where(number < 6, number % 3, number)
        halves = with_label(whole, np.where(neuron % 10 < 4, label + 3, label), source)
        mixed = with_label(whole, np.where((label == 1) & (neuron % 2 == 0), 2, label), number)
        together = with_label(whole, np.minimum(label, 1), number)
        again = np.arange(MODEL.max_states) % 2
        laws = {name: getattr(whole, name)[again] for name in ("transition", "shift", "innovation")}
        late = whole._replace(state=np.where(bins < 250, whole.state, whole.state + 2).astype(np.int32), **laws)
        cases = {
            "right": (whole, [merge, divide, join] * 8),
            "halves": (halves, [merge] * 24),
            "mixed": (mixed, [merge, divide] * 24),
            "together": (together, [merge, divide] * 24),
            "late": (late, [join] * 24),
        }
        for name, (start, kinds) in cases.items():
            padded = np.pad(np.array(kinds, np.int32), (0, 48 - len(kinds)), constant_values=-1)
            now = arranged(jax.tree.map(jnp.asarray, start), data, jax.random.key(0), jnp.asarray(padded))
            if name != "late":  # a neuron may be astray
                assert rand(np.asarray(now.label), label) >= 0.85, (name, np.asarray(now.label))
            if name in ("right", "late"):
                assert rand(np.asarray(now.state), truth.state) == 1.0, (name, np.bincount(np.asarray(now.state)))
