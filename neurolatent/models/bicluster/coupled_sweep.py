"""One sweep with laws that couple the clusters; see :mod:`neurolatent.models.bicluster.coupled` for what it leaves.

States are drawn in one block given the trajectories, not bin by bin with these integrated out, and scales of
coordinates and of innovations have no moves of their own. While the warm-up settles, laws are those of single
clusters, as in the default sampler, and clusters and states are arranged anew as there.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PRNGKeyArray

from neurolatent.models.bicluster import coupled
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams, Moves
from neurolatent.models.bicluster.rearrange import are_held, rearranged
from neurolatent.models.bicluster.sweep import UPDATES, Course, augmented_draws, components_of, courses, partition


def sweep(
    model: Any, params: BiclusterParams, data: BiclusterData, key: PRNGKeyArray, settling: Float[Array, ""]
) -> tuple[BiclusterParams, Moves]:
    """The next draw.

    Args:
        settling: From 1 at the first sweep of warm-up to 0 where nothing is arranged anew any more.
    """
    key_sweep, key_merge = jax.random.split(key)
    keys = jax.random.split(key_sweep, UPDATES)

    def apart() -> Course:
        course = courses(model, coupled.blocks_of(params), data, keys, are_held(settling))
        return course._replace(params=coupled.uncoupled(course.params))

    course = jax.lax.cond(settling > 0, apart, lambda: _together(model, params, data, keys))
    before = coupled.blocks_of(course.params)
    after, moves = partition(model, course._replace(params=before), data, keys)
    after = jax.lax.cond(settling > 0, lambda: rearranged(model, after, data, key_merge, settling), lambda: after)
    return coupled.joined(course.params, after, coupled.are_same(before, after)), moves


def _together(model: Any, params: BiclusterParams, data: BiclusterData, keys: Key[Array, " update"]) -> Course:
    """Trajectories, coefficients, laws and states of one sweep."""
    params = augmented_draws(model, params, data, keys[0], held=True, draw=coupled.draw_trajectories)
    params = coupled.translate(model, params, keys[1])
    components, concerned = components_of(model, params, keys)
    params, spare = coupled.draw_laws(model, params, concerned, keys[2])
    params = params._replace(state=coupled.draw_states_given_paths(params, keys[3]))
    return Course(params, components, spare, (jnp.ones(()), jnp.ones(())), jnp.zeros((), params.offset.dtype))
