"""The recurrence in blocks against the loop that it stands for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.ops.recurrence import SPAN, linear_recurrence

run = jax.jit(linear_recurrence)


@pytest.mark.parametrize(("time", "latent"), [(0, 2), (1, 3), (5, 4), (SPAN, 1), (301, 4), (64, 2), (7, SPAN + 2)])
def test_blocks_are_the_loop(time, latent):
    rng = np.random.default_rng(time)
    matrix = 0.97 * np.linalg.qr(rng.normal(size=(latent, latent)))[0]
    start, push = rng.normal(size=latent), rng.normal(size=(time, latent))
    state, want = start, []
    for own in push:
        state = matrix @ state + own
        want.append(state)
    with precision.double():
        got = run(jnp.asarray(matrix), jnp.asarray(start), jnp.asarray(push))
    np.testing.assert_allclose(got, np.reshape(want, (time, latent)), atol=1e-12)
