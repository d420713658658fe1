"""The M-step: expected states become chain, coefficients, kernel, noise and lapses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurolatent.models.hmmglm import driven
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.inference import (
    Beliefs,
    coefficients,
    groups_of,
    regressors,
    with_coefficients,
    with_one,
)
from neurolatent.models.hmmglm.lapse import causes
from neurolatent.models.hmmglm.layout import layout_of, n_groups
from neurolatent.models.hmmglm.mstep import Quadratic, fisher_step
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.rows import Rows, block_size, end_to_end, in_blocks, predictor, summed, value_of
from neurolatent.models.hmmglm.sparse import newton_prior

Weight = Float[Array, "sequences time states"]
NOISE_SHAPE, NOISE_RATE = 1.0, 0.01  # inverse gamma of Gaussian variances; the rate in squared spreads of the data


def chain_prior(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Dirichlet concentrations of the initial distribution and of the rows of transitions."""
    kappa = (0.0 if model.is_choice else 50.0) if model.kappa is None else model.kappa
    first = np.full(model.n_states, 2.0 if model.learn_initial else 1.0)
    return first, np.full((model.n_states,) * 2, float(model.alpha)) + kappa * np.eye(model.n_states)


def update_chain(model: Any, params: HMMGLMParams, data: HMMGLMData, found: Beliefs) -> HMMGLMParams:
    """Modes of the initial distribution and of the transitions; a row without departures keeps its values."""
    first, rows = chain_prior(model)
    starts = (found.smoothed * (data.lengths > 0)[:, None, None])[:, 0].sum(axis=0) + (first - 1)
    initial = starts / starts.sum() if model.learn_initial else params.initial
    pseudo = jnp.asarray(rows - 1)
    if model.driven is not None:
        transition, drive = driven.update(
            params.transition,
            params.drive,
            data.inputs,
            found.pairs,
            pseudo=pseudo,
            precision=float(model.driven.sd) ** -2,
        )
        return params._replace(initial=initial, transition=transition, drive=drive)
    counts = found.jumps + pseudo
    total = counts.sum(axis=1, keepdims=True)
    transition = jnp.where(total > 1e-10, counts / jnp.maximum(total, 1e-300), params.transition)
    return params._replace(initial=initial, transition=transition)


def update_lapses(model: Any, params: HMMGLMParams, data: HMMGLMData, weight: Weight) -> tuple[HMMGLMParams, Weight]:
    """The lapses, and what they leave of every trial's weight for the regression."""
    if model.lapses is None:
        return params, weight
    rows = rows_of(model, params, data, weight)

    def share(block: Rows) -> tuple[Array, Array]:
        eta = predictor(coefficients(params), block.x, block.own)[..., 0]
        why = causes(eta, block.y[..., 0], params.lapse)
        seen = block.weight * block.observed
        parts = jnp.stack([why.to_one, why.to_zero, 1 - why.to_one - why.to_zero], axis=-1)
        return seen[..., None] * parts, block.weight * parts[..., 2]

    parts, left = jax.vmap(share)(rows)
    lapse = model.lapses.update(parts.sum(axis=(0, 1)))
    shape = weight.shape
    return params._replace(lapse=lapse), left.reshape(-1, shape[2])[: shape[0] * shape[1]].reshape(shape)


def update_regressions(
    model: Any, params: HMMGLMParams, data: HMMGLMData, weight: Weight, *, use_prior: bool, steps: int
) -> HMMGLMParams:
    """Fisher-scoring steps of all regressions under a normal prior, then the noise, then the kernel."""
    rows, layout = rows_of(model, params, data, weight), layout_of(model, data)
    prior = quadratic_of(model, params, data, use_prior=use_prior)

    def step(_: Array, beta: Array) -> Array:
        return fisher_step(model.family, beta, params.noise, rows, prior=prior, layout=layout)

    params = with_coefficients(params, jax.lax.fori_loop(0, steps, step, coefficients(params)))
    params = _update_noise(params, data, rows)
    return _update_kernel(model, params, data, weight) if params.kernel.shape[-1] else params


