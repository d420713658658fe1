"""Started at the truth of the published simulation, the sampler stays there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.compiling import compiled
from neurolatent.models.bicluster import BiClustering
from neurolatent.models.bicluster.params import BiclusterParams
from neurolatent.models.bicluster.simulate import prior_draw
from neurolatent.models.bicluster.summaries import rand
from neurolatent.models.bicluster.sweep import sweep
from neurolatent.models.bicluster.synthetic import NOISE, bicluster_case, truth_of

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


@pytest.mark.slow
def test_started_at_the_truth_it_stays():
    truth = truth_of(0)
    with precision.double():
        data = MODEL.select(bicluster_case(0), for_training=True).data
        on = jax.tree.map(jnp.asarray, (at_truth(0), data))
        label, state = map(np.asarray, labels_over(*on, SWEEPS))
    neurons = [rand(row, truth.label) for row in label]
    bins = [rand(row, truth.state) for row in state]
    print(f"neuron ARI {np.mean(neurons):.3f} (least {min(neurons):.3f}), state ARI {np.mean(bins):.3f}")
    assert min(neurons) == 1.0
    assert np.mean(bins[SWEEPS // 3 :]) >= 0.8
