"""EM as an engine: best of its restarts, the same however it is cut, stopped and continued."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest

import neurolatent as nl
from neurolatent.choices import EM, Run
from neurolatent.engines import em
from neurolatent.engines.checkpoint import NAME
from neurolatent.models.protocols import Step
from neurolatent.recording import knowledge
from tests.engines import small
from tests.models.arphmm.twin import modelled_steps
from tests.recording.refusals import refuses


def assert_same(a: nl.Fit, b: nl.Fit) -> None:
    for name, value in small.numbers(a).items():
        np.testing.assert_array_equal(value, small.numbers(b)[name], err_msg=name)


class Counted(NamedTuple):
    initial: jax.Array


@dataclasses.dataclass(frozen=True)
class Falling:
    """A model whose objective counts the steps, and ceases to be a number after so many."""

    after: int
    settling: int = 0

    def init(self, key, data, *, start, restart):
        return Counted(np.zeros(1))

    def em_step(self, params, data, *, use_prior, step=0, careful=True):
        taken = params.initial[0]
        objective = jax.numpy.where(taken < self.after, taken, jax.numpy.nan)
        return Step(Counted(params.initial + 1), objective, jax.numpy.zeros(1, bool), jax.numpy.ones((), bool))

    def has_one_start(self, data):
        return False

    def ordered(self, params, data):
        return params


ENGINE = EM(steps=60, restarts=3, start="random", tolerance=1e-9)


@pytest.fixture(scope="module")
def once() -> nl.Fit:
    return small.fit(ENGINE)


def test_a_change_in_nats_can_count_as_none():
    model = Falling(after=1000)  # its objective rises by one at every step
    for absolute, steps in ((0.5, 30), (1.5, 4)):
        settings = EM(steps=30, restarts=1, tolerance=0.0, absolute=absolute)
        out = em.run(settings, model, {}, jax.random.key(0), options=Run(), identity={})
        assert np.isfinite(out.trace["objective"]).sum() == steps


def test_nothing_is_converged_while_a_schedule_runs():
    settings = EM(steps=30, restarts=1, tolerance=0.0, absolute=1.5)
    out = em.run(settings, Falling(1000, settling=10), {}, jax.random.key(0), options=Run(), identity={})
    assert np.isfinite(out.trace["objective"]).sum() == 14
    with pytest.raises(ValueError, match="steps must exceed the 30 steps"):
        em.run(settings, Falling(1000, settling=30), {}, jax.random.key(0), options=Run(), identity={})


@pytest.mark.parametrize("chunk_seconds", [0.0, 1e-3, 60.0])
def test_cuts_into_chunks_change_nothing(once, chunk_seconds):
    assert_same(once, small.fit(ENGINE, run=Run(chunk_seconds=chunk_seconds)))


def test_results_are_double_and_the_best_restart_wins(once):
    assert not jax.config.jax_enable_x64
    assert all(np.asarray(leaf).dtype == np.float64 for leaf in once.params)
    objective = once.idata["trace"]["objective"].values
    last = [row[np.isfinite(row)][-1] for row in objective]
    assert int(once.idata["trace"]["best"]) == int(np.argmax(last))
    for row in objective:
        kept = row[np.isfinite(row)]
        assert (np.diff(kept) >= -1e-8 * np.abs(kept[:-1])).all()


def test_a_converged_trace_ends_at_the_parameters_that_are_returned(once):
    assert once.converged
    with nl.precision.double():
        data = once.model.select(small.recording(), for_training=True).data
        objective = once.model.log_likelihood(once.params, data).sum() + once.model.log_prior(
            type(once.params)(*map(jax.numpy.asarray, once.params)), jax.tree.map(jax.numpy.asarray, data)
        )
        last = np.nanmax(once.idata["trace"]["objective"].values)
        np.testing.assert_allclose(objective, last, rtol=1e-12)


def test_a_thread_without_the_scope_computes_the_same(once):
    out: list[nl.Fit] = []
    worker = threading.Thread(target=lambda: out.append(small.fit(ENGINE)))
    worker.start()
    worker.join()
    assert_same(once, out[0])


def test_another_seed_starts_elsewhere(once):
    other = small.fit(ENGINE, seed=1).idata["trace"]["objective"].values
    assert not np.array_equal(other[:, 0], once.idata["trace"]["objective"].values[:, 0])


def test_the_number_of_restarts_follows_from_the_start():
    def restarts(engine: EM, recording: nl.Recording) -> int:
        return nl.fit(small.MODEL, recording, engine=engine).idata["trace"].sizes["restart"]

    known = small.recording().with_knowledge(
        knowledge.plausibility(np.where(np.arange(105)[:, None] % 2 == np.arange(2), 1.0, 0.7))
    )
    few = EM(steps=2)
    assert restarts(few, small.recording()) == 5
    assert restarts(few, known) == 1
    assert restarts(EM(steps=2, start="segments"), small.recording()) == 1


def test_too_few_steps_and_starved_states_are_warned_of():
    assert any("2 steps without converging" in w for w in small.fit(EM(steps=2, restarts=1)).warnings)
    model = nl.ARPHMM(8, transitions="ergodic")
    poor = nl.fit(model, small.recording((12,)), engine=EM(restarts=1, use_prior=False))
    assert any("Too few samples belong to state" in w for w in poor.warnings)


def test_an_objective_that_is_no_number_is_a_failure():
    with nl.precision.double():
        trained = em.run(EM(restarts=2), Falling(after=3), np.zeros(1), jax.random.key(0), options=Run(), identity={})
    assert not trained.converged
    assert any("2 of 2 restarts" in w and "no number" in w for w in trained.warnings)
    np.testing.assert_array_equal(trained.trace["objective"][0], [0, 1, 2, np.nan])
    np.testing.assert_array_equal(trained.params.initial, [3.0])  # the last ones that had a number


def test_ctrl_c_returns_what_was_reached_and_resume_goes_on(tmp_path):
    def press_when_it_runs() -> None:
        while not (tmp_path / "checkpoint" / NAME).exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press_when_it_runs, daemon=True).start()
    endless = EM(steps=1_000_000, tolerance=0.0, restarts=2, start="random")
    fit = small.fit(endless, run=Run(folder=tmp_path, chunk_seconds=0.02))
    assert fit.interrupted
    assert not fit.converged
    assert nl.check(fit).rows[0].verdict == "warn"
    with refuses("belongs to another fit", "engine", "inputs"):
        nl.fit(small.MODEL, small.recording(seed=2), engine=ENGINE, run=Run(folder=tmp_path, resume=True))


def killed_and_resumed(engine: str, folder: Path) -> nl.Fit:
    """Kill -9 a fit as soon as it has written a checkpoint, then let a fresh process finish it."""
    command = [sys.executable, "-m", "tests.engines.small", engine, str(folder)]
    first = subprocess.Popen(command)
    deadline = time.monotonic() + 300
    while not (folder / "checkpoint" / NAME).exists():
        assert first.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    first.kill()
    first.wait()
    assert not (folder / "fit.nc").exists()
    subprocess.run(command, check=True, timeout=600)
    return nl.Fit.load(folder / "fit.nc")


@pytest.mark.slow
def test_killed_and_resumed_is_uninterrupted_to_the_bit(tmp_path):
    whole = small.fit(small.SLOW_EM)
    assert_same(whole, killed_and_resumed("em", tmp_path))


def test_one_sequence_one_state_needs_one_step_and_a_bit():
    recording = small.recording((40,))
    model = nl.ARPHMM(1, ridge=0.0, floor=0.0)
    fit = nl.fit(model, recording, engine=EM(use_prior=False))
    y = recording.signal("signal").values
    steps = modelled_steps(y, np.ones((40, 1)), 1, "condition")
    want = np.linalg.lstsq(np.array([s.z for s in steps]), y[1:], rcond=None)[0].T
    np.testing.assert_allclose(fit.params.coefficients[0], want, rtol=1e-8)
    assert fit.converged
