"""The one way in which our programs are compiled: quickly, because compile time is the user's time.

XLA's newer emitters of fused loops on the CPU double the compile time of our recursions and make them no faster: with
jaxlib 0.10.2 an EM step of an ARHMM (K = 4, T = 5,000) compiles in 1.5 s with them and 0.7 s without, and runs in 1.2
and 1.1 ms. Later versions cannot do without them.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax

F = TypeVar("F", bound=Callable[..., Any])

LAST_WITH_OPTION = (0, 10)
OPTIONS = {"xla_cpu_use_fusion_emitters": False}


def compiled(*, static: Sequence[int] = ()) -> Callable[[F], F]:
    """A decorator like ``jax.jit`` for programs that are called from Python, not from other programs.

    Args:
        static: Positions of arguments that are compiled into the program.
    """
    options = OPTIONS if jax.__version_info__[:2] <= LAST_WITH_OPTION else None

    def decorate(function: F) -> F:
        return jax.jit(function, static_argnums=tuple(static), compiler_options=options)  # type: ignore[return-value]

    return decorate