def rows_of(model: Any, params: HMMGLMParams, data: HMMGLMData, weight: Weight) -> Rows:
    """Every bin or trial as a row, in blocks."""
    x = regressors(params, data)
    groups, states, targets = n_groups(model, data), weight.shape[-1], data.y.shape[-1]
    n_rows, width = weight.shape[0] * weight.shape[1], x.shape[-1] + 1
    size = targets // groups
    wide = max(states * targets * max(size, data.own.shape[-1]), width * (width + 1) // 2)
    length = block_size(n_rows, wide)
    leaves = (
        with_one(x),
        data.own,
        data.y,
        groups_of(data.observed, groups),
        weight,
    )
    return Rows._make(in_blocks(end_to_end(leaf), length) for leaf in leaves)


def quadratic_of(model: Any, params: HMMGLMParams, data: HMMGLMData, *, use_prior: bool) -> Quadratic:
    """The normal prior of all coefficients; one that all states share is counted once, a share in each state."""
    states, targets = params.bias.shape
    mean, precision = newton_prior(model).quadratic(params)
    lags = (states, targets, data.own.shape[-1])
    taps = jnp.full(lags, float(model.taps_sd) ** -2 / (states if model.self_coupling == "shared" else 1))
    bias = jnp.full((states, targets, 1), model.spread_of_bias**-2 / (states if model.bias == "shared" else 1))
    centre = jnp.broadcast_to(jnp.asarray(data.centre)[:, None], (states, targets, 1))
    whole = jnp.concatenate([taps, precision, bias], axis=-1)
    return Quadratic(
        jnp.concatenate([jnp.zeros(lags), mean, centre], axis=-1), whole if use_prior else jnp.full_like(whole, 1e-8)
    )


def _update_noise(params: HMMGLMParams, data: HMMGLMData, rows: Rows) -> HMMGLMParams:
    """Mode of the variances of Gaussian targets under their inverse-gamma prior."""
    if params.noise.shape[-1] == 0:
        return params
    beta = coefficients(params)

    def one(block: Rows) -> tuple[Array, Array]:
        weight = block.weight[:, :, None] * block.observed[:, None, :]
        error = block.y[:, None, :] - predictor(beta, block.x, block.own)
        return (weight * error**2).sum(axis=0), weight.sum(axis=0)

    squares, count = summed(one, rows)
    rate = NOISE_RATE * jnp.asarray(data.scale) ** 2
    return params._replace(noise=jnp.sqrt((0.5 * squares + rate) / (0.5 * count + NOISE_SHAPE + 1)))


def _update_kernel(model: Any, params: HMMGLMParams, data: HMMGLMData, weight: Weight) -> HMMGLMParams:
    """One Fisher step of the kernel's logits, for the predictors are linear in the kernel; never downwards."""
    lags, targets = params.kernel.shape[0], data.y.shape[-1]
    n_rows = weight.shape[0] * weight.shape[1]
    raw = jnp.asarray(data.x[..., : lags * targets]).reshape(n_rows, lags, targets)
    seen = groups_of(data.observed, targets).reshape(n_rows, 1, targets) * weight.reshape(n_rows, -1, 1)
    through = jnp.einsum("son,tkn->tsok", params.weights[..., :targets], raw)
    rows = rows_of(model, params, data, weight)
    flat = [leaf.reshape(-1, *leaf.shape[2:])[:n_rows] for leaf in (rows.x, rows.own, rows.y)]
    eta = predictor(coefficients(params), flat[0], flat[1])
    score, information = model.family.slopes(eta, flat[2], params.noise)
    slope = jnp.einsum("tso,tsok->k", score[..., 0] * seen, through)
    curvature = jnp.einsum("tso,tsok,tsol->kl", information[..., 0, 0] * seen, through, through)
    jacobian = jnp.diag(params.kernel) - jnp.outer(params.kernel, params.kernel)
    inner = jacobian @ curvature @ jacobian + 1e-6 * (1 + jnp.trace(curvature) / lags) * jnp.eye(lags)
    direction = jnp.linalg.solve(inner, jacobian @ slope)
    logits, beta = jnp.log(params.kernel), coefficients(params)

    def value(kernel: Array) -> Array:
        moved = rows_of(model, params._replace(kernel=kernel), data, weight)
        return value_of(model.family, beta, params.noise, moved).sum()

    best, top = params.kernel, value(params.kernel)
    for step in (1.0, 0.5, 0.1):
        at = jnp.maximum(jax.nn.softmax(logits + step * direction), 1e-12)
        new = value(at / at.sum())
        best, top = jnp.where(new > top, at / at.sum(), best), jnp.maximum(new, top)
    return params._replace(kernel=best)
