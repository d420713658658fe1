"""The one way in which our programs are compiled: quickly, because compile time is the user's time.

XLA's newer emitters of fused loops on the CPU double the compile time of our recursions and make them no faster: with
jaxlib 0.10.2 an EM step of an ARHMM (K = 4, T = 5,000) compiles in 1.5 s with them and 0.7 s without, and runs in 1.2
and 1.1 ms. Later versions cannot do without them.

A program that runs once on little data is not worth optimising: without it the latent quantities of the same ARHMM take
half the processor time to compile, and 15 instead of 5 ms to run. That counts where the cores are busy; on idle ones
the whole fit gains 3 %.

A program of many small operations beside products of matrices gains little from the last rounds of optimising: at the
first level the climb of Poisson GPFA compiles in 2.9 s of the processor, not 4.0 (ten times the trials: 4.5, not 5.8),
and its epochs take no longer (2.3 ms both; ten times the bins 320 and 330 ms). A sweep of the bi-clustering
compiles in 49 s of the processor, not 70 (busy cores), and takes no longer either.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

F = TypeVar("F", bound=Callable[..., Any])

LAST_WITH_OPTION = (0, 10)
OPTIONS = {"xla_cpu_use_fusion_emitters": False} if jax.__version_info__[:2] <= LAST_WITH_OPTION else {}
UNOPTIMISED = {"xla_backend_optimization_level": 0}
LIGHTLY = {"xla_backend_optimization_level": 1}
LITTLE = 500_000  # numbers in the arguments: below it optimising costs more than it saves in one run; ours, 2 cores


def on_device(tree: Any) -> Any:
    """Arrays as JAX arrays, without the program that ``jnp.asarray`` compiles for each shape (20 ms of each one)."""
    return jax.tree.map(jax.device_put, tree)


def key_of(seed: int) -> PRNGKeyArray:
    """The key that ``jax.random.key`` makes of a seed, without compiling its program."""
    words = np.array([seed >> 32 & 0xFFFFFFFF, seed & 0xFFFFFFFF], np.uint32)
    return jax.random.wrap_key_data(jax.device_put(words), impl="threefry2x32")


def compiled(*, static: Sequence[int] = (), runs_once: bool = False, lightly: bool = False) -> Callable[[F], F]:
    """A decorator like ``jax.jit`` for programs that are called from Python, not from other programs.

    Args:
        static: Positions of arguments that are compiled into the program.
        runs_once: Leave it unoptimised where the arguments are small. The choice depends on their shapes alone, so that
            a result can be repeated.
        lightly: Optimise it at the first level alone.
    """
    options = {**OPTIONS, **LIGHTLY} if lightly else OPTIONS

    def decorate(function: F) -> F:
        full = jax.jit(function, static_argnums=tuple(static), compiler_options=options)
        if not runs_once:
            return full  # type: ignore[return-value]
        quick = jax.jit(function, static_argnums=tuple(static), compiler_options={**OPTIONS, **UNOPTIMISED})

        @functools.wraps(function)
        def run(*arguments: Any) -> Any:
            dynamic = [a for n, a in enumerate(arguments) if n not in static]
            size = sum(np.size(leaf) for leaf in jax.tree.leaves(dynamic))
            return (quick if size < LITTLE else full)(*arguments)

        return run  # type: ignore[return-value]

    return decorate
