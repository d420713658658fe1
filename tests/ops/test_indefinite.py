"""The discriminative step against its equations with explicit inverses, and the three rules on indefinite cases."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import eigh, solve_discrete_lyapunov

from neurolatent import precision
from neurolatent.ops.indefinite import Rule, discriminative, discriminative_constant, first_bin, robust
from neurolatent.ops.kalman import Dynamics, Information, update
from tests.ops.test_kalman import random_dynamics, run, spd, textbook

CASES, LATENT = 1000, 3


@functools.cache
def random_bins() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Regressions, noises about as large as S, and predictions of each bin."""
    rng = np.random.default_rng(0)
    stationary = spd(rng, LATENT)
    noise = np.stack([0.4 * spd(rng, LATENT) for _ in range(CASES)])
    return (
        rng.normal(size=(CASES, LATENT)),
        noise,
        stationary,
        rng.normal(size=(CASES, LATENT)),
        np.stack([spd(rng, LATENT) for _ in range(CASES)]),
    )


@functools.partial(jax.jit, static_argnames="rule")
def step(f, q, s, m, cov, *, rule):
    said = discriminative(f, q, s, rule=rule) if rule is not None else robust(f, q)
    return jax.vmap(update)(m, cov, said.seen), said


run_constant = jax.jit(discriminative_constant, static_argnames="rule")
run_first = jax.jit(first_bin)


def by_inverses(f, q, s, m, cov, rule: Rule | None) -> tuple[np.ndarray, np.ndarray, float, bool]:
    """One step as the specification writes it: posterior and log p(x | past) - log p(x)."""
    inv, log_det = np.linalg.inv, lambda a: np.linalg.slogdet(a)[1]
    bad = bool(np.linalg.eigvalsh(inv(q) - inv(s)).min() < 0)
    prior, log_s = inv(s), log_det(s)
    if rule is None or (bad and rule is Rule.ROBUST):
        prior, log_s = np.zeros_like(s), 0.0
    elif bad and rule is Rule.SHRINK:
        q = inv(inv(q) + inv(s))
    elif bad:
        values, vectors = eigh(q, s)
        q = inv(vectors @ np.diag(1 / np.minimum(values, 1)) @ vectors.T)
    after = inv(inv(q) + inv(cov) - prior)
    mean = after @ (inv(q) @ f + inv(cov) @ m)
    gain = 0.5 * (log_s - log_det(q) - log_det(cov) + log_det(after))
    return mean, after, gain - 0.5 * (f @ inv(q) @ f + m @ inv(cov) @ m - mean @ inv(after) @ mean), bad


@pytest.mark.parametrize("rule", [None, *Rule])
def test_each_rule_is_its_equation(rule):
    bins = random_bins()
    with precision.double():
        (mean, cov, gain), said = jax.device_get(step(*map(jnp.asarray, bins), rule=rule))
    f, q, s, m, before = bins
    assert (np.linalg.eigvalsh(cov) > 0).all()
    for n in range(0, CASES, 7):
        want = by_inverses(f[n], q[n], s, m[n], before[n], rule)
        np.testing.assert_allclose(mean[n], want[0], rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(cov[n], want[1], rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(gain[n] + said.log_factor[n], want[2], rtol=1e-7, atol=1e-8)
        assert rule is None or said.indefinite[n] == want[3]
    assert rule is None or 0.2 < said.indefinite.mean() < 0.999


def test_robust_and_shrink_agree_in_the_covariance_and_all_rules_where_nothing_is_wrong():
    with precision.double():
        bins = list(map(jnp.asarray, random_bins()))
        found = {rule: jax.device_get(step(*bins, rule=rule)) for rule in Rule}
    (first, said), (second, _), (third, _) = (found[rule] for rule in Rule)
    np.testing.assert_allclose(first[1], second[1], rtol=1e-9)
    fine = ~said.indefinite
    assert fine.sum() > 10
    for other in (second, third):
        np.testing.assert_allclose(first[0][fine], other[0][fine], rtol=1e-9, atol=1e-10)


def test_an_observation_that_says_nothing_changes_nothing():
    _, _, s, m, cov = random_bins()
    with precision.double():
        for rule in Rule:
            (mean, after, gain), said = step(
                jnp.zeros((CASES, LATENT)), jnp.asarray(np.tile(s, (CASES, 1, 1))), *map(jnp.asarray, (s, m, cov)),
                rule=rule,
            )  # fmt: skip
            np.testing.assert_allclose(mean, m, atol=1e-10)
            np.testing.assert_allclose(after, cov, rtol=1e-9)
            np.testing.assert_allclose(gain + said.log_factor, 0.0, atol=1e-10)
            assert not said.indefinite.any()


@pytest.mark.parametrize("seed", range(2))
def test_the_kalman_filter_is_a_special_case(seed):
    rng = np.random.default_rng(seed)
    base = random_dynamics(rng, LATENT)
    stationary = solve_discrete_lyapunov(base.transition, base.innovation)
    dynamics = Dynamics(base.transition, base.innovation, np.zeros(LATENT), stationary)
    x, emission, noise = rng.normal(size=(40, 6)), rng.normal(size=(6, LATENT)), spd(rng, 6)
    q = np.linalg.inv(np.linalg.inv(stationary) + emission.T @ np.linalg.inv(noise) @ emission)
    f = x @ np.linalg.inv(noise) @ emission @ q
    want = textbook(dynamics, x, emission, noise)
    marginal = np.array([_log_normal(row, emission @ stationary @ emission.T + noise) for row in x])
    with precision.double():
        device = jax.tree.map(jnp.asarray, dynamics)
        for rule in Rule:
            said, _ = run_constant(*map(jnp.asarray, (f, q, stationary)), rule=rule)
            got = run(device, said.seen)
            np.testing.assert_allclose(got.mean, want[0], atol=1e-12)
            np.testing.assert_allclose(got.cov, want[1], atol=1e-12)
            np.testing.assert_allclose(got.log_increments + said.log_factor, want[2] - marginal, atol=1e-10)
        start = run_first(*map(jnp.asarray, (f[0], q, stationary)))
        seen = Information(said.seen.precision.at[0].set(start.precision), said.seen.shift.at[0].set(start.shift))
        np.testing.assert_allclose(run(device, seen).mean, got.mean, atol=1e-10)


def _log_normal(x: np.ndarray, cov: np.ndarray) -> float:
    return -0.5 * (x @ np.linalg.solve(cov, x) + np.linalg.slogdet(2 * np.pi * cov)[1])


def test_another_basis_of_the_state_maps_the_answer():
    f, q, s, m, cov = random_bins()
    turn = np.random.default_rng(5).normal(size=(LATENT, LATENT))
    moved = [f @ turn.T, turn @ q @ turn.T, turn @ s @ turn.T, m @ turn.T, turn @ cov @ turn.T]
    with precision.double():
        for rule in (None, *Rule):
            (mean, after, gain), said = step(*map(jnp.asarray, (f, q, s, m, cov)), rule=rule)
            (mean_, after_, gain_), said_ = step(*map(jnp.asarray, moved), rule=rule)
            scale = max(1.0, float(np.abs(mean_).max()))
            np.testing.assert_allclose(mean_, mean @ turn.T, atol=1e-8 * scale)
            np.testing.assert_allclose(after_, turn @ np.asarray(after) @ turn.T, rtol=1e-6, atol=1e-8)
            np.testing.assert_array_equal(said_.indefinite, said.indefinite)
