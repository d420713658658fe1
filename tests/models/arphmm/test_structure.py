"""Masks of transitions, and the chain with tied sub-states against its entries written one by one."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.models.arphmm import ARPHMM
from neurolatent.models.arphmm.structure import (
    allowed_transitions,
    chain_mask,
    expand_initial,
    expand_transition,
    pool,
    pooled_jumps,
)
from tests.models.arphmm import twin


@pytest.mark.parametrize(
    ("transitions", "skip", "want"),
    [
        ("ergodic", 1, ["111", "111", "111"]),
        ("left_right", 1, ["111", "011", "001"]),
        ("bidiagonal", 1, ["110", "011", "001"]),
        ("left_right_skip", 0, ["110", "011", "001"]),
        ("left_right_skip", 1, ["111", "011", "001"]),
    ],
)
def test_masks(transitions, skip, want):
    got = allowed_transitions(transitions, 3, skip)
    np.testing.assert_array_equal(got, [[c == "1" for c in row] for row in want])


@pytest.mark.parametrize("n_substates", [1, 2, 3])
@pytest.mark.parametrize("transitions", ["ergodic", "bidiagonal"])
def test_the_expanded_chain(n_substates, transitions):
    model = ARPHMM(3, transitions=transitions, n_substates=n_substates)
    params = twin.random_params(0, model, 1)
    initial, transition = twin.expanded(params, n_substates)
    with precision.double():
        got = expand_transition(jnp.asarray(params.transition), jnp.asarray(params.advance), n_substates)
        np.testing.assert_allclose(got, transition, atol=1e-15)
        np.testing.assert_allclose(np.asarray(got).sum(axis=1), 1.0)
        np.testing.assert_allclose(expand_initial(jnp.asarray(params.initial), n_substates), initial)
    np.testing.assert_array_equal(chain_mask(model.allowed, n_substates), transition > 0)


def test_jumps_are_pooled_one_by_one():
    k, r = 3, 2
    jumps = np.random.default_rng(0).uniform(size=(k * r, k * r))
    with precision.double():
        got = pooled_jumps(jnp.asarray(jumps), r)
    want = {name: np.zeros(k) for name in ("inner_stays", "last_stays", "advances")} | {"leaves": np.zeros((k, k))}
    for (a, i), (b, j) in itertools.product(itertools.product(range(k), range(r)), repeat=2):
        value = jumps[a * r + i, b * r + j]
        if a == b and i == j:
            want["last_stays" if i == r - 1 else "inner_stays"][a] += value
        elif a == b and j == i + 1:
            want["advances"][a] += value
        elif a != b and i == r - 1 and j == 0:
            want["leaves"][a, b] += value
    for name, values in want.items():
        np.testing.assert_allclose(getattr(got, name), values, err_msg=name)


def test_probabilities_of_substates_add_up():
    np.testing.assert_allclose(pool(jnp.arange(6.0), 2), [1.0, 5.0, 9.0])
