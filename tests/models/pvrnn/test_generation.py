"""What the network makes: against plain loops, the posterior it starts from, and exponents that are known."""

import dataclasses

import jax
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.models.pvrnn import PVRNN, Layer
from neurolatent.models.pvrnn.generation import largest_exponent, regenerated, sampled
from neurolatent.models.pvrnn.params import LayerWeights, PVRNNParams, Tempering, by_layer
from tests.models.pvrnn import twin
from tests.models.pvrnn.test_loss import whole

MODEL = PVRNN((Layer(4, 2, 2.0),))


def test_without_noise_it_follows_the_prior_in_plain_loops():
    params = twin.random_params(MODEL, 2, 1, 5)
    with precision.double():
        told = np.asarray(sampled(MODEL, params._replace(adaptive=None), jax.random.key(0), 1, 6, 0.0).told)[0]
    p, h = params.layers[0], np.zeros(4)
    for t in range(6):
        d = np.tanh(h)
        z = np.tanh((d @ p.prior + p.prior_bias)[:2]) if t else np.zeros(2)  # the unit prior at the first step
        h = 0.5 * h + 0.5 * (d @ p.recurrent + z @ p.latent + p.bias)
        np.testing.assert_allclose(told[t], np.tanh(h) @ params.output + params.output_bias, rtol=1e-10)


def test_the_same_key_makes_the_same_and_the_noise_is_that_of_the_prior():
    params = twin.random_params(MODEL, 2, 1, 5)._replace(adaptive=None)
    one, again = (sampled(MODEL, params, jax.random.key(3), 2000, 1) for _ in range(2))
    np.testing.assert_array_equal(one.told, again.told)
    z = np.asarray(one.course.z[0])[0]
    assert np.abs(z.mean(axis=0)).max() < 4 / np.sqrt(2000)
    assert np.abs(z.std(axis=0) - 1).max() < 0.1


def test_a_sequence_is_told_by_its_posterior_for_some_steps_and_then_goes_on():
    model = dataclasses.replace(MODEL, deterministic=True)
    params, data = twin.random_params(model, 2, 3, 6), twin.random_data(model, 2, 3, 6)
    with precision.double():
        _, course, _, _ = whole(model, params, data, twin.random_noise(model, 3, 6))
        made = regenerated(model, params, jax.random.key(0), 4)
    np.testing.assert_allclose(made.course.hidden[0][:4], course.hidden[0][:4], rtol=1e-12)
    assert np.abs(np.asarray(made.course.hidden[0][4:]) - np.asarray(course.hidden[0][4:])).max() > 1e-3


def linear(size: float) -> PVRNNParams:
    """A network near zero whose recurrent weights are a multiple of the identity; the latents do nothing."""
    none = np.zeros((4, 4))
    weights = LayerWeights(
        size * np.eye(4),
        np.zeros((2, 4)),
        np.zeros((0, 4)),
        np.zeros((0, 4)),
        np.zeros(4),
        none,
        np.zeros(4),
        none,
        np.zeros(4),
    )
    return PVRNNParams(by_layer(1)(weights), np.zeros((4, 1)), np.zeros(1), None, Tempering(np.ones(1), np.ones(1)))


@pytest.mark.parametrize("size", [0.0, 0.5, 0.9])
def test_the_exponent_of_a_network_at_rest_is_that_of_its_slope(size):
    with precision.double():
        got = largest_exponent(MODEL, linear(size), jax.random.key(0), 200)
    np.testing.assert_allclose(got, np.log(0.5 + 0.5 * size), rtol=1e-6)  # h' = h / 2 + size tanh(h) / 2


def test_an_unstable_network_has_a_positive_exponent_at_its_fixed_point_at_zero():
    with precision.double():
        assert float(largest_exponent(MODEL, linear(3.0), jax.random.key(0), 200)) == pytest.approx(np.log(2.0))
