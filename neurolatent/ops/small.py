"""Many small matrices at once, row by row: no call of LAPACK, so that a loop over them becomes one native loop.

The loops over rows run while a program is traced: for matrices of up to about six rows. Why ``jnp.linalg`` is not used
for a batch stands in :mod:`neurolatent.ops.spd`.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def _stacked(rows: list[list[Array]]) -> Array:
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def cholesky(matrix: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    """The lower triangular root of symmetric positive definite matrices; NaN where one is not."""
    size, zero = matrix.shape[-1], jnp.zeros_like(matrix[..., 0, 0])
    rows: list[list[Array]] = [[zero] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            left = matrix[..., i, j] - sum((rows[i][k] * rows[j][k] for k in range(j)), zero)
            rows[i][j] = jnp.sqrt(left) if i == j else left / rows[j][j]
    return _stacked(rows)


def lower_inverse(lower: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    """The inverse of lower triangular matrices."""
    size, zero = lower.shape[-1], jnp.zeros_like(lower[..., 0, 0])
    rows: list[list[Array]] = [[zero] * size for _ in range(size)]
    for i in range(size):
        rows[i][i] = 1 / lower[..., i, i]
        for j in range(i):
            rows[i][j] = -rows[i][i] * sum((lower[..., i, k] * rows[k][j] for k in range(j, i)), zero)
    return _stacked(rows)


def transposed(matrix: Float[Array, "*batch n m"]) -> Float[Array, "*batch m n"]:
    """The last two axes exchanged."""
    return jnp.swapaxes(matrix, -1, -2)


def product(left: Float[Array, "*batch n k"], right: Float[Array, "*batch k m"]) -> Float[Array, "*batch n m"]:
    """The matrix product as sums of elementwise products, which fuse with what stands around them."""
    return (left[..., :, :, None] * right[..., None, :, :]).sum(axis=-2)


def applied(matrix: Float[Array, "*batch n k"], vector: Float[Array, "*batch k"]) -> Float[Array, "*batch n"]:
    """The matrix applied to a vector, in the same form."""
    return (matrix * vector[..., None, :]).sum(axis=-1)


def is_within_radius(matrix: Float[Array, "*batch n n"], radius: float) -> Bool[Array, "*batch"]:
    r"""Whether all eigenvalues are smaller than ``radius`` in modulus.

    The characteristic polynomial by Faddeev and LeVerrier, :math:`c_k = -tr(A M_k)/k,\ M_{k+1} = A M_k + c_k I`; its
    roots lie in the unit circle if and only if all reflection coefficients of Schur and Cohn's recursion do.
    """
    size, scaled = matrix.shape[-1], matrix / radius
    inner, polynomial = jnp.broadcast_to(jnp.eye(size, dtype=matrix.dtype), matrix.shape), []
    for k in range(1, size + 1):
        step = product(scaled, inner)
        polynomial.append(-jnp.trace(step, axis1=-2, axis2=-1) / k)
        inner = step + polynomial[-1][..., None, None] * jnp.eye(size, dtype=matrix.dtype)
    coefficients, good = [jnp.ones_like(polynomial[0]), *polynomial], jnp.ones(matrix.shape[:-2], bool)
    while len(coefficients) > 1:
        reflection = coefficients[-1]
        good &= jnp.abs(reflection) < 1
        scale = jnp.where(good, 1 - reflection**2, 1.0)
        coefficients = [
            (c - reflection * r) / scale for c, r in zip(coefficients[:-1], coefficients[:0:-1], strict=True)
        ]
    return good
