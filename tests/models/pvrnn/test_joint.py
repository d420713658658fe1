"""The gradient that is written by hand is that of automatic differentiation."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.models.pvrnn.joint import Followed, follow, joint_of, posterior_belief, run, side_by_side
from tests.models.pvrnn import twin

COUNT, TIME = 2, 4
STILL = dataclasses.replace(twin.MODELS["both, free, symbols"], deterministic=True)


@functools.partial(jax.jit, static_argnums=(0, 1))
def slopes(model, by_hand, given, weights):
    """Gradients of a weighted sum of the whole trajectory, by joint weights, start and rows."""
    drawn = given[3]

    def loss(joint, begin, rows):
        if by_hand:
            way = follow(model, joint, begin, rows, drawn)
        else:
            way = run(model, joint, begin, (rows, drawn), posterior_belief)
        return sum(jnp.sum(a * b) for a, b in zip(way, weights, strict=True))

    return jax.grad(loss, argnums=(0, 1, 2))(*given[:3])


@pytest.mark.parametrize(
    "model",
    [twin.MODELS["three layers"], STILL],
    ids=["top-down, state", "both, free, deterministic"],
)
def test_the_way_back_is_that_of_automatic_differentiation(model):
    rng = np.random.default_rng(0)
    params = twin.random_params(model, 1, COUNT, TIME)
    is_state = model.posterior_form == "state"
    maps = [(p.posterior, p.posterior_bias) for p in params.layers] if is_state else None
    units, latent = (sum(getattr(layer, name) for layer in model.layers) for name in ("units", "latent"))
    with precision.double():
        rows = 3 * jnp.swapaxes(side_by_side(params.adaptive), 0, 1)
        rows = rows.at[1, 0, -1].set(-20.0).at[2, 1, -1].set(20.0)  # beyond both limits of the clip
        begin, drawn = rng.normal(size=(COUNT, units)), rng.normal(size=(TIME, COUNT, latent))
        joint = jax.tree.map(jnp.asarray, joint_of(model, params.layers, maps))
        given = (joint, jnp.asarray(begin), rows, jnp.asarray(drawn))
        weights = Followed(*(rng.normal(size=(TIME, COUNT, k)) for k in (latent, latent, latent, units)))
        got, want = (slopes(model, by_hand, given, weights) for by_hand in (True, False))
    for a, b in zip(jax.tree.leaves(without_rate(got)), jax.tree.leaves(without_rate(want)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def without_rate(found):
    """Time constants are chosen, not learned: by hand they have no gradient."""
    joint, begin, rows = found
    return joint._replace(rate=0.0), begin, rows
