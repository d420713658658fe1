r"""One Fisher-scoring step of all regressions, with backtracking: the objective of none of them falls.

.. math::
    g = X^T (\gamma \cdot score) - \Lambda (\beta - m), \quad H = X^T diag(\gamma \cdot information) X + \Lambda, \quad
    \beta \leftarrow \beta + step \cdot H^{-1} g, \quad step \in \{1, .5, .1, 0\}.

Coefficients that all states share (a common bias, a common self-coupling) join the states of one target: the
information is an arrow of blocks, and what belongs to single states is eliminated first (Schur complement).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_factor, cho_solve
from jaxtyping import Array, Bool, Float

from neurolatent.models.hmmglm.families import AnyFamily
from neurolatent.models.hmmglm.rows import Rows, Totals, totals, value_of

STEPS = (0.5, 0.1)  # tried where the full one would lower the objective
JITTER = 1e-10  # relative to the mean curvature

Beta = Float[Array, "states targets coefficients"]


class Quadratic(NamedTuple):
    """A Gaussian prior of the coefficients, each for itself."""

    mean: Beta
    precision: Beta


class Layout(NamedTuple):
    """What the coefficients of one target are, the same for all states; compiled in."""

    free: Bool[np.ndarray, "targets coefficients"]  # False: held at zero
    common: Bool[np.ndarray, "targets coefficients"]  # shared by all states


def fisher_step(family: AnyFamily, beta: Beta, noise: Array, rows: Rows, *, prior: Quadratic, layout: Layout) -> Beta:
    """The coefficients after one step."""
    groups = rows.observed.shape[-1]
    found = totals(family, beta, noise, rows)
    grouped = lambda leaf: jnp.asarray(leaf).reshape(*leaf.shape[:-2], groups, -1)  # noqa: E731
    pull = grouped(prior.precision * (prior.mean - beta))
    free, common = grouped(layout.free), np.asarray(layout.common).reshape(groups, -1)
    direction = _direction(found, pull, grouped(prior.precision), free, common).reshape(beta.shape)
    ties = bool(common.any())

    def objective(value: Array, at: Beta) -> Array:
        penalised = value - 0.5 * grouped(prior.precision * (at - prior.mean) ** 2).sum(axis=-1)
        return penalised.sum(axis=0, keepdims=True) if ties else penalised

    before = objective(found.value, beta)
    per_target = lambda choice: jnp.repeat(choice, beta.shape[1] // groups, axis=1)[..., None]  # noqa: E731
    rises = lambda at: objective(value_of(family, at, noise, rows), at) >= before  # noqa: E731
    whole = beta + direction
    good = rises(whole)

    def search() -> Beta:
        best, done = jnp.where(per_target(good), whole, beta), good
        for step in STEPS:
            at = beta + step * direction
            helps = ~done & rises(at)
            best, done = jnp.where(per_target(helps), at, best), done | helps
        return best

    return jax.lax.cond(good.all(), lambda: whole, search)


def _direction(found: Totals, pull: Array, precision: Array, free: Array, common: np.ndarray) -> Array:
    """The Newton direction (states, groups, coefficients of the group); zero where a coefficient is not free."""
    keep = free.astype(pull.dtype)
    size = pull.shape[-1]
    identity = jnp.eye(size, dtype=pull.dtype)
    scale = jnp.trace(found.information, axis1=-2, axis2=-1)[..., None, None] / size
    full = found.information + precision[..., None] * identity + JITTER * (scale + 1e-12) * identity
    matrix = full * (keep[..., :, None] * keep[..., None, :]) + identity * (1 - keep[..., None])
    slope = (found.gradient + pull) * keep
    if not common.any():
        return _solve(matrix, slope)
    return _arrow(matrix, slope, common[0])


def _arrow(matrix: Array, slope: Array, common: np.ndarray) -> Array:
    """States tied by common coefficients: those of each state are eliminated, the rest is summed over states."""
    own, tied = np.flatnonzero(~common), np.flatnonzero(common)
    inner, mixed = matrix[..., own[:, None], own], matrix[..., own[:, None], tied]
    outer = matrix[..., tied[:, None], tied].sum(axis=0)
    factor = cho_factor(inner, lower=True)
    through = cho_solve(factor, mixed)
    reduced = outer - jnp.einsum("...ac,...ad->...cd", mixed, through).sum(axis=0)
    right = slope[..., tied].sum(axis=0) - jnp.einsum("...ac,...a->...c", through, slope[..., own]).sum(axis=0)
    shared = jnp.linalg.solve(reduced, right[..., None])[..., 0]
    rest = cho_solve(factor, slope[..., own][..., None])[..., 0] - jnp.einsum("...ac,...c->...a", through, shared)
    out = jnp.zeros_like(slope).at[..., own].set(rest)
    return out.at[..., tied].set(jnp.broadcast_to(shared, (*slope.shape[:-1], len(tied))))


def _solve(matrix: Array, right: Array) -> Array:
    return cho_solve(cho_factor(matrix, lower=True), right[..., None])[..., 0]
