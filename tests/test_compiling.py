"""Programs that run once stay unoptimised on little data, and say the same as optimised ones."""

import jax.numpy as jnp
import numpy as np

from neurolatent import compiling
from neurolatent.compiling import compiled


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
    assert levels == [0, None]
