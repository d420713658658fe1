"""States with trajectories integrated out, against the list of all paths and the dense law of each."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.ops.kalman import Information
from neurolatent.ops.kalman_draw import Chain
from neurolatent.ops.switching import Laws, draw_bin_by_bin
from tests.ops.test_kalman_draw import dense, spd

STATES, TIME, LATENT, MANY = 2, 5, 2, 20_000


def random_case(seed: int) -> tuple[Laws, Information, np.ndarray, np.ndarray]:
    rng, shape = np.random.default_rng(seed), (STATES, 2)
    laws = Laws(
        0.8 * rng.normal(size=(*shape, LATENT, LATENT)),
        rng.normal(size=(*shape, LATENT)),
        0.5 * spd(rng, LATENT, shape),
    )
    said = 0.5 * spd(rng, LATENT, (TIME, 2)) * (rng.random((TIME, 2)) < 0.8)[..., None, None]
    seen = Information(said, rng.normal(size=(TIME, 2, LATENT)) * (said[..., 0, 0] > 0)[..., None])
    return laws, seen, np.log(np.array([0.4, 0.6])), np.log(np.array([[0.8, 0.2], [0.3, 0.7]]))


def by_listing(case) -> np.ndarray:
    """Probability of every path of states: its own under the Markov chain, times the mean of g by the dense law."""
    laws, seen, log_initial, log_jumps = case
    logs = []
    for path in itertools.product(range(STATES), repeat=TIME - 1):
        at = list(path)
        total = log_initial[at[0]] + sum(log_jumps[a, b] for a, b in itertools.pairwise(at))
        weight = np.linalg.inv(laws.innovation[at])
        chain = Chain(
            np.zeros((2, LATENT)), np.tile(np.eye(LATENT), (2, 1, 1)), laws.transition[at], laws.shift[at], weight
        )
        logs.append(total + sum(dense(chain, seen, j)[2] for j in range(2)))
    found = np.exp(np.array(logs) - max(logs))
    return found / found.sum()


@jax.jit
def swept(case, key, start):
    """Paths after one pass, from paths with the law of the list."""

    def one(key, state):
        noise = jax.random.gumbel(key, (TIME - 1, STATES), jnp.zeros(()).dtype)
        return draw_bin_by_bin(noise, case[0], case[1], state, *case[2:])[0]

    return jax.vmap(one)(jax.random.split(key, len(start)), start)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_pass_leaves_the_law_of_all_paths_and_mixes_within_it(key, seed):
    case = random_case(seed)
    law = by_listing(case)
    paths = np.array(list(itertools.product(range(STATES), repeat=TIME - 1)), np.int32)
    code = lambda drawn: np.asarray(drawn) @ (STATES ** np.arange(TIME - 1)[::-1])  # noqa: E731
    start = np.random.default_rng(seed).choice(len(paths), MANY, p=law)
    with precision.double():
        on = jax.tree.map(jnp.asarray, case)
        after = code(swept(on, key, jnp.asarray(paths[start])))
        error = np.sqrt(law * (1 - law) / MANY)
        shares = np.bincount(after, minlength=len(paths)) / MANY
        assert (np.abs(shares - law) < 5 * error + 1e-9).all()
        assert (after != start).mean() > 0.3
        stuck = jnp.zeros((MANY, TIME - 1), jnp.int32)  # from one path a few passes reach the law
        for number in range(10):
            stuck = swept(on, jax.random.fold_in(key, number), stuck)
        shares = np.bincount(code(stuck), minlength=len(paths)) / MANY
        assert (np.abs(shares - law) < 5 * error + 0.003).all()
