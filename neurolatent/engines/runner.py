"""Compiled work in chunks: between them progress is shown, a checkpoint is written and Ctrl-C is honoured."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax

from neurolatent.choices import Run
from neurolatent.engines import checkpoint

State = Any  # the engine's own NamedTuple of arrays


class Loop(NamedTuple):
    """A loop that can be stopped between any two of its steps and gives the same result however it is cut."""

    advance: Callable[[State, int], State]  # so many steps more
    done: Callable[[State], int]  # steps taken, out of total
    is_finished: Callable[[State], bool]
    words: Callable[[State], str]  # shown beside the progress
    total: int
    title: str


class Ended(NamedTuple):
    """How a loop ended."""

    state: Any
    interrupted: bool
    compile_seconds: float
    run_seconds: float


def run_loop(loop: Loop, state: State, run: Run, identity: dict[str, Any]) -> Ended:
    """Run a loop to its end, or to Ctrl-C, from its start or from a checkpoint.

    Args:
        identity: What a checkpoint must agree in: model, engine, data fingerprint, seed, versions.
    """
    folder = None if run.folder is None else Path(run.folder) / "checkpoint"
    if folder is not None and run.resume:
        former = checkpoint.read(folder, state, identity)
        state = state if former is None else former
    begin = time.perf_counter()
    state = jax.block_until_ready(loop.advance(state, 0))  # no step: compiles
    compiled = time.perf_counter()
    size, interrupted, written = 1, False, compiled
    with _stop_flag() as stop, _progress(loop, quiet=run.quiet) as show:
        while not loop.is_finished(state):
            before, steps = time.perf_counter(), loop.done(state)
            state = jax.block_until_ready(loop.advance(state, size))
            seconds = max(time.perf_counter() - before, 1e-6)
            show(state)
            speed = max(loop.done(state) - steps, 1) / seconds
            size = max(1, min(4 * size, int(speed * run.chunk_seconds), loop.total))
            interrupted = stop.is_set() and not loop.is_finished(state)
            if folder is not None and (interrupted or time.perf_counter() - written > run.chunk_seconds):
                checkpoint.write(folder, state, identity)
                written = time.perf_counter()
            if interrupted:
                break
    return Ended(state, interrupted, compiled - begin, time.perf_counter() - compiled)


@contextlib.contextmanager
def _stop_flag() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets; a second Ctrl-C interrupts at once. Only the main thread can listen."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    former = signal.getsignal(signal.SIGINT)

    def listen(number: int, frame: Any) -> None:
        if flag.is_set():
            raise KeyboardInterrupt
        flag.set()

    signal.signal(signal.SIGINT, listen)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, former)


@contextlib.contextmanager
def _progress(loop: Loop, *, quiet: bool) -> Iterator[Callable[[State], None]]:
    if quiet:
        yield lambda state: None
        return
    from rich.console import Console  # here: a quiet fit does not need it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[words]}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(loop.title, total=loop.total, words="")

        def show(state: State) -> None:
            bar.update(task, completed=loop.done(state), words=loop.words(state))

        yield show
