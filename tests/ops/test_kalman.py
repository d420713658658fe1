"""The Kalman recursions against the textbook form with inverses and against one dense Gaussian of all bins."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from neurolatent import precision
from neurolatent.ops.kalman import Dynamics, Information, ahead, collapse, kalman_filter
from neurolatent.ops.kalman_smoother import smooth, smooth_with_lag
from neurolatent.ops.kalman_steady import settling_time, steady_filter, steady_smooth

TIME = 30
run = jax.jit(kalman_filter)
run_steady = jax.jit(steady_filter, static_argnames="settle")
run_steady_back = jax.jit(steady_smooth, static_argnames="settle")
run_smoother = jax.jit(smooth)
run_lagged = jax.jit(smooth_with_lag, static_argnums=2)
run_ahead = jax.jit(ahead, static_argnums=3)
run_settling = jax.jit(settling_time)
run_collapse = jax.jit(collapse)


def spd(rng: np.random.Generator, size: int) -> np.ndarray:
    root = rng.normal(size=(size, size))
    return root @ root.T + 0.3 * np.eye(size)


def random_dynamics(rng: np.random.Generator, latent: int) -> Dynamics:
    transition = rng.normal(size=(latent, latent))
    transition *= 0.9 / np.abs(np.linalg.eigvals(transition)).max()
    return Dynamics(transition, 0.3 * spd(rng, latent), rng.normal(size=latent), spd(rng, latent))


def textbook(dynamics: Dynamics, x: np.ndarray, emission: np.ndarray, noise: np.ndarray) -> tuple:
    """Filtered means, covariances, log-likelihood increments: covariance form, explicit inverses; NaN rows missing."""
    (a, gamma, mean, cov), out = dynamics, []
    for row in x:
        gain = 0.0
        if np.isfinite(row).all():
            total = emission @ cov @ emission.T + noise
            weight = cov @ emission.T @ np.linalg.inv(total)
            gain = multivariate_normal(emission @ mean, total).logpdf(row)
            mean, cov = mean + weight @ (row - emission @ mean), cov - weight @ emission @ cov
        out.append((mean, cov, gain))
        mean, cov = a @ mean, a @ cov @ a.T + gamma
    return tuple(np.stack(part) for part in zip(*out, strict=True))


def dense_posterior(dynamics: Dynamics, seen: Information, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean (bins, latent) and covariance (bins * latent, same) of all bins given those up to ``last``: one solve."""
    (a, gamma, mean, cov), time, latent = dynamics, len(seen.shift), len(dynamics.mean)
    total, shift = np.zeros((time * latent, time * latent)), np.zeros(time * latent)
    place = [slice(t * latent, (t + 1) * latent) for t in range(time)]
    total[place[0], place[0]] += np.linalg.inv(cov)
    shift[place[0]] += np.linalg.inv(cov) @ mean
    inverse = np.linalg.inv(gamma)
    for t in range(time):
        if t <= last:
            total[place[t], place[t]] += seen.precision[t]
            shift[place[t]] += seen.shift[t]
        if t + 1 < time:
            total[place[t], place[t]] += a.T @ inverse @ a
            total[place[t + 1], place[t + 1]] += inverse
            total[place[t], place[t + 1]] -= a.T @ inverse
            total[place[t + 1], place[t]] -= inverse @ a
    covariance = np.linalg.inv(total)
    return (covariance @ shift).reshape(time, latent), covariance


@functools.cache
def case(seed: int, latent: int, features: int, missing: bool = False) -> tuple:
    rng = np.random.default_rng(seed)
    dynamics = random_dynamics(rng, latent)
    x, emission = rng.normal(size=(TIME, features)), rng.normal(size=(features, latent))
    noise = spd(rng, features)
    with precision.double():
        seen, rest = jax.device_get(run_collapse(*map(jnp.asarray, (x, emission, noise))))
    seen = Information(np.broadcast_to(seen.precision, (TIME, latent, latent)).copy(), seen.shift.copy())
    if missing:
        gone = rng.random(TIME) < 0.3
        x[gone], seen.precision[gone], seen.shift[gone], rest = np.nan, 0.0, 0.0, np.where(gone, 0.0, rest)
    return dynamics, seen, rest, (x, emission, noise)


