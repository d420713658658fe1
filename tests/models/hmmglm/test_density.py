"""The density and the posterior of every variant against the list of all paths; what the past may and may not touch."""

import functools

import jax
import numpy as np
import pytest
from scipy import stats

from neurolatent import precision
from neurolatent.models.hmmglm import HMMGLM, HMMGLMParams, NoHistory, Poisson
from neurolatent.models.hmmglm.history import Exponential, filtered_history
from neurolatent.models.hmmglm.inference import ahead, log_emission
from neurolatent.recording import Recording
from tests.models.hmmglm import twin

LENGTHS = (7, 5)


@functools.cache
def case(name: str) -> Recording:
    """Simulated, with one sample missing in the middle of the first sequence."""
    made = twin.MODELS[name].simulate(twin.random_params(name), jax.random.key(1), LENGTHS)
    signal = made.signal(twin.MODELS[name].signal_of(made))
    keep = np.ones(signal.values.shape, bool)
    keep[3] = False
    return made.with_signal(twin.MODELS[name].signal_of(made), signal.masked(keep))


@pytest.mark.parametrize("name", twin.MODELS)
def test_evidence_and_posterior_are_those_of_all_paths(name):
    model, params, recording = twin.MODELS[name], twin.random_params(name), case(name)
    with precision.double():
        data = model.select(recording, for_training=False).data
        evidence = np.asarray(model.log_likelihood(params, data))
        latents = jax.device_get(model.posterior(params, data))
    for number, length in enumerate(LENGTHS):
        y, u, inputs, seen = twin.parts_of(model, recording, number)
        emission = twin.log_emission(model, params, y, u, seen)
        total, smoothed, path = twin.all_paths(model, params, emission, inputs)
        np.testing.assert_allclose(evidence[number], total, rtol=1e-6)  # a mean is floored by 1e-8 in the logarithm
        np.testing.assert_allclose(latents.along_time["smoothed"][number, :length], smoothed, atol=1e-6)
        assert (latents.along_time["path"][number, :length] == path).all()
        assert (latents.along_time["path"][number, length:] == -1).all()


def test_the_exponential_kernel_is_that_of_the_specification():
    basis = Exponential().basis()[:, 0]
    np.testing.assert_allclose(basis, [0.63640865, 0.23412166, 0.08612854, 0.03168492, 0.01165623], atol=5e-9)
    x = np.zeros((10, 1))
    x[2], x[4] = 1, 2
    found = filtered_history(x, np.ones((10, 1), bool), np.array([10]), Exponential().basis())[:, 0]
    want = [0, 0, 0, 0.636409, 0.234122, 1.358946, 0.499928, 0.183913, 0.063370, 0.023312]
    np.testing.assert_allclose(found, want, atol=5e-7)


def test_a_bin_never_sees_itself_and_never_another_sequence():
    rng = np.random.default_rng(0)
    y, lengths, seen = rng.poisson(1.0, (20, 2)).astype(float), np.array([12, 8]), np.ones((20, 2), bool)
    before = filtered_history(y, seen, lengths, np.eye(3))
    for time in (4, 11):
        other = y.copy()
        other[time] += 5
        changed = np.flatnonzero((filtered_history(other, seen, lengths, np.eye(3)) != before).any(axis=1))
        assert set(changed) == {t for t in range(time + 1, time + 4) if t < 12}


def test_what_was_not_observed_counts_as_nothing_in_the_past():
    y, seen = np.array([[1.0], [7.0], [2.0]]), np.array([[True], [False], [True]])
    found = filtered_history(y, seen, np.array([3]), np.eye(2))
    np.testing.assert_array_equal(found, [[0, 0], [1, 0], [0, 1]])


def test_sixty_neurons_do_not_underflow():
    rng = np.random.default_rng(0)
    counts = rng.poisson(2.0, (80, 60))
    model = HMMGLM(2, family=Poisson("exp"), history=NoHistory())
    bias = np.log(np.stack([np.full(60, 2.0), np.full(60, 2.5)]))
    none = np.zeros(0)
    params = HMMGLMParams(
        np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.1, 0.9]]), np.zeros((2, 60, 0)), bias, *[none] * 10
    )
    with precision.double():
        data = model.select(Recording.of({"signal": counts}, kinds={"signal": "counts"}), for_training=False).data
        found = float(model.log_likelihood(params, data)[0])
    scores = np.stack([stats.poisson(np.exp(b)).logpmf(counts).sum(axis=1) for b in bias], axis=1)
    alpha = np.log([0.5, 0.5]) + scores[0]
    for row in scores[1:]:
        alpha = row + np.logaddexp.reduce(alpha[:, None] + np.log(params.transition), axis=0)
    np.testing.assert_allclose(found, np.logaddexp.reduce(alpha), rtol=1e-7)
    assert scores.max() < -80  # far below what a single precision, or a clamp at 1e-16, could hold


OFTEN = ("counts, own taps", "choices, lapses", "values")  # the rest, slow to compile, with the records


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in OFTEN else pytest.mark.record) for n in twin.MODELS])
def test_masked_samples_at_the_end_are_as_good_as_absent(name):
    model, params, recording = twin.MODELS[name], twin.random_params(name), case(name)
    signal = recording.signal(model.signal_of(recording))
    keep = np.ones(signal.values.shape, bool)
    keep[5:7] = False
    with precision.double():
        masked = recording.with_signal(model.signal_of(recording), signal.masked(keep))
        a = model.log_likelihood(params, model.select(masked, for_training=False).data)
        b = model.log_likelihood(params, model.select(recording.cut(0, [5, 5]), for_training=False).data)
    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_one_step_predictions_are_mixtures_of_the_states():
    name = "choices, driven"
    model, params, recording = twin.MODELS[name], twin.random_params(name), case(name)
    with precision.double():
        data = jax.tree.map(jax.numpy.asarray, model.select(recording, for_training=False).data)
        device = HMMGLMParams(*map(jax.numpy.asarray, params))
        latents = jax.device_get(model.posterior(params, data))
        weight = np.asarray(ahead(model, device, data, jax.numpy.asarray(latents.along_time["filtered"])))
        np.testing.assert_allclose(weight[0, :7].sum(axis=1), 1.0)
        chosen = np.exp(np.asarray(log_emission(model, device, data._replace(y=jax.numpy.ones_like(data.y)))))
    for number, length in enumerate(LENGTHS):
        seen = np.asarray(data.observed)[number, :length, 0]
        want = (weight[number] * chosen[number]).sum(axis=1)[:length]
        found = latents.along_time["predicted_mean"][number, :length, 0]
        np.testing.assert_allclose(found[seen], want[seen], rtol=1e-10)
