"""A small network on the last axis of its input: ELU after every layer but the last, plain arrays by name."""

import functools
from collections import namedtuple
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float


@functools.cache
def network_kind(n_layers: int) -> Any:
    """The named tuple of a network of so many layers: ``weight_0``, ``bias_0``, ``weight_1``, ..."""
    fields = [f"{part}_{n}" for n in range(n_layers) for part in ("weight", "bias")]
    return namedtuple(f"Network{n_layers}", fields)  # noqa: PYI024 - its fields depend on the number of layers


def make_network(sizes: tuple[int, ...], generator: np.random.Generator, *, last: float = 1.0) -> Any:
    """Random weights of variance one over the inputs, biases 0.

    Args:
        sizes: Of input, hidden layers and output; fewer than two make a network without layers.
        last: Factor of the weights of the last layer; a small one lets the network begin near 0.
    """
    layers = []
    for n, (rows, columns) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        factor = last if n == len(sizes) - 2 else 1.0
        layers += [factor * generator.normal(size=(rows, columns)) / np.sqrt(max(rows, 1)), np.zeros(columns)]
    return network_kind(len(layers) // 2)(*layers)


def apply_network(network: Any, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
    """The output of a network."""
    for n in range(0, len(network), 2):
        x = x @ network[n] + network[n + 1]
        x = jax.nn.elu(x) if n < len(network) - 2 else x
    return x
