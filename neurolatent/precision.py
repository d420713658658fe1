"""The one scope for double precision, opened at every public entrance and never by a global switch.

JAX's scope is local to a thread: a worker that computes must open it for itself.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def double() -> AbstractContextManager[None]:
    """A context in which JAX computes in 64 bit, in this thread only."""
    import jax  # here, so that importing a public entrance does not load JAX

    return jax.enable_x64(True)


def single() -> AbstractContextManager[None]:
    """A context in which JAX computes in 32 bit, in this thread only: networks need no more and are twice as fast."""
    import jax  # as above

    return jax.enable_x64(False)


def in_double(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, run in double precision whatever the caller's setting."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with double():
            return function(*args, **kwargs)

    return wrapped
