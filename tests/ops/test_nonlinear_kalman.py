"""The extended and unscented filters: exactly the Kalman filter where all is linear, filterpy's where it is not."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.ops.kalman import Filtered, Information, collapse, kalman_filter
from neurolatent.ops.nonlinear_kalman import Moving, Observing, filter_observed, filter_told, linearised, unscented
from tests.ops.test_kalman import random_dynamics, spd, textbook

TIME, LATENT, FEATURES = 25, 3, 4
PUSHES = {"extended": linearised, "unscented": unscented}
EMISSION = np.random.default_rng(8).normal(size=(FEATURES, LATENT))


def bend(z):
    return jnp.tanh(z) + jnp.roll(z, 1) * 0.5


def look(z):
    return jnp.sin(jnp.asarray(EMISSION, z.dtype) @ z)


@functools.partial(jax.jit, static_argnames=("push", "is_linear"))
def run(dynamics, noise, x, heard, *, push, is_linear):
    move = (lambda z: dynamics.transition @ z) if is_linear else bend
    emission = (lambda z: jnp.asarray(EMISSION, z.dtype) @ z) if is_linear else look
    moving = Moving(move, dynamics.innovation, dynamics.mean, dynamics.cov)
    return filter_observed(moving, Observing(emission, noise), x, heard, push=push)


@functools.partial(jax.jit, static_argnames=("push", "is_linear"))
def run_told(dynamics, seen, *, push, is_linear):
    move = (lambda z: dynamics.transition @ z) if is_linear else bend
    return filter_told(Moving(move, dynamics.innovation, dynamics.mean, dynamics.cov), seen, push=push)


def case(seed: int):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(TIME, FEATURES))
    heard = rng.random(TIME) > 0.2
    return random_dynamics(rng, LATENT), spd(rng, FEATURES), x, heard


@pytest.mark.parametrize("push", PUSHES.values(), ids=PUSHES)
def test_linear_case_is_the_textbook_kalman_filter(push):
    dynamics, noise, x, heard = case(0)
    mean, cov, gains = textbook(dynamics, np.where(heard[:, None], x, np.nan), EMISSION, noise)
    with precision.double():
        found = run(dynamics, noise, x, heard, push=push, is_linear=True)
    np.testing.assert_allclose(found.mean, mean, atol=1e-10)
    np.testing.assert_allclose(found.cov, cov, atol=1e-10)
    np.testing.assert_allclose(found.log_increments, gains, atol=1e-10)


@pytest.mark.parametrize("push", PUSHES.values(), ids=PUSHES)
def test_information_on_a_linear_state_is_the_kalman_filter(push):
    dynamics, noise, x, _ = case(1)
    with precision.double():
        seen, _ = collapse(jnp.asarray(x), jnp.asarray(EMISSION), jnp.asarray(noise))
        seen = Information(jnp.broadcast_to(seen.precision, (TIME, LATENT, LATENT)), seen.shift)
        want = jax.jit(kalman_filter)(dynamics, seen)
        found = run_told(dynamics, seen, push=push, is_linear=True)
    for got, truth in zip(found, want, strict=True):
        np.testing.assert_allclose(got, truth, atol=1e-10)


def test_unscented_filter_is_filterpys_of_a_bent_state_and_bent_observations():
    kalman = pytest.importorskip("filterpy.kalman")
    dynamics, noise, x, _ = case(2)
    points = kalman.MerweScaledSigmaPoints(LATENT, alpha=1.0, beta=0.0, kappa=0.0)
    peer = kalman.UnscentedKalmanFilter(
        LATENT, FEATURES, 1.0, hx=lambda z: np.sin(EMISSION @ z), fx=lambda z, dt: np.asarray(bend(z)), points=points
    )
    peer.Q, peer.R, peer.x, peer.P = dynamics.innovation, noise, dynamics.mean.copy(), dynamics.cov.copy()
    means, covs = [], []
    with precision.double():
        found = run(dynamics, noise, x, np.ones(TIME, bool), push=unscented, is_linear=False)
        peer.sigmas_f = points.sigma_points(peer.x, peer.P)  # its first update has no prediction
        for row in x:
            peer.update(row)
            means.append(peer.x.copy())
            covs.append(peer.P.copy())
            peer.predict()
    np.testing.assert_allclose(found.mean, means, atol=1e-8)
    np.testing.assert_allclose(found.cov, covs, atol=1e-8)


@pytest.mark.parametrize("push", PUSHES.values(), ids=PUSHES)
def test_small_spread_makes_both_filters_the_tangents(push):
    """A belief so narrow that the function is its tangent: one step by hand, with the slope by differences."""
    step, mean, cov = 1e-6, np.array([0.3, -0.2, 0.5]), 1e-8 * spd(np.random.default_rng(3), LATENT)
    with precision.double():
        pushed = push(look, jnp.asarray(mean), jnp.asarray(cov))
    columns = [(np.sin(EMISSION @ (mean + step * e)) - np.sin(EMISSION @ (mean - step * e))) for e in np.eye(LATENT)]
    slope = np.stack(columns, axis=1) / (2 * step)
    np.testing.assert_allclose(pushed.cov, slope @ cov @ slope.T, atol=1e-12)
    np.testing.assert_allclose(pushed.cross, cov @ slope.T, atol=1e-12)
    np.testing.assert_allclose(pushed.mean, np.sin(EMISSION @ mean), atol=1e-7)


def test_what_is_not_heard_is_a_prediction():
    dynamics, noise, x, _ = case(4)
    heard = np.ones(TIME, bool)
    heard[7] = False
    with precision.double():
        found: Filtered = run(dynamics, noise, x, heard, push=unscented, is_linear=False)
    np.testing.assert_array_equal(found.mean[7], found.predicted_mean[7])
    np.testing.assert_array_equal(found.cov[7], found.predicted_cov[7])
    assert np.asarray(found.log_increments)[7] == 0
