"""Error regression: against the prior alone, against one whole window, one observation at a time, and on its own."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.models.pvrnn import PVRNN, ErrorRegression
from neurolatent.models.pvrnn.cell import outputs, rest, roll_posterior, roll_prior
from neurolatent.models.pvrnn.loss import objective, terms_of
from neurolatent.models.pvrnn.regression import first_window, foresee, observe, recognised, step_noise
from neurolatent.models.pvrnn.start import rows_along
from tests.models.pvrnn import twin

TIME, COUNT, CHANNELS = 6, 2, 2


def setting(name: str, **recognition) -> tuple:
    base = twin.MODELS[name]
    model = dataclasses.replace(base, recognition=ErrorRegression(**recognition))
    params = twin.random_params(model, CHANNELS, COUNT, TIME)._replace(adaptive=None)
    data = twin.random_data(model, CHANNELS, COUNT, TIME)
    return model, params, data


@functools.partial(jax.jit, static_argnums=0)
def ahead(model, params, data, key):
    return foresee(model, params, data, key)


@functools.partial(jax.jit, static_argnums=(0, 3, 4))
def by_the_prior(model, params, key, count, steps):
    """What the prior alone tells with the draws of the last observation."""
    noise = step_noise(model, key, jnp.arange(steps), count, params.output.dtype)
    course = roll_prior(model, params, rest(model, count, params.output.dtype), noise, jnp.arange(steps) == 0)
    return model.likelihood.told(outputs(model, params, course.activity[0]))


@functools.partial(jax.jit, static_argnums=0)
def both_courses(model, params, noise):
    is_first = jnp.arange(len(noise[0])) == 0
    start = rest(model, COUNT, params.output.dtype)
    prior = roll_prior(model, params, start, noise, is_first)
    rows = rows_along(model, params, prior, is_first)
    return prior, roll_posterior(model, params, start, rows, noise)


@pytest.mark.parametrize("name", ["top-down, state", "top-down, free, bins", "both, state"])
def test_rows_at_the_prior_follow_it_under_the_same_noise(name):
    model, params, _ = setting(name)
    with precision.double():
        prior, posterior = both_courses(model, params, twin.random_noise(model, COUNT, TIME))
    for a, b in zip(jax.tree.leaves(prior), jax.tree.leaves(posterior), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


@pytest.mark.parametrize("name", ["top-down, state", "top-down, free, bins", "both, state"])
def test_without_iterations_and_noise_a_window_foresees_what_the_prior_does(name):
    model, params, data = setting(name, window=TIME, iterations=0, horizon=3, draws=1)
    model = dataclasses.replace(model, deterministic=True)
    with precision.double():
        told = ahead(model, params, data, jax.random.key(1))
        want = by_the_prior(model, params, jax.random.key(1), COUNT, TIME + 3)
        for time in range(1, TIME + 1):
            np.testing.assert_allclose(told.mean[time - 1], jnp.swapaxes(want[time : time + 3], 0, 1), rtol=1e-9)
            np.testing.assert_allclose(told.told[time - 1], want[time - 1], rtol=1e-9)


def test_one_observation_at_a_time_is_the_batch():
    model, params, data = setting("top-down, state", window=3, iterations=4, horizon=2, draws=3)
    step = jax.jit(observe, static_argnums=0)
    with precision.double():
        key = jax.random.key(2)
        whole, window = ahead(model, params, data, key), first_window(model, params, COUNT, CHANNELS)
        for time in range(TIME):
            window, told = step(
                model, params, window, (data.target[:, time], data.floor[:, time], data.seen[:, time]), key
            )
            for a, b in zip(told, whole, strict=True):
                np.testing.assert_allclose(a, b[time], rtol=1e-9)
    assert int(window.filled) == 3
    assert not bool(window.holds_first)


def test_the_future_does_not_leak():
    model, params, data = setting("top-down, state", window=3, iterations=4, horizon=2, draws=3)
    other = data._replace(target=_moved(data.target))
    with precision.double():
        a, b = (ahead(model, params, d, jax.random.key(2)) for d in (data, other))
    np.testing.assert_array_equal(a.mean[:4], b.mean[:4])
    assert np.abs(np.asarray(a.mean[5]) - np.asarray(b.mean[5])).max() > 1e-6


def _moved(target):
    out = target.copy()
    out[:, 4:] += 1.0
    return out


def test_a_sequence_is_told_the_same_alone():
    model, params, data = setting("top-down, state", window=3, iterations=4, horizon=2, draws=3)
    with precision.double():
        both = ahead(model, params, data, jax.random.key(2))
        one = ahead(model, params, jax.tree.map(lambda leaf: leaf[1:], data), jax.random.key(2))
    np.testing.assert_allclose(both.mean[:, 1:], one.mean, rtol=1e-8)


def test_what_the_network_made_is_recognised_better_with_iterations():
    rng = np.random.default_rng(0)
    base = PVRNN(twin.LAYERS, w=1e-4)
    params = twin.random_params(base, CHANNELS, COUNT, 20)
    louder = type(params.layers)(*(p._replace(latent=4 * p.latent, prior_bias=0 * p.prior_bias) for p in params.layers))
    params = params._replace(layers=louder)
    with precision.double():
        noise = tuple(jnp.asarray(rng.normal(size=(20, COUNT, layer.latent))) for layer in base.layers)
        course = roll_prior(base, params, rest(base, COUNT, jnp.float64), noise, jnp.arange(20) == 0)
        made = jnp.swapaxes(outputs(base, params, course.activity[0]), 0, 1)
        ones = jnp.ones((COUNT, 20, CHANNELS))
        data = twin.PVRNNData(made, 0 * ones, ones, jnp.ones((COUNT, 20)), jnp.full(COUNT, -1))
        losses = []
        for whole in (0, 300):
            model = dataclasses.replace(base, recognition=ErrorRegression(whole=whole))
            found = jax.jit(recognised, static_argnums=0)(
                model, params._replace(adaptive=None), data, jax.random.key(0)
            )
            losses.append(float(jax.jit(mean_loss, static_argnums=0)(model, found, data)))
    assert losses[1] < 0.3 * losses[0]


def mean_loss(model, params, data):
    """The objective over fresh draws."""

    def one(key):
        noise = step_noise(model, key, jnp.arange(data.valid.shape[1]), COUNT, params.output.dtype)
        return objective(model, terms_of(model, params, data, noise)[0], CHANNELS).mean()

    return jax.vmap(one)(jax.random.split(jax.random.key(9), 20)).mean()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"window": 0}, "window must be a whole number of at least 1"),
        ({"rate": 0.0}, "rate must be a number above 0"),
        ({"w": -0.1}, "w must be at least 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        ErrorRegression(**fields)
