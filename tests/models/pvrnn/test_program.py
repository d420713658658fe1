"""The NumPyro program against the objective that the engine climbs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from numpyro.infer import Trace_ELBO, TraceMeanField_ELBO

from neurolatent import precision
from neurolatent.models.pvrnn.program import guide, program
from tests.models.pvrnn.test_loss import loss, material

COUNT, TIME = 3, 6


@functools.partial(jax.jit, static_argnums=(0, 1))
def minus_elbo(elbo, model, params, data, key, rows=None):
    found = elbo.loss(key, {}, program_of(model), guide_of(model), params, data, rows)
    drawn = handlers.trace(handlers.seed(guide_of(model), jax.random.split(key)[1])).get_trace(params, data, rows)
    return found, [drawn[f"noise_{n}"]["value"] for n in range(1, len(model.layers) + 1)]


def program_of(model):
    return functools.partial(program, model)


def guide_of(model):
    return functools.partial(guide, model)


@pytest.mark.parametrize("elbo", [Trace_ELBO(), TraceMeanField_ELBO()], ids=["trace", "mean field"])
@pytest.mark.parametrize("name", ["top-down, state", "both, free, symbols"])
def test_the_program_has_the_same_loss(name, elbo):
    model, params, data, _ = material(name)
    with precision.double():
        got, noise = minus_elbo(elbo, model, params, data, jax.random.key(4))
        noise = tuple(jnp.swapaxes(n, 0, 1) for n in noise)
        want = loss(model, params, data, noise)[0].sum()
    np.testing.assert_allclose(got, want, rtol=1e-10)


def test_a_subsample_is_right_on_average():
    model, params, data, _ = material("top-down, state")
    pairs = [jnp.array(p) for p in ((0, 1), (0, 2), (1, 2))]
    with precision.double():
        elbo = Trace_ELBO()
        still = params._replace(
            adaptive=type(params.adaptive)(
                *(np.where(np.arange(a.shape[-1]) < a.shape[-1] // 2, a, -40.0) for a in params.adaptive)
            )
        )
        whole, _ = minus_elbo(elbo, model, still, data, jax.random.key(4))
        parts = [minus_elbo(elbo, model, still, data, jax.random.key(4), rows)[0] for rows in pairs]
        mean = np.mean([float(p) for p in parts])
    np.testing.assert_allclose(mean, whole, rtol=2e-3)  # the posterior is narrow, so that the noise hardly counts
