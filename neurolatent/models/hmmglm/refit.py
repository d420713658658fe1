r"""The last phase of the one-hot model: with the types fixed, strengths and bias take Fisher-scoring steps.

The coordinates are :math:`r = \log \tilde W`, so that a strength stays positive: with :math:`W = s e^r` the slope is
W times that of the weight, and the information is multiplied by W on both sides.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.inference import coefficients, with_coefficients
from neurolatent.models.hmmglm.layout import layout_of
from neurolatent.models.hmmglm.mstep import climb, direction, grouped
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.rows import totals, value_of
from neurolatent.models.hmmglm.update import quadratic_of, rows_of


def refitted(
    model: Any, params: HMMGLMParams, data: HMMGLMData, weight: Array, *, log_strength: tuple[float, float]
) -> HMMGLMParams:
    """The parameters after one step.

    Args:
        log_strength: Mean and standard deviation of the normal prior of r.
    """
    rows, layout, beta = rows_of(model, params, data, weight), layout_of(model, data), coefficients(params)
    groups, lags, common = rows.observed.shape[-1], data.own.shape[-1], np.asarray(layout.common)
    is_weight = np.zeros(beta.shape[1:], bool)
    is_weight[:, lags:-1] = True
    sign = jnp.where(is_weight, jnp.sign(beta), 1.0)
    kept = jnp.asarray(layout.free) & (sign != 0)
    base = quadratic_of(model, params, data, use_prior=True)
    mean = jnp.where(is_weight, log_strength[0], base.mean)
    precision = jnp.where(is_weight, log_strength[1] ** -2, base.precision) * kept
    begin = jnp.where(is_weight, jnp.log(jnp.where(kept & is_weight, jnp.abs(beta), 1.0)), beta)
    beta_at = lambda r: jnp.where(is_weight, jnp.where(kept, sign * jnp.exp(r), 0.0), r)  # noqa: E731
    found = totals(model.family, beta, params.noise, rows)
    scale = grouped(jnp.where(is_weight, beta, 1.0), groups)
    bent = found._replace(
        gradient=found.gradient * scale, information=found.information * scale[..., :, None] * scale[..., None, :]
    )
    penalty = lambda r: grouped(-0.5 * precision * (r - mean) ** 2, groups).sum(axis=-1)  # noqa: E731
    value = lambda r: value_of(model.family, beta_at(r), params.noise, rows) + penalty(r)  # noqa: E731
    pull = grouped(precision * (mean - begin), groups)
    move = direction(bent, pull, grouped(precision, groups), grouped(kept, groups), common).reshape(beta.shape)
    after = climb(begin, move, value, found.value + penalty(begin), ties=bool(common.any()))
    updated = with_coefficients(params, beta_at(after))
    strength = jnp.where(params.types[..., 1] > 0.5, params.strength, jnp.abs(updated.weights))
    return updated._replace(strength=strength)
