"""The gradient of the evidence: expected counts, equal to autodiff and finite differences, and finite everywhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp

from neurolatent.ops import hmm
from tests.helpers import Chain, assert_trees_close, enumerate_paths, random_chain

LENGTHS = [6, 1, 0, 4]


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def weighted(initial, transition, log_emission, lengths):
    """Sequences count differently, so that a sum over them cannot hide a wrong one."""
    return hmm.log_evidence(initial, transition, log_emission, lengths) @ jnp.arange(1.0, 1.0 + len(lengths))


def plain(initial, transition, log_emission, lengths):
    """The forward pass in its textbook form, with -1e30 for what is impossible, for autodiff."""
    start = jnp.where(initial > 0, jnp.log(jnp.where(initial > 0, initial, 1.0)), -1e30)
    moves = jnp.where(transition > 0, jnp.log(jnp.where(transition > 0, transition, 1.0)), -1e30)
    total = 0.0
    for n, length in enumerate(LENGTHS):
        if length == 0:
            continue
        alpha = start[n] + log_emission[n, 0]
        for t in range(1, length):
            alpha = logsumexp(alpha[:, None] + moves, axis=0) + log_emission[n, t]
        total = total + (n + 1.0) * logsumexp(alpha)
    return total


slopes = jax.jit(jax.value_and_grad(weighted, argnums=(0, 1, 2)))
reference = jax.jit(jax.value_and_grad(plain, argnums=(0, 1, 2)))


@pytest.mark.parametrize("zeros", [0.0, 0.25])
def test_gradient_equals_autodiff_of_the_textbook_pass(zeros):
    compared = 0
    for seed in range(20):
        chain = random_chain(seed, 3, LENGTHS, zeros=zeros)
        scores = np.maximum(chain.log_emission, -1e30)
        if np.isneginf(enumerate_paths(chain).log_evidence).any():
            continue
        compared += 1
        chain = chain._replace(log_emission=scores).on_device()
        assert_trees_close(slopes(*chain), reference(*chain), atol=1e-9, rtol=1e-9)
    assert compared >= 5


def test_gradient_equals_finite_differences():
    chain = random_chain(8, 3, LENGTHS)
    chain.log_emission[0, 2, 1] = -1e30
    chain.transition[2] = [0.0, 0.4, 0.6]
    chain = chain.on_device()
    got = slopes(*chain)[1]
    for part in range(3):
        for index in np.argwhere((np.asarray(chain[part]) > 0) if part < 2 else np.asarray(chain[2]) > -1e29):
            up, down = (_moved(chain, part, tuple(index), step) for step in (1e-5, -1e-5))
            np.testing.assert_allclose(got[part][tuple(index)], (up - down) / 2e-5, rtol=1e-5, atol=1e-7)


def _moved(chain: Chain, part: int, index: tuple[int, ...], step: float):
    values = list(chain)
    values[part] = values[part].at[index].add(step)
    return slopes(*values)[0]


def test_gradient_at_zeros_is_zero():
    chain = random_chain(3, 3, LENGTHS)
    chain.transition[:] = [[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1]]
    chain.initial[:] = [1, 0, 0]
    chain.log_emission[0, 1, 0] = -np.inf
    _, (initial, transition, log_emission) = slopes(*chain.on_device())
    assert (np.asarray(initial)[:, 1:] == 0).all()
    assert (np.asarray(transition)[chain.transition == 0] == 0).all()
    assert log_emission[0, 1, 0] == 0


def test_impossible_data_have_a_gradient_of_zero():
    chain = random_chain(0, 3, LENGTHS)
    chain.log_emission[0, 2] = -np.inf
    value, parts = slopes(*chain.on_device())
    assert np.isneginf(value)
    assert all(np.isfinite(part).all() for part in parts)
    assert (np.asarray(parts[2])[0] == 0).all()
    assert (np.asarray(parts[2])[3, :4] != 0).any()


@pytest.mark.parametrize("spread", [1.0, 100.0, 1000.0])
def test_gradient_is_always_finite(spread):
    for seed in range(30):
        chain = random_chain(seed, 3, LENGTHS, zeros=0.3, spread=spread).on_device()
        assert all(np.isfinite(part).all() for part in slopes(*chain)[1])


def test_gradient_is_finite_where_linear_space_fails():
    chain = random_chain(0, 2, LENGTHS)
    chain.transition[:] = [[0.5, 0.5], [0.0, 1.0]]
    chain.log_emission[0] = [[-300, 0]] * 2 + [[0, -300]] * 4
    chain.log_emission[3, :4] = [[-1000, 0]] * 2 + [[0, -1000]] * 2
    assert_trees_close(slopes(*chain.on_device()), reference(*chain.on_device()), atol=1e-9, rtol=1e-9)
