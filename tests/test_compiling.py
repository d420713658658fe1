"""Programs that run once stay unoptimised on little data, and say the same as optimised ones."""

import contextlib
import logging
import warnings
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import compiling
from neurolatent.compiling import compiled, key_of, on_device
from neurolatent.precision import double


@contextlib.contextmanager
def capture() -> Iterator[list[str]]:
    """Messages of JAX's loggers."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("jax").addHandler(handler)
    try:
        yield said
    finally:
        logging.getLogger("jax").removeHandler(handler)


def curve(power: int, x: jnp.ndarray) -> jnp.ndarray:
    return jnp.sin(x) ** power


def test_size_alone_chooses_and_the_values_agree(monkeypatch):
    levels = []
    jit = compiling.jax.jit

    def spied(function, **settings):
        level = settings["compiler_options"].get("xla_backend_optimization_level")
        program = jit(function, **settings)
        return lambda *arguments: (levels.append(level), program(*arguments))[1]

    monkeypatch.setattr(compiling.jax, "jit", spied)
    monkeypatch.setattr(compiling, "LITTLE", 10)
    program = compiled(static=(0,), runs_once=True)(curve)
    little, much = np.linspace(0, 1, 9), np.linspace(0, 1, 10)
    np.testing.assert_allclose(program(3, little), np.sin(little) ** 3, rtol=1e-6)
    np.testing.assert_allclose(program(3, much), np.sin(much) ** 3, rtol=1e-6)
    np.testing.assert_allclose(compiled(static=(0,), lightly=True)(curve)(3, much), np.sin(much) ** 3, rtol=1e-6)
    assert levels == [0, None, 1]


@pytest.mark.parametrize("seed", [0, 7, 2**31, 2**40 + 3, -3])
def test_a_key_is_the_one_that_jax_makes(seed):
    with double():
        ours, theirs = key_of(seed), jax.random.key(seed)
        assert (jax.random.key_data(ours) == jax.random.key_data(theirs)).all()
    assert ours.dtype == theirs.dtype


def test_arrays_reach_the_device_with_their_types_and_no_program():
    tree = {"a": np.arange(7), "b": (np.zeros((2, 3), np.float32), np.zeros(3, bool))}
    with double(), jax.log_compiles(), warnings.catch_warnings(), capture() as said:
        warnings.simplefilter("error")
        got, _ = on_device(tree), key_of(5)
        compiled()(jnp.cos)(1.0)
    assert len([line for line in said if "Finished XLA compilation" in line]) == 1  # that of the cosine
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(got))
    assert jax.tree.map(lambda leaf: leaf.dtype, got) == jax.tree.map(lambda leaf: leaf.dtype, tree)
