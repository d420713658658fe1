"""Chunks, Ctrl-C and progress, on a loop that only counts."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import pytest

from neurolatent.choices import Run
from neurolatent.engines import checkpoint
from neurolatent.engines.runner import Loop, run_loop


class Count(NamedTuple):
    steps: jnp.ndarray


def counting(total: int, *, pause: float = 0.0, calls: list | None = None) -> Loop:
    def advance(state: Count, n: int) -> Count:
        time.sleep(pause * n)
        if calls is not None:
            calls.append(n)
        return Count(jnp.minimum(state.steps + n, total))

    return Loop(advance, lambda s: int(s.steps), lambda s: int(s.steps) >= total, lambda s: "words", total, "count")


def start() -> Count:
    return Count(jnp.zeros((), int))


def test_first_call_takes_no_step_and_chunks_grow_to_the_wanted_time():
    calls: list[int] = []
    ended = run_loop(counting(400, pause=1e-3, calls=calls), start(), Run(chunk_seconds=0.05), {})
    assert int(ended.state.steps) == 400
    assert not ended.interrupted
    assert calls[:2] == [0, 1]
    assert all(after <= 4 * before for before, after in zip(calls[1:], calls[2:], strict=False))
    assert max(calls) <= 50


def interrupt_soon(after: float = 0.15) -> None:
    threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT)).start()


def test_interrupt_returns_what_is_there_and_leaves_a_checkpoint(tmp_path):
    former = signal.getsignal(signal.SIGINT)
    interrupt_soon()
    ended = run_loop(counting(10**6, pause=1e-3), start(), Run(folder=tmp_path, chunk_seconds=0.02), {"seed": 1})
    assert ended.interrupted
    assert 0 < int(ended.state.steps) < 10**6
    assert signal.getsignal(signal.SIGINT) is former
    kept = checkpoint.read(tmp_path / "checkpoint", start(), {"seed": 1})
    assert int(kept.steps) == int(ended.state.steps)


def test_second_interrupt_stops_at_once():
    interrupt_soon(0.1)
    interrupt_soon(0.2)
    with pytest.raises(KeyboardInterrupt):
        run_loop(counting(10**6, pause=0.5), start(), Run(), {})


def test_interrupt_at_the_very_end_is_no_interruption():
    def advance(state: Count, n: int) -> Count:
        os.kill(os.getpid(), signal.SIGINT) if n else None
        return Count(state.steps + n)

    loop = counting(1)._replace(advance=advance)
    assert not run_loop(loop, start(), Run(), {}).interrupted


def test_a_thread_runs_without_listening():
    out = []
    worker = threading.Thread(target=lambda: out.append(run_loop(counting(5), start(), Run(), {})))
    worker.start()
    worker.join()
    assert int(out[0].state.steps) == 5


def test_progress_goes_to_standard_error(capsys):
    run_loop(counting(3), start(), Run(quiet=False), {})
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "count" in shown.err


def test_resume_without_a_checkpoint_starts_afresh(tmp_path: Path):
    ended = run_loop(counting(3), start(), Run(folder=tmp_path, resume=True), {})
    assert int(ended.state.steps) == 3