CASES = [(1, 2, 5, False), (2, 4, 3, False), (3, 2, 5, True)]


@pytest.mark.parametrize(("seed", "latent", "features", "missing"), CASES)
def test_filter_is_the_textbook_filter(seed, latent, features, missing):
    dynamics, seen, rest, observed = case(seed, latent, features, missing)
    want = textbook(dynamics, *observed)
    with precision.double():
        got = jax.device_get(run(jax.tree.map(jnp.asarray, dynamics), jax.tree.map(jnp.asarray, seen)))
    np.testing.assert_allclose(got.mean, want[0], atol=1e-12, rtol=0)
    np.testing.assert_allclose(got.cov, want[1], atol=1e-12, rtol=0)
    np.testing.assert_allclose(got.log_increments + rest, want[2], atol=1e-11)


@pytest.mark.parametrize(("seed", "latent", "features", "missing"), CASES)
def test_smoothers_are_the_dense_solve(seed, latent, features, missing):
    dynamics, seen, _, _ = case(seed, latent, features, missing)
    with precision.double():
        device = jax.tree.map(jnp.asarray, dynamics)
        filtered = run(device, jax.tree.map(jnp.asarray, seen))
        whole = jax.device_get(run_smoother(filtered, device.transition))
        some = [np.asarray(part) for part in run_lagged(filtered, device.transition, 4)]
    mean, cov = dense_posterior(dynamics, seen, TIME)
    blocks = cov.reshape(TIME, latent, TIME, latent)
    steps = np.arange(TIME)
    np.testing.assert_allclose(whole.mean, mean, atol=1e-10)
    np.testing.assert_allclose(whole.cov, blocks[steps, :, steps], atol=1e-10)
    np.testing.assert_allclose(whole.lagged_cov, blocks[steps[1:], :, steps[:-1]], atol=1e-10)
    np.testing.assert_allclose(whole.mean[-1], filtered.mean[-1])
    assert (np.linalg.eigvalsh(np.asarray(filtered.cov) - whole.cov) > -1e-12).all()
    for at in (0, 7, TIME - 3, TIME - 1):
        part, cov = dense_posterior(dynamics, seen, min(at + 4, TIME - 1))
        np.testing.assert_allclose(some[0][at], part[at], atol=1e-10)
        np.testing.assert_allclose(some[1][at], cov.reshape(TIME, latent, TIME, latent)[at, :, at], atol=1e-10)


def test_steady_filter_is_the_full_filter():
    dynamics, seen, _, _ = case(1, 2, 5)
    long = Information(np.tile(seen.precision, (10, 1, 1)), np.tile(seen.shift, (10, 1)))
    with precision.double():
        device, long = jax.tree.map(jnp.asarray, (dynamics, long))
        settle = int(run_settling(device, long.precision[0]))
        assert 1 < settle < len(long.shift)
        got = run_steady(device, long.precision[0], long.shift, settle=settle)
        want = run(device, long)
        back = run_steady_back(got, device.transition, settle=settle), run_smoother(want, device.transition)
    assert len(long.shift) > 3 * settle + 2, "else the short way back is not taken"
    for one, other in zip((*got, *back[0]), (*want, *back[1]), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("settle", [TIME - 1, TIME, TIME + 9])
def test_a_recording_that_hardly_settles_is_filtered_in_full(settle):
    dynamics, seen, _, _ = case(1, 2, 5)
    with precision.double():
        device, seen = jax.tree.map(jnp.asarray, (dynamics, seen))
        got, want = run_steady(device, seen.precision[0], seen.shift, settle=settle), run(device, seen)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)


def test_prediction_is_the_filter_without_observations():
    dynamics, seen, _, _ = case(1, 2, 5)
    with precision.double():
        device = jax.tree.map(jnp.asarray, dynamics)
        gone = [leaf * (np.arange(TIME) < 20).reshape(-1, *[1] * (leaf.ndim - 1)) for leaf in seen]
        filtered = run(device, Information(*map(jnp.asarray, gone)))
        mean, cov = run_ahead(filtered.mean[19], filtered.cov[19], device, TIME - 20)
    np.testing.assert_allclose(mean, filtered.mean[20:], atol=1e-13)
    np.testing.assert_allclose(cov, filtered.cov[20:], atol=1e-13)
